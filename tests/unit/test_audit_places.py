"""The audit detects a record that hides a result from the steps that are recomputed."""

import pytest

from workflow_lib.base.files import write_json
from workflow_lib.commands.audit import places
from workflow_lib.provenance import layout

ROOT = "results/tiny"
OTHER = "records/evaluate/toy/dice/fold_1.json"
HIDDEN = "records/statistics/toy.json"


def record(step, settings, inputs, outputs):
    common = {"step": step, "settings": settings, "fingerprint": "f", "versions": {}}
    return common | {"inputs": named(inputs), "outputs": named(outputs)}


def named(group):
    return {key: [{"path": f"{ROOT}/{path}".rstrip("/"), "sha256": "0" * 64} for path in paths] for key, paths in group.items()}


@pytest.fixture
def content():
    """Return four records as written by steps, by name."""
    names = [path.removeprefix("statistics/{dataset}/") for path in layout.STEPS["statistics"].writes["results"]]
    return {
        OTHER: record(
            "evaluate",
            {"dataset": "toy", "loss": "dice", "fold": 1},
            {
                "cases": ["data/toy/cases.json"],
                "folds": ["data/toy/folds.csv"],
                "predictions": ["predictions/toy/dice/fold_1"],
            },
            {"scores": ["scores/toy/dice/fold_1.csv"]},
        ),
        HIDDEN: record(
            "statistics",
            {"dataset": "toy"},
            {"scores": ["scores/toy.csv"]},
            {"results": [f"statistics/toy/{name}" for name in names]},
        ),
        "records/manifest.json": record("manifest", {}, {"results": [OTHER, HIDDEN]}, {"manifest": ["manifest.json"]}),
        "records/report.json": record(
            "report_page", {}, {"results": ["manifest.json", "scores/toy.csv"]}, {"page": ["report.html"]}
        ),
    }


def looked_at(folder, content):
    for name, what in content.items():
        write_json(folder / name, what)
    write_json(folder / "manifest.json", {"steps": {OTHER: {}, HIDDEN: {}}})
    return {finding.subject: (finding.state, finding.text) for finding in places.check(folder)}


def test_records_as_steps_write_them_hold(tmp_path, content):
    assert looked_at(tmp_path, content) == {"steps": ("holds", "4 records read and write what their steps do")}


def renamed(content):
    content[HIDDEN]["step"] = "statistic"


def another_step(content):
    content[HIDDEN]["step"] = "collect"


def elsewhere(content):
    content[HIDDEN]["outputs"]["results"][0]["path"] = f"{ROOT}/statistics/decoy/means.csv"


def fewer(content):
    del content[HIDDEN]["outputs"]["results"][0]


def read_elsewhere(content):
    content[HIDDEN]["inputs"]["scores"][0]["path"] = f"{ROOT}/code/toy.csv"


def of_another_dataset(content):
    content[HIDDEN]["settings"]["dataset"] = "other"


def under_another_key(content):
    content[HIDDEN]["inputs"]["published"] = content[HIDDEN]["inputs"].pop("scores")


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (renamed, "is not where a record of the step 'statistic'"),
        (another_step, "is not where a record of the step 'collect'"),
        (elsewhere, "names other results"),
        (fewer, "names other results"),
        (read_elsewhere, "read code/toy.csv as scores"),
        (of_another_dataset, "is not where"),
        (under_another_key, "read scores/toy.csv as published"),
    ],
)
def test_a_step_that_hides_its_results_is_named(tmp_path, content, change, why):
    change(content)
    found = looked_at(tmp_path, content)
    assert list(found) == [HIDDEN]
    assert found[HIDDEN][0] == "fails"
    assert why in found[HIDDEN][1]


def test_a_file_that_another_step_claims_is_named(tmp_path, content):
    content[OTHER]["outputs"]["more"] = [{"path": f"{ROOT}/statistics/toy/means.csv", "sha256": "0" * 64}]
    assert "names other results" in looked_at(tmp_path, content)[OTHER][1]
