"""Faults of a study that are found before anything runs, and need more than the models of the configuration."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.unit.test_losses_registry import OWN
from workflow_lib.base.errors import Faults
from workflow_lib.figures import loss_families, style
from workflow_lib.losses import registry as losses
from workflow_lib.plan import jobs as plan
from workflow_lib.plan.result_settings import protocol
from workflow_lib.provenance import layout
from workflow_lib.provenance.fingerprints import import_closure
from workflow_lib.study.config import merge
from workflow_lib.study.resources import PreprocessingSection, StudySteering, TrainingSection
from workflow_lib.study.sections.preprocessing import Preprocessing
from workflow_lib.study.sections.training import Training

WEIGHTED = {"weighted": {"loss": "focal", "label": "Weighted", "parameters": {"alpha": [0.2, 0.8]}}}


@pytest.fixture
def raw():
    return yaml.safe_load(
        """
        study: {name: toy, title: Toy, datasets: [a]}
        losses: {}
        training: {patch: [16, 16, 16], epochs: 2, iterations: 3}
        prediction: {overlap: [8, 8, 8]}
        network: {depth: 2}
        datasets:
          a: {label: A, format: kits19, root: nowhere, losses: [dice]}
        """
    )


def faults_of(raw):
    with pytest.raises(Faults) as caught:
        plan.load(raw)
    return caught.value.faults


@pytest.mark.parametrize("loss", ["focal", "mixed_focal"])
def test_a_value_per_class_is_counted_before_any_training(raw, loss):
    raw["losses"] = {"weighted": {"loss": loss, "label": "Weighted", "parameters": {"alpha": [0.2, 0.8]}}}
    raw["datasets"]["a"]["losses"] = ["dice", "weighted"]
    (fault,) = faults_of(raw)
    assert fault.startswith("datasets.a.losses: 'weighted': ")
    assert "'alpha' has 2 values for 3 classes" in fault
    raw["losses"]["weighted"]["parameters"]["alpha"] = [0.2, 0.8, 1.0]
    assert plan.load(raw).losses("a") == ["dice", "weighted"]


def test_classes_that_a_file_names_are_counted_once_the_file_is_there(raw, tmp_path):
    raw = merge(raw, {"losses": WEIGHTED, "datasets": {"a": {"format": "msd", "root": str(tmp_path), "losses": ["weighted"]}}})
    plan.load(raw)
    (tmp_path / "dataset.json").write_bytes(b"\xff\xfe no JSON")
    plan.load(raw)
    (tmp_path / "dataset.json").write_text(json.dumps({"labels": {"0": "background", "1": "front", "2": "back"}}))
    assert "2 values for 3 classes" in faults_of(raw)[0]


@pytest.mark.parametrize("label", ["Dice loss", " dice\u200b  loss "])
def test_losses_and_datasets_that_read_the_same_are_refused(raw, label):
    raw = merge(raw, {"losses": {"mine": {"loss": "dice", "label": label}}, "datasets": {"a": {"losses": ["dice", "mine"]}}})
    raw["datasets"]["b"] = raw["datasets"]["a"] | {"label": "a", "losses": ["dice"]}
    raw["study"]["datasets"] = ["a", "b"]
    assert faults_of(raw) == [
        "datasets: a and b have the same `label`: 'A'; change one of them",
        "datasets.a.losses: dice and mine have the same label 'Dice loss'; give one of them a `label` in `losses`",
    ]


@pytest.mark.parametrize("shape", [[-1, 64, 64], [32, 96, 8]])
def test_a_phantom_too_small_for_its_bodies(raw, shape):
    raw["datasets"]["a"] |= {"source": "phantom", "phantom": {"kind": "ct", "cases": 4, "shape": shape}}
    (fault,) = faults_of(raw)
    assert fault == f"datasets.a.phantom.shape: every side must be at least 16 voxels; it is {shape}"


def test_a_composed_loss_may_be_called_like_one_of_its_terms(raw):
    terms = [{"loss": "dice"}, {"loss": "boundary"}]
    raw["losses"] = {"dice": {"loss": "weighted_sum", "label": "Both", "parameters": {"terms": terms}}}
    settings = json.loads(plan.load(raw).job("figures_losses").settings)
    nodes = [losses.Node(**{**node, "built_from": tuple(node["built_from"])}) for node in settings["losses"]]
    assert {node.label for node in nodes} == {"Both", "Dice loss", "Boundary loss"}
    assert len(loss_families.plot(nodes, settings["trained"]).axes) == 1


def test_a_preset_of_a_loss_of_one_s_own_is_told_with_the_other_faults(raw, tmp_path):
    (tmp_path / "own_preset.py").write_text(OWN.format(name="own_preset"))
    raw["losses"] = {"a": {"loss": str(tmp_path / "own_preset.py"), "preset": "paper"}, "b": {"loss": "foca"}}
    raw["datasets"]["a"]["losses"] = ["a", "b"]
    found = "\n".join(faults_of(raw))
    assert "losses.a: loss 'own_preset' has no preset 'paper'" in found
    assert "losses.b: there is no loss 'foca'" in found


def train_settings(raw, **training):
    return json.loads(plan.load(merge(raw, {"training": training})).job("train", "a", "dice", 1).settings)["training"]


def test_one_gpu_or_none_is_no_part_of_a_result_and_several_are(raw):
    jobs = {gpus: plan.load(merge(raw, {"training": {"gpus": gpus}})).job("train", "a", "dice", 1) for gpus in (0, 1, 2)}
    assert jobs[0] == jobs[1] != jobs[2]
    assert jobs[1].fingerprint != jobs[2].fingerprint
    assert train_settings(raw)["gpus"] == 1
    assert train_settings(raw, gpus=2)["gpus"] == 2
    predicted = {gpus: plan.load(merge(raw, {"training": {"gpus": gpus}})).job("predict", "a", "dice", 1) for gpus in (1, 2)}
    assert predicted[1] == predicted[2]


@pytest.mark.parametrize(
    ("key", "value"), [("precision", "bfloat16"), ("xla", True), ("accumulation", 2), ("deterministic", True)]
)
def test_how_a_step_computes_is_part_of_the_result(raw, key, value):
    assert train_settings(raw)[key] != value
    assert train_settings(raw, **{key: value})[key] == value


@pytest.mark.parametrize(
    ("training", "messages"),
    [
        ({"accumulation": 3}, ["batch_size 2 must divide by accumulation 3"]),
        ({"batch_size": 3, "accumulation": 2}, ["batch_size 3 must divide by accumulation 2"]),
        ({"gpus": 3}, ["batch_size 2 must divide by gpus 3"]),
        ({"batch_size": 3, "gpus": 2}, ["batch_size 3 must divide by gpus 2"]),
        ({"accumulation": 2, "precision": "float16"}, ["float16 and accumulation do not go together"]),
        ({"accumulation": 4, "gpus": 3}, ["gpus and accumulation do not go together", "by accumulation 4", "by gpus 3"]),
        ({"deterministic": True, "xla": True}, ["deterministic and xla do not go together"]),
        ({"gpus": 17}, ["less than or equal to 16"]),
        ({"precision": "half"}, ["'float32', 'tf32', 'bfloat16' or 'float16'"]),
    ],
)
def test_settings_of_a_step_that_do_not_go_together(raw, training, messages):
    text = "\n".join(faults_of(merge(raw, {"training": training})))
    for message in messages:
        assert message in text


def test_what_departs_from_the_published_step_is_told(raw):
    for gpus, expected in ((0, 1), (1, 1), (2, 2)):
        assert protocol(plan.load(merge(raw, {"training": {"gpus": gpus}})), "a")["training"]["gpus"] == expected


def divided(raw, folder, table="case,fold\na,1\nb,2\n", groups=None):
    """Return the study with CSV files of a division in a folder."""
    raw = json.loads(json.dumps(raw))
    folder.mkdir(exist_ok=True)
    if table is not None:
        (folder / "split.csv").write_text(table)
        raw["cross_validation"] = {"table": str(folder / "split.csv")}
    if groups is not None:
        (folder / "groups.csv").write_text(groups)
        raw["datasets"]["a"]["groups"] = str(folder / "groups.csv")
    return plan.load(raw)


def test_what_the_files_of_a_division_say_counts_and_not_where_they_lie(raw, tmp_path):
    groups = "case,group\na,1\nb,1\n"
    first = divided(raw, tmp_path / "first", groups=groups)
    here = first.job("split", "a")
    assert divided(raw, tmp_path / "moved", groups=groups).job("split", "a") == here
    other_table = divided(raw, tmp_path / "first", "case,fold\na,2\nb,1\n", groups).job("split", "a")
    other_groups = divided(raw, tmp_path / "first", groups="case,group\na,1\nb,2\n").job("split", "a")
    assert len({here.fingerprint, other_table.fingerprint, other_groups.fingerprint}) == 3
    # The report tells them too, so that its page and an audit know which division it was.
    said = json.loads(here.settings)["division_files"]
    assert set(said) == {"table", "groups"}
    (told,) = json.loads(first.job("report_page").settings)["datasets"]
    assert told["protocol"]["division_files"] == said


def test_a_study_without_such_files_has_no_word_of_them(raw, tmp_path):
    assert json.loads(plan.load(raw).job("split", "a").settings)["division_files"] == {}
    assert "division_files" not in protocol(plan.load(raw), "a")
    only = json.loads(divided(raw, tmp_path, None, "case,group\na,1\n").job("split", "a").settings)
    assert set(only["division_files"]) == {"groups"}


def test_files_of_a_division_that_cannot_be_read_are_faults_of_the_study(raw, tmp_path):
    raw["cross_validation"] = {"table": str(tmp_path / "nowhere.csv")}
    raw["datasets"]["a"]["groups"] = str(tmp_path)
    table, groups = faults_of(raw)
    assert "cross_validation.table: " in table
    assert "nowhere.csv cannot be read" in table
    assert "groups: " in groups


def figures_of(raw, losses_of_a, losses_of_b):
    """Return the jobs of the figures of the dataset b, of a study with a second dataset."""
    raw = merge(raw, {"datasets": {"a": {"losses": losses_of_a}}, "losses": CATALOGUE})
    raw["datasets"]["b"] = raw["datasets"]["a"] | {"label": "B", "losses": losses_of_b}
    raw["study"]["datasets"] = ["a", "b"]
    study = plan.load(raw)
    steps = ["figures_dataset", *(["figures_sweep"] if study.has_sweep("b") else [])]
    return [study.job(step, "b") for step in steps]


CATALOGUE = {
    f"own_{number}": {"loss": "focal", "label": f"Own {number}", "parameters": {"gamma": number / 10}} for number in range(1, 67)
}


def test_a_loss_of_one_dataset_draws_the_figures_of_another_again_only_where_their_colours_change(raw):
    for losses_of_b in (["dice", "own_1"], ["dice", "own_1", "own_2", "own_3"]):
        before = figures_of(raw, ["dice"], losses_of_b)
        assert len(before) == len(losses_of_b) // 2
        # One of the paper's losses has a colour of its own that nobody took.
        assert figures_of(raw, ["dice", "mixed_focal"], losses_of_b) == before
        # The colours are given in the order of all datasets.
        after = figures_of(raw, ["dice", "own_9"], losses_of_b)
        assert all(one.fingerprint != other.fingerprint for one, other in zip(before, after, strict=True))


def test_colours_are_those_of_the_whole_study(raw):
    for losses_of_a in (["dice"], ["own_9", "dice", "focal"]):
        (job,) = figures_of(raw, losses_of_a, ["own_1", "dice"])
        colours = style.loss_colours([*losses_of_a, "own_1", "dice"])
        assert style.colours_of(json.loads(job.settings)["colours"]) == {name: colours[name] for name in ("own_1", "dice")}


def test_a_plan_loads_nothing_that_draws():
    code = "import sys, workflow_lib.plan.jobs; print('matplotlib' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "False"


def test_more_losses_than_looks_are_told_before_anything_runs(raw):
    names = list(CATALOGUE)
    figures_of(raw, names[:32], names[32:64])
    with pytest.raises(Faults, match="65 losses in all; the figures tell 64 apart"):
        figures_of(raw, names[:33], names[32:65])


@pytest.mark.parametrize("given", [None, "/other/checkout"])
def test_jobs_take_the_package_of_this_checkout_and_the_python_that_plans(monkeypatch, tmp_path, given):
    """Whatever a user's PYTHONPATH names, and whatever environment stands in front."""
    for name in ("PATH", "PYTHONPATH", "WORKFLOW_LOCK"):
        monkeypatch.setenv(name, given or "")
    plan.prepare_environment(tmp_path)
    further = [given] if given else []
    assert os.environ["PYTHONPATH"].split(os.pathsep) == [str(tmp_path), *further]
    assert os.environ["PATH"].split(os.pathsep)[0] == str(Path(sys.executable).parent)
    assert os.environ["WORKFLOW_LOCK"] == str(tmp_path / "envs" / "lock.txt")


def test_settings_hold_nothing_that_only_steers_a_run(raw):
    sections = (TrainingSection, PreprocessingSection, StudySteering)
    science = set(Training.model_fields) | set(Preprocessing.model_fields)
    steering = {key for section in sections for key in section.model_fields} - science
    assert {"memory_mb", "minutes", "checkpoint_minutes", "shards", "announce_hours"} <= steering
    study = plan.load(raw)
    for job in study.jobs():
        if job.step not in ("report_page", "preprocess"):
            keys = set(re.findall(r'"(\w+)":', study.job(job.step, job.dataset, job.loss, job.number).settings))
            assert keys & steering == set(), job


def test_no_step_reaches_what_only_steers_a_run():
    """A default of `memory_mb` used to retrain everything."""
    for step in layout.STEPS:
        assert "workflow_lib.study.resources" not in import_closure([f"workflow_lib.steps.{step}"])
