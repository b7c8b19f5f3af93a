"""What differs between a record and the plan, in a user's terms."""

import json
from pathlib import Path
from typing import Any

import pytest

from workflow_lib.base.files import write_json
from workflow_lib.plan import changes, stale
from workflow_lib.plan import jobs as plan
from workflow_lib.plan.jobs import JobId
from workflow_lib.provenance.fingerprints import code_table, combined, table_digest

RAW: dict[str, Any] = {
    "study": {"name": "toy", "title": "Toy", "datasets": ["a"]},
    "losses": {"focal": {"loss": "focal", "parameters": {"gamma": 2}}},
    "training": {"patch": [16, 16, 16], "epochs": 2, "iterations": 3},
    "prediction": {"overlap": [8, 8, 8]},
    "network": {"depth": 2},
    "datasets": {"a": {"label": "A", "format": "kits19", "root": "nowhere", "losses": ["dice", "focal"]}},
}
PLACE = JobId("train", "a", "focal", 1)


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def planned(folder, root="nowhere", **training):
    raw = json.loads(json.dumps(RAW))
    raw["study"]["results"] = str(folder)
    raw["datasets"]["a"]["root"] = str(root)
    raw["training"] |= training
    return plan.load(raw)


def record(study, place=PLACE):
    """Leave the record of a job as a step would."""
    job = study.job(place.step, place.dataset, place.loss, place.number)
    path = Path(study.results) / place.record
    write_json(path, {"settings": json.loads(job.settings), "fingerprint": job.fingerprint, "inputs": {}, "outputs": {}})
    return path


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ({"a": 1}, {"a": 1}, []),
        ({"a": {"b": 1, "c": 2}}, {"a": {"b": 3, "c": 2}}, ["a.b 1 -> 3"]),
        ({"alpha": 0.3, "beta": 0.7}, {"alpha": 0.7, "beta": 0.3}, ["alpha 0.3 -> 0.7", "beta 0.7 -> 0.3"]),
        ({"losses": ["dice", "focal"]}, {"losses": ["focal", "dice"]}, ["losses dice, focal -> focal, dice"]),
        ({"a": 1}, {"b": None}, ["a is gone", "b is new: null"]),
        ({"loss": {"files": {"own": "1"}}}, {"loss": {"files": {"own": "2"}}}, ["the loss file own.py changed"]),
        (
            {"division_files": {"table": "1", "groups": "1"}},
            {"division_files": {"table": "2", "groups": "1"}},
            ["the file of cross_validation.table changed"],
        ),
        ({}, {"protocol": 1, "division_files": {"groups": "1"}}, ["the file of groups is new", "protocol is new: 1"]),
        ({"a": {"division_files": {"table": "1"}}}, {"a": {}}, ["the file of cross_validation.table is gone"]),
        ({"losses": [{"name": "x", "v": 1}]}, {"losses": [{"name": "x", "v": 2}]}, ["losses.x.v 1 -> 2"]),
        ({"losses": [{"name": "x"}]}, {"losses": [{"name": "x"}, {"name": "y"}]}, ["losses x -> x, y"]),
        ({"losses": [{"name": "x"}, {"name": "y"}]}, {"losses": [{"name": "y"}, {"name": "x"}]}, ["losses x, y -> y, x"]),
        ({"fingerprints": {"a": {"train/dice": ["1"]}}}, {"fingerprints": {"a": {"train/dice": ["2"]}}}, []),
        ({"text": "a" * 70}, {"text": "b"}, ["text " + "a" * 57 + "... -> b"]),
    ],
)
def test_settings_are_told_key_by_key(before, after, said):
    assert changes.setting_changes(before, after) == said


def reasons(study):
    """Return why the training of `record` cannot stay; its files and inputs are not there in these tests."""
    said = stale.survey(study).reasons.get(PLACE, [])
    return [reason for reason in said if not reason.startswith(("missing: ", "was made from other results: "))]


def test_a_record_of_the_plan_has_nothing_to_say(tmp_path):
    study = planned(tmp_path)
    assert reasons(study) == ["never run"]
    record(study)
    assert reasons(study) == []


def test_changed_settings_and_code_are_told_apart(tmp_path, monkeypatch):
    study = planned(tmp_path)
    record(study)
    longer = planned(tmp_path, epochs=5)
    assert reasons(longer) == ["training.epochs 2 -> 5"]

    def edited(code):
        return {name: "new" if name == "workflow_lib.losses.focal" else digest for name, digest in code_table(code).items()}

    changes.remember_code(study)
    monkeypatch.setattr(plan, "code_table", edited)
    monkeypatch.setattr(plan, "fingerprint", lambda settings, code: combined(settings, table_digest(edited(code))))
    later = planned(tmp_path, epochs=5)
    changes._tables.cache_clear()
    assert reasons(later) == ["training.epochs 2 -> 5", "code changed: workflow_lib/losses/focal.py"]
    for table in (tmp_path / "toy/code").iterdir():
        table.unlink()
    changes._tables.cache_clear()
    assert reasons(later)[-1] == "code changed"


def test_a_record_that_cannot_be_read_disagrees(tmp_path):
    study = planned(tmp_path)
    path = record(study)
    for content in ("{", "[]", "{}"):
        path.write_text(content)
        assert reasons(study) == ["its record cannot be read"]


def test_a_lineage_is_all_but_the_epochs(tmp_path):
    study = planned(tmp_path)
    assert study.lineage("a", "focal", 1) == planned(tmp_path, epochs=9).lineage("a", "focal", 1)
    others = [
        planned(tmp_path, iterations=4).lineage("a", "focal", 1),
        study.lineage("a", "focal", 2),
        study.lineage("a", "dice", 1),
    ]
    assert study.lineage("a", "focal", 1) not in others


def test_the_report_knows_the_fingerprints_of_the_jobs_before_it(tmp_path):
    study = planned(tmp_path)
    found = json.loads(study.job("report_page").settings)["fingerprints"]["a"]
    assert found["train/focal"] == [study.job("train", "a", "focal", fold).fingerprint[:12] for fold in study.folds("a")]
    assert len(found["preprocess"]) == len(study.shards("a"))
    other = json.loads(planned(tmp_path, epochs=9).job("report_page").settings)["fingerprints"]["a"]
    assert {key for key in found if found[key] != other[key]} == {"train/dice", "train/focal", "tables"}
