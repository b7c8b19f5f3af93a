"""The audit compares the settings of every record with those of the report, for planned studies."""

import json
from pathlib import Path

import pytest
import yaml

from workflow_lib.base.files import sha256_file, write_json
from workflow_lib.commands.audit import agreement, report_record
from workflow_lib.commands.audit.records import REPORT_RECORD, Record
from workflow_lib.datasets.folds import Assignment, write_folds
from workflow_lib.plan import jobs as plan
from workflow_lib.provenance import layout

ROOT = Path(plan.__file__).parents[2]


def merged(base, over):
    if not (isinstance(base, dict) and isinstance(over, dict)):
        return over
    return {**base, **{key: merged(base.get(key), value) for key, value in over.items()}}


def records_of(study, folder, over=None):
    """Return the future records of a study's jobs, without inputs and outputs."""
    raw = yaml.safe_load((ROOT / "config.yaml").read_text(encoding="utf-8"))
    if study != "config":
        raw = merged(raw, yaml.safe_load((ROOT / f"studies/{study}.yaml").read_text(encoding="utf-8")))
    raw = merged(raw, over or {})
    made = plan.load(raw)
    found = {}
    for place in made.jobs():
        job = made.job(place.step, place.dataset, place.loss, place.number)
        settings = json.loads(job.settings) if isinstance(job.settings, str) else job.settings
        name = place.record
        found[name] = Record(name, place.step, settings, job.fingerprint, {}, {}, {})
    common = {"fingerprint": "f", "versions": {}, "inputs": {}, "outputs": {}}
    write_json(folder / REPORT_RECORD, common | {"step": "report_page", "settings": found[REPORT_RECORD].settings})
    return found


@pytest.mark.parametrize("study", ["config", "demo", "dilated_balanced_ce", "hippocampus", "tiny", "unified_focal"])
def test_a_study_agrees_with_itself(tmp_path, study):
    found = records_of(study, tmp_path)
    assert [finding.text for finding in agreement._settings(tmp_path, list(found.values()))] == []
    # Every record is at the path where the audit expects a record of its step.
    assert [name for name, record in found.items() if layout.record(record.step, *record.about) != name] == []


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
    """A step would use its default."""
    found = records_of("demo", tmp_path)
    record = next(record for record in found.values() if record.step == step)
    del (record.settings if key is None else record.settings[section])[key or section]
    assert f"something else about {section}{'.' + key if key else ''}" in only_fault(tmp_path, found, record)


@pytest.mark.parametrize("step", ["train", "predict", "evaluate", "statistics", "preprocess"])
def test_no_key_of_a_section_is_left_aside(tmp_path, step):
    """Except those that follow from the division, which are checked separately."""
    found = records_of("demo", tmp_path)
    record = next(record for record in found.values() if record.step == step)
    for name in set(agreement.TAKEN[step]) & {key for key, value in record.settings.items() if isinstance(value, dict)}:
        for key in sorted({*record.settings[name]} - {"interval_over"}):
            before = record.settings[name][key]
            record.settings[name][key] = "another"
            assert f"something else about {name}.{key} than the report does" in only_fault(tmp_path, found, record)
            record.settings[name][key] = before


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


def report_of(folder):
    return json.loads((folder / REPORT_RECORD).read_text(encoding="utf-8"))


def faults_of_report(folder, found, content):
    """Return the findings for a report with this record."""
    write_json(folder / REPORT_RECORD, content)
    every = [*found.values()]
    return [finding.text for finding in agreement._settings(folder, every) if finding.subject == REPORT_RECORD]


def swap_labels(settings):
    one, other = settings["datasets"][0]["losses"][:2]
    one["label"], other["label"] = other["label"], one["label"]


def swap_labels_of_the_protocol_too(settings):
    swap_labels(settings)
    one, other = settings["datasets"][0]["protocol"]["losses"][:2]
    one["label"], other["label"] = other["label"], one["label"]


def real_images_everywhere(settings):
    settings["datasets"][0]["synthetic"] = False
    settings["config"]["datasets"][settings["datasets"][0]["name"]]["source"] = "folder"


def without_fingerprints_of_trainings(settings):
    made = settings["fingerprints"][settings["datasets"][0]["name"]]
    for job in [job for job in made if job.startswith("train/")]:
        del made[job]


def of_dataset(**changes):
    return lambda settings: settings["datasets"][0].update(changes)


def of_config(**changes):
    return lambda settings: settings["config"]["datasets"][settings["datasets"][0]["name"]].update(changes)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (of_dataset(synthetic=False), "what it says of synthetic does not follow"),
        (real_images_everywhere, "disagree about synthetic"),
        (of_dataset(label="Real CT"), "what it says of label does not follow"),
        (of_dataset(published=None), "what it says of published does not follow"),
        (of_dataset(format="drive"), "what it says of format does not follow"),
        (of_dataset(folds=7), "what it says of folds does not follow"),
        (of_dataset(folds=7), "records/collect/phantom_ct.json disagree about folds"),
        (of_dataset(sweep=True), "there is no record of the figure over a parameter"),
        (of_dataset(sweep=True), "what it says of sweep does not follow"),
        (swap_labels, "its losses are not those of its protocol"),
        (swap_labels, "records/figures_dataset/phantom_ct.json disagree about losses"),
        (swap_labels_of_the_protocol_too, "figures_dataset/phantom_ct.json disagree about losses"),
        (of_config(root="elsewhere"), "records/obtain/phantom_ct.json disagree about root"),
        (of_config(figure_case="case_00001"), "disagree about figure_case"),
        (lambda settings: settings.update(title="Kidneys of 210 patients"), "its title is not that"),
        (lambda settings: settings.update(name="kits19"), "its name is not that"),
        (lambda settings: settings["datasets"].pop(), "other datasets than its configuration"),
        (lambda settings: settings["datasets"].pop(), "it does not contain the dataset"),
        (lambda settings: settings.pop("fingerprints"), "its fingerprints are not of the jobs"),
        (without_fingerprints_of_trainings, "its fingerprints are not of the jobs"),
    ],
)
def test_what_only_the_record_of_the_report_tells_is_named(tmp_path, change, told):
    found = records_of("demo", tmp_path)
    content = report_of(tmp_path)
    change(content["settings"])
    texts = faults_of_report(tmp_path, found, content)
    assert any(told in text for text in texts), texts


def test_a_label_of_the_configuration_is_held_against_the_tables(tmp_path):
    found = records_of("demo", tmp_path)
    content = report_of(tmp_path)
    loss = content["settings"]["datasets"][0]["losses"][0]["name"]
    content["settings"]["config"]["losses"][loss] = {"loss": loss, "label": "Ours"}
    assert any("another label" in text for text in faults_of_report(tmp_path, found, content))


def test_results_that_the_report_marks_as_stale_are_counted(tmp_path):
    found = [*records_of("demo", tmp_path).values()]
    report = report_of(tmp_path)["settings"]
    assert report_record.stale(report, found) == ""
    report["fingerprints"][report["datasets"][0]["name"]]["split"] = ["0" * 12]
    assert "marks 1 result as made with other settings or code" in report_record.stale(report, found)


def test_another_number_of_folds_than_the_fold_table_has_is_named(tmp_path):
    records_of("tiny", tmp_path)
    write_folds(tmp_path / "data/toy/folds.csv", {"a": Assignment(1), "b": Assignment(2)})
    assert list(agreement._fold_tables(tmp_path)) == []
    write_folds(tmp_path / "data/toy/folds.csv", {"a": Assignment(1), "b": Assignment(2), "c": Assignment(3)})
    (finding,) = agreement._fold_tables(tmp_path)
    assert "another number of folds" in finding.text


@pytest.mark.parametrize("value", ["cases", None])
def test_intervals_over_something_else_than_the_division_asks_for_are_named(tmp_path, value):
    found = records_of("demo", tmp_path)
    record = next(record for record in found.values() if record.step == "statistics")
    assert record.settings["statistics"]["interval_over"] == "folds"
    record.settings["statistics"]["interval_over"] = value
    assert "its intervals are not over the folds" in only_fault(tmp_path, found, record)


def test_the_intervals_of_one_split_are_over_its_cases(tmp_path):
    found = records_of("unified_focal", tmp_path)
    record = next(
        record
        for record in found.values()
        if record.step == "statistics" and record.settings["statistics"]["interval_over"] == "cases"
    )
    record.settings["statistics"]["interval_over"] = "folds"
    assert "its intervals are not over the cases" in only_fault(tmp_path, found, record)


@pytest.mark.parametrize("key", ["table", "groups"])
def test_a_division_that_only_says_it_followed_a_table_is_named(tmp_path, key):
    """Such a division would not be recomputed."""
    found = records_of("demo", tmp_path)
    record = next(record for record in found.values() if record.step == "split")
    record.inputs[key] = [{"path": "mine.csv", "sha256": "0" * 64}]
    assert f"it read a table of the user's own as {key}" in only_fault(tmp_path, found, record)


def with_table(settings):
    dataset = settings["datasets"][0]
    for division in (settings["config"]["datasets"][dataset["name"]], dataset["protocol"]):
        division["cross_validation"]["table"] = "mine.csv"


@pytest.mark.parametrize(
    ("change", "key"),
    [(with_table, "table"), (of_config(groups="mine.csv"), "groups")],
)
def test_a_division_without_the_table_that_the_report_names_is_named(tmp_path, change, key):
    found = records_of("demo", tmp_path)
    record = next(record for record in found.values() if record.step == "split")
    content = report_of(tmp_path)
    change(content["settings"])
    write_json(tmp_path / REPORT_RECORD, content)
    every = [*found.values()]
    told = {finding.subject: finding.text for finding in agreement._settings(tmp_path, every)}
    assert f"it read no table of the user's own as {key}" in told[record.name]
    record.inputs[key] = [{"path": "mine.csv", "sha256": "0" * 64}]
    # The settings of the split may contain keys of the division that the audit does not know.
    record.settings["files"] = {key: "0" * 64}
    assert record.name not in {finding.subject for finding in agreement._settings(tmp_path, every)}


@pytest.mark.parametrize("where", ["record", "config"])
def test_a_training_on_several_gpus_that_only_one_side_tells_is_named(tmp_path, where):
    found = records_of("demo", tmp_path)
    record = next(record for record in found.values() if record.step == "train")
    content = report_of(tmp_path)
    config = content["settings"]["config"]["datasets"][record.about[0]]
    (record.settings if where == "record" else config)["training"]["gpus"] = 2
    write_json(tmp_path / REPORT_RECORD, content)
    texts = [finding.text for finding in agreement._settings(tmp_path, [*found.values()]) if finding.subject == record.name]
    assert texts == ["its settings say something else about training.gpus than the report does"]
