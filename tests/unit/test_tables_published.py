"""The published numbers are whole, agree with each other, and with the configuration and the losses of this project."""

import importlib
import math

import pytest
import yaml

from workflow_lib.base.csv_text import csv_text
from workflow_lib.base.errors import UserError
from workflow_lib.plan.jobs import load as load_plan
from workflow_lib.plan.result_settings import protocol
from workflow_lib.statistics.holm import mark
from workflow_lib.study.config import Dataset
from workflow_lib.tables import published
from workflow_lib.tables.protocol import WORDS, departures, match_losses

SEVEN = ["focal", "dice", "tversky", "cosine_tversky", "focal_tversky", "combo", "mixed_focal"]


def load(name: str) -> published.Published:
    one = published.load(name)
    assert one is not None
    return one


@pytest.fixture(scope="module")
def kits19():
    return load("kits19")


@pytest.fixture(scope="module")
def brats20():
    return load("brats20")


@pytest.fixture(scope="module")
def plan(root):
    return load_plan(yaml.safe_load((root / "config.yaml").read_text(encoding="utf-8")), "config.yaml")


def test_all_cells_are_there(kits19, brats20):
    assert published.names() == ["brats20", "kits19"]
    assert kits19.losses == SEVEN
    assert brats20.losses == ["focal_tversky", "combo", "mixed_focal"]
    assert (kits19.classes, brats20.classes) == (("kidney", "tumour"), ("tumour",))
    assert (len(kits19.scores), len(kits19.p_values)) == (7 * 2 * 3, 2 * 21)
    assert (len(brats20.scores), len(brats20.p_values)) == (3 * 3, 3)
    for one in (kits19, brats20):
        assert all(0 < cell.mean < 1 and 0 < cell.half < 0.1 for cell in one.scores.values())
        assert all(0 < float(p) <= 1 for p in one.p_values.values())
        order = {loss: position for position, loss in enumerate(one.losses)}
        assert all(order[row] > order[column] for _, row, column in one.p_values)


def test_digits_are_those_printed(kits19, brats20):
    assert kits19.scores["mixed_focal", "kidney", "dsc"] == published.Interval(0.945, 0.017)
    assert kits19.scores["focal", "tumour", "recall"] == published.Interval(0.549, 0.086)
    assert kits19.scores["combo", "tumour", "precision"] == published.Interval(0.794, 0.051)
    assert kits19.p_values["kidney", "mixed_focal", "cosine_tversky"] == "2.52e-5"
    assert kits19.p_values["tumour", "focal_tversky", "focal"] == "8.30e-4"
    assert brats20.scores["mixed_focal", "tumour", "dsc"] == published.Interval(0.775, 0.033)
    assert brats20.p_values["tumour", "mixed_focal", "focal_tversky"] == "0.176"
    assert kits19.labels["mixed_focal"] == "Mixed Focal loss"
    assert (kits19.cases, brats20.cases, kits19.folds) == (204, 342, 5)


def test_what_is_not_there_is_none():
    assert published.load("atlantis") is None
    assert published.load(None) is None


def test_files_are_those_that_are_read(kits19):
    assert [path.name for path in published.files("kits19")] == [
        *("claims.yaml", "holm_p_kidney.csv", "holm_p_tumour.csv", "protocol.yaml", "scores.csv"),
    ]


def test_files_that_do_not_fit_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(published, "FOLDER", tmp_path)
    (tmp_path / "x").mkdir()
    (tmp_path / "x" / "protocol.yaml").write_text("losses: {dice: {}}\n")
    with pytest.raises(UserError, match=r"scores\.csv is missing"):
        published.load("x")
    (tmp_path / "x" / "scores.csv").write_text(csv_text(["loss", "label"], [{"loss": "focal", "label": "Focal loss"}]))
    with pytest.raises(UserError, match="do not name the same losses"):
        published.load("x")
    (tmp_path / "x" / "protocol.yaml").write_text("losses: {focal: {}}\n")
    with pytest.raises(UserError, match="does not say under `metrics`"):
        published.load("x")
    (tmp_path / "x" / "protocol.yaml").write_text("losses: {focal: {}}\nmetrics: [dice]\n")
    with pytest.raises(UserError, match="there is no metric 'dice'"):
        published.load("x")


def test_p_values_of_the_paper_are_over_cases_not_folds(kits19, brats20):
    """Five folds against five cannot go below p = 0.009 even before the correction, and the paper's go far below after it."""
    smallest = math.erfc(12.5 / math.sqrt(275 / 12) / math.sqrt(2))
    assert smallest > 0.009
    adjusted = [float(p) for p in kits19.p_values.values()]
    assert sum(p < smallest for p in adjusted) == 7
    # Holm's factor is at least 1, so an adjusted value below the bound had an unadjusted one below it.
    assert min(adjusted) < smallest / 100


def test_intervals_of_the_paper_are_over_folds_not_cases(kits19):
    """Scores in [0, 1] of 204 cases have a standard deviation of at most 1/2, and so a half width of at most 0.069."""
    widest = 1.9717 * 0.5 * math.sqrt(204 / 203) / math.sqrt(204)
    assert widest == pytest.approx(0.069, abs=5e-4)
    assert sum(cell.half > widest for cell in kits19.scores.values()) == 6


def test_significance_that_the_paper_claims(kits19, brats20):
    """Mixed Focal differs from 2 of 6 losses on the kidney, 1 of 6 on the tumour, 1 of 2 on BraTS20."""
    counts = [
        sum(mark(float(p)) != "" for (of_class, row, _), p in one.p_values.items() if (of_class, row) == (name, "mixed_focal"))
        for one, name in [(kits19, "kidney"), (kits19, "tumour"), (brats20, "tumour")]
    ]
    assert counts == [2, 1, 1]


@pytest.mark.parametrize("name", ["kits19", "brats20"])
def test_parameters_are_those_of_our_losses(name):
    for loss, parameters in load(name).parameters.items():
        ours = importlib.import_module(f"workflow_lib.losses.{loss}").Parameters().model_dump(mode="json")
        assert {key: ours[key] for key in parameters} == parameters
        # The paper does not state the smoothing term; `lambda_on` does nothing without `weight`, which is stated.
        assert set(ours) - set(parameters) <= {"smooth", "lambda_on"}


@pytest.mark.parametrize(("name", "cases"), [("kits19", 204), ("brats20", 342)])
def test_the_study_of_config_yaml_is_the_papers(plan, name, cases):
    one = load(name)
    assert departures(protocol(plan, name), cases, False, one) == []
    assert match_losses(one, protocol(plan, name)["losses"]) == {loss: loss for loss in one.losses}


@pytest.mark.parametrize("name", ["kits19", "brats20"])
def test_every_setting_of_the_protocol_is_a_key_of_the_configuration(plan, name):
    known = published.flatten(protocol(plan, name))
    for path in load(name).settings:
        assert path in known or path.split(".")[0] in Dataset.model_fields
        assert path in WORDS or path == "exclude"


def test_every_setting_that_changes_a_result_is_in_the_protocol(plan):
    """A new setting must be added to the protocol, or here with a reason."""
    known = {path for path in published.flatten(protocol(plan, "kits19")) if "." in path and not path.startswith("exclude")}
    left_out = {
        "training.validation",  # two readings of the same rule
        "training.threads",  # rounding only
        "training.xla",
        "training.deterministic",
        "prediction.batch_size",  # patches do not see each other
        "statistics.bootstrap",  # the paper has no bootstrap
        "cross_validation.new_cases",  # of a table, which departs by itself
        "cross_validation.similar_images",  # of a random division, which no study repeats from a paper
        "cross_validation.like",  # which entry of the study has the same folds
        "cross_validation.fixed",  # told in a line of its own, whatever the shares
        "training.momentum",  # of sgd, which departs by itself
        "training.nesterov",
        "evaluation.surface",  # scores of their own, which the paper has not
        "evaluation.tolerance",
    }
    assert known - set(load("kits19").settings) - left_out == set()
