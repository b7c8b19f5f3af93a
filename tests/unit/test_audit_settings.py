"""The audit holds the settings of every record against those of the report, for studies as they are planned."""

import json
from pathlib import Path

import pytest
import yaml

from workflow_lib import plan
from workflow_lib.audit import agreement, layout
from workflow_lib.audit.records import REPORT_RECORD, Record
from workflow_lib.files import sha256_file, write_json

ROOT = Path(plan.__file__).parents[1]


def merged(base, over):
    if not (isinstance(base, dict) and isinstance(over, dict)):
        return over
    return {**base, **{key: merged(base.get(key), value) for key, value in over.items()}}


def records_of(study, folder, over=None):
    """Return the records that the jobs of a study will write, without inputs and outputs."""
    raw = yaml.safe_load((ROOT / "config.yaml").read_text(encoding="utf-8"))
    if study != "config":
        raw = merged(raw, yaml.safe_load((ROOT / f"studies/{study}.yaml").read_text(encoding="utf-8")))
    raw = merged(raw, over or {})
    made = plan.load(raw)
    found = {}
    for place in made.jobs():
        job = made.job(place.step, place.dataset, place.loss, place.number)
        settings = json.loads(job.settings) if isinstance(job.settings, str) else job.settings
        name = f"records/{place.record}"
        found[name] = Record(name, place.step, settings, job.fingerprint, {}, {}, {})
    common = {"fingerprint": "f", "versions": {}, "inputs": {}, "outputs": {}}
    write_json(folder / REPORT_RECORD, common | {"step": "report_page", "settings": found[REPORT_RECORD].settings})
    return found


@pytest.mark.parametrize("study", ["config", "demo", "dilated_balanced_ce", "hippocampus", "tiny", "unified_focal"])
def test_a_study_agrees_with_itself(tmp_path, study):
    found = records_of(study, tmp_path)
    assert [finding.text for finding in agreement._settings(tmp_path, list(found.values()))] == []
    # Every record lies where the audit looks for one of its step.
    assert [name for name, record in found.items() if layout._name(record) != name] == []


@pytest.mark.parametrize(
    ("step", "key", "value", "told"),
    [
        ("check", "exclude", {"case_00003": "no reason"}, "something else about exclude"),
        ("check", "faulty", "exclude", "something else about faulty"),
        ("evaluate", "field_of_view", True, "something else about field_of_view"),
        ("tables", "published", None, "something else about published"),
        ("statistics", "losses", ["dice"], "losses are not those of the report"),
        ("collect", "losses", ["dice"], "losses are not those of the report"),
    ],
)
def test_a_setting_of_one_record_that_the_report_does_not_tell_is_named(tmp_path, step, key, value, told):
    found = records_of("demo", tmp_path)
    record = next(record for record in found.values() if record.step == step)
    assert record.settings[key] != value
    record.settings[key] = value
    assert told in only_fault(tmp_path, found, record)


def only_fault(folder, found, record):
    ((name, text),) = [(finding.subject, finding.text) for finding in agreement._settings(folder, list(found.values()))]
    assert name == record.name
    return text


@pytest.mark.parametrize(
    ("step", "section", "key"),
    [
        ("train", "training", "early_stop"),
        ("train", "augmentation", None),
        ("predict", "prediction", "overlap"),
        ("evaluate", "evaluation", "tolerance"),
        ("statistics", "statistics", "confidence"),
        ("check", "exclude", None),
        ("obtain", "source", None),
    ],
)
def test_a_setting_that_one_record_leaves_out_is_named(tmp_path, step, section, key):
    """A step would fall back on what it takes without being told."""
    found = records_of("demo", tmp_path)
    record = next(record for record in found.values() if record.step == step)
    del (record.settings if key is None else record.settings[section])[key or section]
    assert f"something else about {section}{'.' + key if key else ''}" in only_fault(tmp_path, found, record)


def test_a_setting_that_one_record_has_beyond_the_report_is_named(tmp_path):
    found = records_of("demo", tmp_path)
    record = next(record for record in found.values() if record.step == "train")
    record.settings["training"]["more"] = 1
    assert "something else about training.more" in only_fault(tmp_path, found, record)


@pytest.fixture
def divided(tmp_path):
    """Records of a study whose division follows a table, and the record of that step."""
    (tmp_path / "split.csv").write_text("case,fold\na,1\nb,2\n")
    found = records_of("tiny", tmp_path, {"cross_validation": {"table": str(tmp_path / "split.csv")}})
    record = found["records/split/toy.json"]
    record.inputs["table"] = [{"path": "split.csv", "sha256": sha256_file(tmp_path / "split.csv")}]
    return found, record


def test_a_division_by_a_table_agrees_with_itself(tmp_path, divided):
    found, _ = divided
    assert [finding.text for finding in agreement._settings(tmp_path, list(found.values()))] == []


def test_another_table_of_the_division_is_named(tmp_path, divided):
    found, record = divided
    record.settings["division_files"]["table"] = record.inputs["table"][0]["sha256"] = "0" * 64
    assert "divided the cases by other files than the report says" in only_fault(tmp_path, found, record)


def test_a_table_that_was_not_the_planned_one_is_named(tmp_path, divided):
    found, record = divided
    record.inputs["table"][0]["sha256"] = "0" * 64
    assert "read other files of the division than its settings say" in only_fault(tmp_path, found, record)
