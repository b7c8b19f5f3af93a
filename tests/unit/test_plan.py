"""Faults of a study that are found before anything runs, and need more than the models of the configuration."""

import json

import pytest
import yaml

from tests.unit.test_losses_registry import OWN
from workflow_lib import plan
from workflow_lib.config import merge
from workflow_lib.errors import Faults
from workflow_lib.figures import loss_families
from workflow_lib.losses import registry as losses

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
    assert len(loss_families.draw(nodes, settings["trained"]).axes) == 1


def test_a_preset_of_a_loss_of_one_s_own_is_told_with_the_other_faults(raw, tmp_path):
    (tmp_path / "own_preset.py").write_text(OWN.format(name="own_preset"))
    raw["losses"] = {"a": {"loss": str(tmp_path / "own_preset.py"), "preset": "paper"}, "b": {"loss": "foca"}}
    raw["datasets"]["a"]["losses"] = ["a", "b"]
    found = "\n".join(faults_of(raw))
    assert "losses.a: loss 'own_preset' has no preset 'paper'" in found
    assert "losses.b: there is no loss 'foca'" in found
