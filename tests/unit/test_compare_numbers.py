"""Whether a difference is within seed variation, in cases with a known answer."""

import math

import numpy as np
import pytest

from workflow_lib.commands.compare import numbers
from workflow_lib.commands.compare.sides import Data, Row

CASES, FOLDS = 40, 5


def study(values, folds=FOLDS, cases=CASES, images="same"):
    """Return a dataset with one loss and one class; `values`: DSC per case."""
    names = [f"case_{number:03d}" for number in range(cases)]
    fold_of = {name: number % folds + 1 for number, name in enumerate(names)}
    by_fold = [[v for v, name in zip(values, names, strict=True) if fold_of[name] == fold] for fold in range(1, folds + 1)]
    mean = float(np.mean([np.nanmean(part) for part in by_fold]))
    rows: list[Row] = [{"loss": "dice", "class": "tumour", "metric": metric, "mean": repr(mean)} for metric in ("dsc", "other")]
    scores: dict[tuple[str, str, str], tuple[float, ...]] = {
        ("dice", "tumour", name): (float(v), math.nan, math.nan) for name, v in zip(names, values, strict=True)
    }
    return Data("toy", dict.fromkeys(names, images), fold_of, scores, rows, [], [])


def cell(a, b):
    (found,) = numbers.means(a, b)
    return found


def test_equal_numbers_are_the_same_and_undefined_ones_too():
    values = np.linspace(0.5, 0.9, CASES)
    assert cell(study(values), study(values)).verdict == "same"
    assert numbers.same(math.nan, math.nan)
    assert not numbers.same(math.nan, 0.0)


def test_the_interval_is_that_of_the_definition_worked_by_hand():
    values = np.full(CASES, 0.5)
    shifts = np.array([0.01, 0.02, 0.03, 0.04, 0.05])
    found = cell(study(values), study(values + shifts[np.arange(CASES) % FOLDS]))
    # mean 0.03, s = 0.0158114, t(.975, 4) = 2.776445: half width 0.0196324
    assert (found.low, found.high) == pytest.approx((0.03 - 0.0196324, 0.03 + 0.0196324), abs=1e-7)
    assert found.verdict == "beyond"
    assert found.difference == pytest.approx(0.03)
    # All cases of a fold change by the same amount, so other cases would give the same difference.
    assert (found.cases_low, found.cases_high) == pytest.approx((0.03, 0.03))


def test_seeds_alone_lie_beyond_in_one_of_twenty():
    """Both sides have different seeds: a fold's network changes all its cases, and cases have independent noise."""
    rng = np.random.default_rng(5)
    cases = rng.normal(0.7, 0.1, CASES)

    def trained():
        network = rng.normal(0, 0.03, FOLDS)[np.arange(CASES) % FOLDS]
        return study(cases + network + rng.normal(0, 0.02, CASES))

    beyond = np.mean([cell(trained(), trained()).verdict == "beyond" for _ in range(600)])
    assert 0.025 < beyond < 0.085


def test_a_change_larger_than_the_spread_of_the_folds_lies_beyond():
    rng = np.random.default_rng(6)
    cases = rng.normal(0.7, 0.1, CASES)
    found = cell(study(cases), study(cases + 0.1 + rng.normal(0, 0.01, CASES)))
    assert found.verdict == "beyond"
    assert found.cases_low < 0.1 < found.cases_high


@pytest.mark.parametrize(
    ("other", "why"),
    [
        ({"cases": CASES - 5}, "not the same cases"),
        ({"images": "another"}, "not the same images"),
        ({"folds": 4}, "not the same folds"),
    ],
)
def test_nothing_is_said_where_cases_make_no_pairs(other, why):
    values = np.linspace(0.5, 0.9, CASES)
    found = cell(study(values), study(values[: other.get("cases", CASES)] + 0.01, **other))
    assert (found.verdict, found.reason) == ("open", why)
    assert math.isnan(found.low)


def test_nothing_is_said_of_a_difference_that_the_cases_of_both_sides_do_not_give():
    values = np.linspace(0.5, 0.9, CASES)
    edited = study(values)
    edited.means[0] = {**edited.means[0], "mean": "0.987"}
    found = cell(study(values), edited)
    assert (found.verdict, found.low, found.high) == ("open", 0.0, 0.0)
    assert "does not follow from the cases" in found.reason


def test_nothing_is_said_of_one_split():
    values = np.linspace(0.5, 0.9, CASES)
    found = cell(study(values, folds=1), study(values + 0.01, folds=1))
    assert found.verdict == "open"
    assert "one split" in found.reason


def test_only_cases_defined_on_both_sides_are_pairs():
    values = np.linspace(0.5, 0.9, CASES)
    other = values + 0.01 * (np.arange(CASES) % FOLDS)
    some = other.copy()
    some[:5] = math.nan
    found = cell(study(values), study(some))
    assert found.low == pytest.approx(cell(study(values), study(other)).low)


def test_one_case_of_other_images_is_enough_to_say_nothing():
    values = np.linspace(0.5, 0.9, CASES)
    other = study(values + 0.1)
    other.cases["case_007"] = "others"
    found = cell(study(values), other)
    assert (found.verdict, found.reason) == ("open", "not the same images")
