"""Additional files are reported, and a file name similar to a permitted one hides nothing."""

import json

import pytest

from workflow_lib.base.errors import Faults
from workflow_lib.base.files import sha256_file, write_json
from workflow_lib.commands.audit import integrity, left_over, records
from workflow_lib.commands.audit.audit import audit
from workflow_lib.commands.audit.folder import listing, read_sums


@pytest.fixture
def results(tmp_path):
    (tmp_path / "a.csv").write_text("1")
    (tmp_path / "SHA256SUMS").write_text(f"{sha256_file(tmp_path / 'a.csv')}  a.csv\n")
    return tmp_path


def states(folder):
    return {finding.subject: finding.state for finding in integrity.check(folder)}


def test_what_was_written_on_request_is_told_as_not_checked(results):
    assert states(results) == {"every file": "holds"}
    (results / "workflow").mkdir()
    for name in ("report.pdf", "ro-crate-metadata.json", "workflow/Snakefile"):
        (results / name).write_text("anything")
    beside = dict.fromkeys(("report.pdf", "ro-crate-metadata.json", "workflow/"), "not checked")
    assert states(results) == {"every file": "holds"} | beside


@pytest.mark.parametrize("name", ["report.pdf.csv", "bundle.json2", "ro-crate-metadata.json.html"])
def test_a_name_that_only_begins_like_theirs_is_a_stranger(results, name):
    (results / name).write_text("anything")
    assert states(results)[name] == "fails"


def test_a_bundle_may_leave_out_what_the_tables_do_not_rest_on_and_nothing_else(results):
    (results / "a.csv").unlink()
    write_json(results / "bundle.json", {"left_out": {"a.csv": "not asked for"}})
    assert states(results)["a.csv"] == "fails"
    name = "training/toy/dice/fold_1/model.weights.h5"
    (results / "SHA256SUMS").write_text(f"{'0' * 64}  {name}\n")
    write_json(results / "bundle.json", {"left_out": {name: "not asked for"}})
    assert states(results) == {"every file": "holds", "weights": "not checked"}


def test_a_page_that_shows_another_digest_than_the_manifest_s_breaks_the_chain(results, monkeypatch):
    """The digest has the same first digits, which a forger can easily produce."""
    write_json(results / "manifest.json", {"steps": {}})
    digest = sha256_file(results / "manifest.json")
    monkeypatch.setattr(records, "names_in_manifest", lambda study: [])
    monkeypatch.setattr(records, "every", lambda study: [])
    monkeypatch.setattr(records, "root_of", lambda study: study)
    monkeypatch.setattr(integrity, "sums", lambda study, names, root: read_sums(study, "SHA256SUMS"))
    for shown, state in ((digest, ["holds"]), (digest[:12] + "0" * 52, ["fails"])):
        (results / "report.html").write_text(f"<code>{shown}</code>")
        assert [finding.state for finding in integrity.chain(results)] == state


def write(folder, *names):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("anything")


def seal(folder, losses=("focal",), steps=("records/train/toy/focal/fold_1.json",)):
    """Write records and checksums of a study with one dataset, two folds and one shard; return the folder."""
    dataset = {"name": "toy", "losses": [{"name": name} for name in losses], "folds": 2, "sweep": False}
    config = {"datasets": {"toy": {"preprocessing": {"shards": 1}}}}
    settings = {"datasets": [dataset], "config": config}
    record = {"step": "report_page", "settings": settings, "fingerprint": "f", "versions": {}, "inputs": {}, "outputs": {}}
    write_json(folder / "records/report.json", record)
    write_json(folder / "manifest.json", {"steps": {name: {} for name in steps}})
    names = ("a.csv", "manifest.json", "records/report.json")
    (folder / "SHA256SUMS").write_text("".join(f"{sha256_file(folder / name)}  {name}\n" for name in names))
    return folder


GONE = {
    "losses": [
        "training/toy/dice/fold_1/model.weights.h5",
        "training/toy/dice/fold_1/training.json",
        "predictions/toy/dice/fold_1/case_1.nii.gz",
        "scores/toy/dice/fold_1.csv",
        "records/train/toy/dice/fold_1.json",
        "records/evaluate/toy/dice/fold_2.json",
    ],
    "folds": ["training/toy/focal/fold_3/history.csv", "scores/toy/focal/fold_3.csv", "records/predict/toy/focal/fold_3.json"],
    "parts": ["preprocessed/toy/shard_2/index.json", "records/preprocess/toy/shard_2.json"],
    "sweeps": ["figures/sweep_toy.svg", "records/figures_sweep/toy.json"],
    "datasets": ["tables/other_scores.csv", "data/other/cases.json", "training/other/focal/fold_1/history.csv"],
}


def test_what_the_study_no_longer_has_is_told_and_no_fault(results):
    write(seal(results), *(name for names in GONE.values() for name in names))
    found = {finding.subject: (finding.state, finding.text) for finding in integrity.check(results)}
    assert found.pop("every file")[0] == "holds"
    assert set(found) == {f"{kind} that the study no longer has" for kind in GONE}
    assert {state for state, _ in found.values()} == {"not checked"}
    places = "predictions/toy/dice, records/evaluate/toy/dice, records/train/toy/dice, scores/toy/dice, training/toy/dice"
    assert found["losses that the study no longer has"][1] == f"6 files left by earlier runs under {places}"
    integrity.require(results, "packed")


@pytest.mark.parametrize(
    "name",
    [
        "training/toy/focal/fold_2/history.csv",  # the report names it, the manifest does not
        "training/toy/focal/fold_1/more.csv",
        "training/toy/focal/fold_02/history.csv",
        "training/toy/dice/fold_1/more.csv",
        "training/toy/dice/fold_1/model.weights.h5/more",
        "training/toy/dice/fold_0/history.csv",
        "predictions/toy/dice/fold_1/more/case_1.nii.gz",
        "records/train/toy/tversky/fold_1.json",  # the manifest names it, the report does not
        "training/toy/tversky/fold_1/history.csv",
        "records/collect/toy/dice/fold_1.json",
        "records/train/toy.json",
        "preprocessed/toy/shard_1/case_1.image.npy",
        "figures/ranking_toy.svg",
        "tables/toy_scores.csv",
        "tables/stranger.csv",
    ],
)
def test_nothing_that_the_study_has_passes_for_left_over(results, name):
    write(seal(results, steps=("records/train/toy/focal/fold_1.json", "records/train/toy/tversky/fold_1.json")), name)
    assert states(results)[name] == "fails"
    with pytest.raises(Faults, match="no step of the study wrote it"):
        integrity.require(results, "packed")


@pytest.mark.parametrize(
    "damage",
    [
        lambda record: record["settings"].pop("datasets"),
        lambda record: record["settings"]["datasets"][0].update(folds=float("1e999")),
        lambda record: record["settings"]["datasets"].append({**record["settings"]["datasets"][0], "losses": []}),
    ],
)
def test_nothing_is_excused_where_the_report_does_not_say_what_the_study_has(results, damage):
    write(seal(results), *GONE["losses"])
    path = results / "records/report.json"
    record = json.loads(path.read_text())
    damage(record)
    path.write_text(json.dumps(record).replace("Infinity", "1e999"))
    found = states(results)
    assert {found[name] for name in GONE["losses"]} == {"fails"}


def test_a_link_is_never_left_over(results):
    seal(results)
    (results / "scores/toy/dice").mkdir(parents=True)
    (results / "scores/toy/dice/fold_1.csv").symlink_to(results / "a.csv")
    assert states(results)["scores/toy/dice/fold_1.csv"] == "fails"


def test_what_is_left_over_is_not_read(results, monkeypatch):
    write(seal(results), *GONE["losses"])
    copied = []

    def copy(folder, names, target):
        copied.extend(names)
        return []

    monkeypatch.setattr("workflow_lib.commands.audit.folder.copy", copy)
    monkeypatch.setattr("workflow_lib.commands.audit.audit._computed", lambda *arguments: iter(()))
    found = list(audit(results))
    assert [finding.subject for finding in found if finding.state == "fails"] == []
    assert set(copied) == {"a.csv", "SHA256SUMS", "manifest.json", "records/report.json"}
    left = left_over.found(results, listing(results), ())
    assert set(left) == set(GONE["losses"])
