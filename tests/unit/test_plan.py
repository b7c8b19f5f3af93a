"""Faults of a study that are found before anything runs, and need more than the models of the configuration."""

import json

import pytest
import yaml

from workflow_lib import plan
from workflow_lib.config import merge
from workflow_lib.errors import Faults

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
