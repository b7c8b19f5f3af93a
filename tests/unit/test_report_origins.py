"""The origin of numbers, why they are stale, and obstacles to reproducing a report."""

import base64
import re

import pytest
import yaml

from tests.report_fixture import make_study, shown
from workflow_lib.base.files import write_json
from workflow_lib.report import origins, recipe
from workflow_lib.report.assemble import build
from workflow_lib.report.sources import Sources
from workflow_lib.report.study import Study

NAME = "kits19"
LOSSES = {"focal": "Focal loss", "dice": "Dice loss"}


def record(folder, path, fingerprint, inputs=(), outputs=()):
    """Write a record; `inputs` and `outputs` are (path, digest)."""
    sides = {
        side: {"files": [{"path": name, "sha256": digest} for name, digest in entries]}
        for side, entries in (("inputs", inputs), ("outputs", outputs))
    }
    write_json(folder / "records" / path, {"fingerprint": fingerprint, **sides})


@pytest.fixture
def made(tmp_path):
    """A study of two losses and two folds whose records agree with the plan."""
    study = make_study(tmp_path, {NAME: ["background", "kidney"]}, LOSSES, cases=4, folds=2)
    study["fingerprints"] = {NAME: {"collect": ["c" * 12], "statistics": ["d" * 12], "tables": ["e" * 12]}}
    scored = []
    for loss in LOSSES:
        for step, digit in (("train", "1"), ("predict", "2"), ("evaluate", "3")):
            study["fingerprints"][NAME][f"{step}/{loss}"] = [digit * 12] * 2
            for fold in (1, 2):
                record(
                    tmp_path,
                    f"{step}/{NAME}/{loss}/fold_{fold}.json",
                    digit * 64,
                    inputs=[(f"r/weights/{loss}/{fold}", "w")] if step == "predict" else [],
                    outputs=[(f"r/weights/{loss}/{fold}", "w")] if step == "train" else [],
                )
        scored.append((f"r/scores/{loss}", "s"))
    for step, digit in (("collect", "c"), ("statistics", "d"), ("tables", "e")):
        record(tmp_path, f"{step}/{NAME}.json", digit * 64, inputs=scored if step == "collect" else ())
    return study, tmp_path


def described(study, folder):
    typed = shown(study)
    return origins.describe(Sources(folder), typed, typed.datasets[0])


def test_files_rows_jobs_and_commands_of_a_loss(made):
    found = described(*made)
    assert found["reasons"] == []
    focal = found["losses"]["focal"]
    assert [[job.fingerprint[0] for job in fold] for fold in focal["folds"]] == [["1", "2", "3"]] * 2
    assert focal["command"] == (
        f"snakemake --cores 1 --configfile fixture.yaml results/fixture/scores/{NAME}/focal/fold_1.csv"
        f" results/fixture/scores/{NAME}/focal/fold_2.csv"
    )
    # The fixture's scores are sorted by loss, with four cases of one class each, after the header.
    assert (found["losses"]["dice"]["lines"], focal["lines"]) == ("lines 2 to 5", "lines 6 to 9")
    files = {file["path"]: file for file in found["files"]}
    assert files[f"tables/{NAME}_scores.csv"]["made"].record == f"records/tables/{NAME}.json"
    assert files[f"statistics/{NAME}/means.csv"]["made"].fingerprint == "d" * 64


@pytest.mark.parametrize(
    ("path", "fingerprint", "focal", "dice"),
    [
        (f"train/{NAME}/focal/fold_2.json", "9" * 64, True, False),
        (f"evaluate/{NAME}/dice/fold_1.json", "9" * 64, False, True),
        (f"statistics/{NAME}.json", "9" * 64, True, True),
    ],
)
def test_another_fingerprint_makes_stale_what_rests_on_it(made, path, fingerprint, focal, dice):
    study, folder = made
    record(folder, path, fingerprint)
    found = described(study, folder)
    assert [bool(found["losses"][loss]["stale"]) for loss in ("focal", "dice")] == [focal, dice]
    assert any(f"records/{path}: made with fingerprint 999999999999, the study now has" in reason for reason in found["reasons"])
    page = build(shown(study), folder)
    assert page.count('class="stale"') > 2
    # In words, for readers who cannot distinguish the colour.
    assert set(re.findall(r'<span class="stale"[^>]*>(.*?)</span>', page)) == {"stale"}
    assert "These commands cannot reproduce this result" in page


def test_a_missing_record_and_an_input_made_anew_are_stale(made):
    study, folder = made
    (folder / f"records/evaluate/{NAME}/dice/fold_2.json").unlink()
    record(folder, f"train/{NAME}/focal/fold_1.json", "1" * 64, outputs=[("r/weights/focal/1", "other")])
    found = described(study, folder)
    assert found["reasons"] == [
        f"records/predict/{NAME}/focal/fold_1.json: one of its inputs was produced again afterwards",
        f"records/evaluate/{NAME}/dice/fold_2.json: has no record",
    ]


@pytest.mark.parametrize("step", ["figures_dataset", "figures_sweep", "cases_page"])
def test_a_stale_figure_or_page_is_told_though_no_number_rests_on_it(made, step):
    study, folder = made
    study["fingerprints"][NAME][step] = ["f" * 12]
    record(folder, f"{step}/{NAME}.json", "9" * 64)
    found = described(study, folder)
    assert found["reasons"] == [f"records/{step}/{NAME}.json: made with fingerprint {'9' * 12}, the study now has {'f' * 12}"]
    assert found["stale"] == found["losses"]["dice"]["stale"] == ""


def test_a_dataset_that_is_held_against_no_paper_has_no_numbers_of_a_paper(made):
    """The step writes these tables in any case, without rows if there is no publication."""
    study, folder = made
    for name in ("comparison", "comparison_p", "agreement", "claims"):
        (folder / f"tables/{NAME}_{name}.csv").touch()
    study["datasets"][0]["published"] = "mixed_focal"
    assert any(file["title"] == "The paper's claims" for file in described(study, folder)["files"])
    study["datasets"][0]["published"] = None
    titles = [file["title"] for file in described(study, folder)["files"]]
    assert "Scores of every loss" in titles
    assert [title for title in titles if "paper" in title.lower() or "published" in title.lower()] == []


def test_without_the_plans_fingerprints_nothing_is_called_stale(made):
    study, folder = made
    del study["fingerprints"]
    record(folder, f"train/{NAME}/focal/fold_2.json", "9" * 64)
    assert described(study, folder)["reasons"] == []


def test_names_in_commands_are_quoted():
    assert (
        origins.command(Study("a b;c", "", (), {}, "", None), ["x"])
        == "snakemake --cores 1 --configfile 'a b;c.yaml' 'results/a b;c/x'"
    )


@pytest.mark.parametrize(
    ("commit", "told"),
    [
        ("0" * 40, None),
        ("0" * 40 + "+changes", f"had uncommitted changes: commit {'0' * 40} is not the code"),
        (None, "outside a git checkout"),
    ],
)
def test_what_the_commit_says_about_the_recipe(made, commit, told):
    study, _ = made
    found = recipe.describe(shown({**study, "commit": commit}), "d" * 64, [])
    assert bool(found["obstacles"]) == (told is not None)
    assert told is None or told in found["obstacles"][0]
    assert "+" not in " ".join(found["before"])


def test_the_study_of_the_recipe_is_the_whole_and_leads_to_no_place_of_ours(made):
    study, _ = made
    study["config"]["study"]["results"] = "/scratch/somebody"
    found = recipe.describe(shown(study), "d" * 64, ["a", "b", "c", "d"])
    content = yaml.safe_load(base64.b64decode(found["yaml"].split(",")[1]))
    assert content["study"]["results"] == "results"
    assert content["datasets"] == study["config"]["datasets"]
    assert "somebody" not in str(found["run"])
    assert found["obstacles"] == ["Some results were not made with this study's settings and code: a; b; c; and 1 more."]


def test_what_no_repository_holds_is_named(made):
    study, _ = made
    settings = study["config"]["datasets"][NAME]
    settings |= {"source": "folder", "root": "data/k", "groups": "patients.csv"}
    study["datasets"][0]["losses"][0]["files"] = {"mine": "ab" * 32}
    assert recipe.describe(shown(study), "d" * 64, [])["needs"] == [
        "The images of KITS19 in data/k (docs/datasets.md describes their source).",
        "For KITS19: patients.csv.",
        "The loss files mine.py (digest abababababab…), at the paths that the study names.",
    ]
