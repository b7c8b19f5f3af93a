"""Whether a difference is within seed variation, in cases with a known answer."""

import math
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pytest

from workflow_lib.commands.compare import describe, numbers
from workflow_lib.commands.compare.sides import Data, Row

CASES, FOLDS = 40, 5


def study(values, folds=FOLDS, cases=CASES, images="same", masks="same"):
    """Return a dataset with one loss and one class; `values`: DSC per case."""
    names = [f"case_{number:03d}" for number in range(cases)]
    fold_of = {name: number % folds + 1 for number, name in enumerate(names)}
    by_fold = [[v for v, name in zip(values, names, strict=True) if fold_of[name] == fold] for fold in range(1, folds + 1)]
    mean = float(np.mean([np.nanmean(part) for part in by_fold]))
    rows: list[Row] = [{"loss": "dice", "class": "tumour", "metric": metric, "mean": repr(mean)} for metric in ("dsc", "other")]
    scores: dict[tuple[str, str, str], tuple[float, ...]] = {
        ("dice", "tumour", name): (float(v), math.nan, math.nan) for name, v in zip(names, values, strict=True)
    }
    files: dict[str, Mapping[str, tuple[str, ...]]] = {name: {"images": (images,), "masks": (masks,)} for name in names}
    return Data("toy", files, fold_of, scores, rows, [], [], f"{cases} {images} {masks}")


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
        ({"masks": "another"}, "not the same masks"),
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
    other.cases["case_007"] = {"images": ("others",), "masks": ("same",)}
    found = cell(study(values), other)
    assert (found.verdict, found.reason) == ("open", "not the same images")


def test_it_is_said_of_which_cases_the_images_or_the_masks_differ():
    values = np.linspace(0.5, 0.9, CASES)
    one, other = study(values), study(values)
    assert list(describe._data(one, other)) == ["the same 40 cases, byte for byte, in the same folds"]
    for number in range(7):
        other.cases[f"case_{number:03d}"] = {"images": ("same",), "masks": ("edited",)}
    other.cases["case_003"] = {"images": ("edited",), "masks": ("edited",)}
    del other.cases["case_039"]
    changed = replace(other, digest="0123456789abcdef")
    assert list(describe._data(replace(one, digest="f" * 64), changed)) == [
        "1 case only in A: case_039",
        "the images of 1 case differ: case_003",
        "the masks of 7 cases differ: case_000, case_001, case_002, case_003, case_004 and 2 more",
        "digest of the data: ffffffffffff… in A, 0123456789ab… in B",
    ]
