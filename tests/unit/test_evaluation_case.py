"""Scores of a case against loops over voxels, SciPy's Dice distance, and cases worked by hand."""

import math

import numpy as np
import pytest
from scipy.spatial import distance

from workflow_lib.base.errors import UserError
from workflow_lib.evaluation.case import score_case
from workflow_lib.evaluation.counts import confusion_matrix, voxel_size
from workflow_lib.images.cases import LabelMap
from workflow_lib.metrics.registry import PAPER, names

LABELS = LabelMap(("background", "kidney", "tumour"), ((0,), (1,), (2,)), {"kidney and tumour": (1, 2)})


def rows_of(truth, prediction, labels=LABELS, spacing=(1.0, 1.0, 1.0), tolerance=None, metrics=PAPER):
    return score_case(truth, prediction, labels, spacing, tolerance, metrics)


def rows_by_name(*arguments, **options):
    return {row["class"]: row for row in rows_of(*arguments, **options)}


def test_hand_worked_case():
    truth = np.array([[0, 1, 1, 2], [0, 1, 2, 2]], np.uint8)
    prediction = np.array([[1, 1, 1, 1], [0, 0, 2, 2]], np.uint8)
    rows = rows_by_name(truth, prediction)
    kidney, tumour, both = rows["kidney"], rows["tumour"], rows["kidney and tumour"]
    assert [(row["tp"], row["fp"], row["fn"]) for row in (kidney, tumour, both)] == [(2, 2, 1), (2, 0, 1), (5, 1, 1)]
    assert (kidney["dsc"], kidney["precision"], kidney["recall"]) == (4 / 7, 1 / 2, 2 / 3)
    assert (tumour["dsc"], tumour["precision"], tumour["recall"]) == (4 / 5, 1.0, 2 / 3)
    # Kidney taken for tumour is no fault of the region.
    assert (both["dsc"], both["precision"], both["recall"]) == (5 / 6, 5 / 6, 5 / 6)
    assert [row["kind"] for row in rows.values()] == ["class", "class", "region"]
    assert all(type(row[key]) is int for row in rows.values() for key in ("tp", "fp", "fn"))
    assert [row["note"] for row in rows.values()] == ["", "", ""]


@pytest.mark.parametrize("shape", [(1,), (7,), (8,), (65,), (5, 6), (3, 5, 7), (4, 8, 16), (2, 600, 901)])
@pytest.mark.parametrize("foreground", [0.02, 0.9])
def test_counts_equal_those_of_masks(shape, foreground):
    rng = np.random.default_rng(len(shape) * 100 + int(10 * foreground))
    labels = LabelMap(("background", "a", "b", "c"), ((0,), (1,), (2,), (3,)), {"a and c": (1, 3), "all": (1, 2, 3)})
    truth, prediction = (
        np.where(rng.random(shape) < foreground, rng.integers(0, 4, shape), 0).astype(np.uint8) for _ in range(2)
    )
    members = {"a": (1,), "b": (2,), "c": (3,), "a and c": (1, 3), "all": (1, 2, 3)}
    for name, row in rows_by_name(truth, prediction, labels).items():
        t, p = np.isin(truth, members[name]), np.isin(prediction, members[name])
        assert (row["tp"], row["fp"], row["fn"]) == ((t & p).sum(), (~t & p).sum(), (t & ~p).sum())
        if t.any() and p.any():
            assert row["dsc"] == pytest.approx(1 - distance.dice(t.ravel(), p.ravel()), abs=1e-12)
            assert row["precision"] == pytest.approx((t & p).sum() / p.sum(), abs=1e-15)
            assert row["recall"] == pytest.approx((t & p).sum() / t.sum(), abs=1e-15)


def test_confusion_matrix_equals_a_loop_in_any_memory_layout(tmp_path):
    rng = np.random.default_rng(3)
    truth, prediction = (rng.integers(0, 3, (6, 5, 11)).astype(np.uint8) for _ in range(2))
    loop = np.zeros((3, 3), int)
    for index in np.ndindex(truth.shape):
        loop[truth[index], prediction[index]] += 1
    np.save(tmp_path / "truth.npy", truth)
    mapped = np.load(tmp_path / "truth.npy", mmap_mode="r")
    padded = np.zeros((6, 10, 11), np.uint8)
    padded[:, ::2] = truth
    fortran = np.asfortranarray
    for t, p in [
        (truth, prediction),
        (fortran(truth), fortran(prediction)),
        (fortran(truth), prediction),
        (truth, fortran(prediction)),
        (padded[:, ::2], prediction),
        (mapped, prediction),
        (truth.T, prediction.T),
    ]:
        np.testing.assert_array_equal(confusion_matrix(t, p, 3), loop)


@pytest.mark.parametrize(
    ("truth", "prediction", "note", "metrics"),
    [
        (0, 0, "both empty", (math.nan, math.nan, math.nan)),
        (1, 0, "empty prediction", (0.0, 0.0, 0.0)),
        (0, 1, "empty reference", (0.0, 0.0, math.nan)),
    ],
)
def test_empty_masks_are_noted(truth, prediction, note, metrics):
    row = rows_by_name(np.full((3, 3), truth, np.uint8), np.full((3, 3), prediction, np.uint8))["kidney"]
    assert row["note"] == note
    np.testing.assert_equal((row["dsc"], row["precision"], row["recall"]), metrics)


def test_a_case_without_any_class_in_either_mask_is_scored():
    nothing = np.zeros((3, 4, 2), np.uint8)
    rows = rows_of(nothing, nothing, tolerance=1.0, metrics=names())
    assert [row["note"] for row in rows] == ["both empty"] * 3
    assert all(math.isnan(row[name]) for row in rows for name in names())


def test_no_overlap_is_zero_without_a_note():
    row = rows_by_name(np.array([1, 0], np.uint8), np.array([0, 1], np.uint8))["kidney"]
    assert (row["dsc"], row["precision"], row["recall"], row["note"]) == (0.0, 0.0, 0.0, "")


def test_volumes_are_in_ml_of_three_axes_and_in_pixels_of_pictures():
    # 6 voxels of 2 x 0.5 x 0.25 mm predicted, 10 there: 4 x 0.25 mm³ apart.
    truth, prediction = np.zeros((1, 4, 5), np.uint8), np.zeros((1, 4, 5), np.uint8)
    truth[0, :2], prediction[0, 1:3, :3] = 1, 1
    metrics = ("volume_difference", "relative_volume_difference")
    row = rows_by_name(truth, prediction, spacing=(2.0, 0.5, 0.25), metrics=metrics)["kidney"]
    assert row["volume_difference"] == pytest.approx(4 * 0.25 / 1000, rel=1e-14)
    assert row["relative_volume_difference"] == -0.4
    flat = rows_by_name(truth[0], prediction[0], spacing=(1.0, 1.0), metrics=metrics)["kidney"]
    assert flat["volume_difference"] == 4.0
    assert voxel_size((10.0, 10.0, 10.0)) == 1.0


def test_surfaces_that_are_not_measured_leave_their_columns_empty():
    rng = np.random.default_rng(4)
    truth, prediction = (rng.integers(0, 3, (4, 6, 5)).astype(np.uint8) for _ in range(2))
    measured, left = (rows_of(truth, prediction, tolerance=tolerance, metrics=names()) for tolerance in (1.0, None))
    on_surfaces = {"hd95", "nsd", "assd"}
    for one, other in zip(measured, left, strict=True):
        assert list(one) == ["class", "kind", "tp", "fp", "fn", *names(), "note"] == list(other)
        assert {key for key in one if one[key] != other[key]} == on_surfaces
        assert all(math.isfinite(one[key]) and math.isnan(other[key]) for key in on_surfaces)


def test_shapes_that_differ_are_refused():
    with pytest.raises(UserError, match=r"3 x 4.*3 x 5"):
        rows_of(np.zeros((3, 4), np.uint8), np.zeros((3, 5), np.uint8), LABELS)
    # A broadcast would hide this one.
    with pytest.raises(UserError, match="shape"):
        rows_of(np.zeros((3, 4), np.uint8), np.zeros((1, 4), np.uint8), LABELS)


@pytest.mark.parametrize("where", ["reference", "prediction"])
def test_unknown_class_is_refused(where):
    arrays = {"reference": np.zeros(20, np.uint8), "prediction": np.zeros(20, np.uint8)}
    arrays[where][11] = 3
    with pytest.raises(UserError, match=f"{where} holds class 3"):
        rows_of(arrays["reference"], arrays["prediction"])


def test_other_types_than_uint8_are_refused():
    with pytest.raises(UserError, match="float32"):
        rows_of(np.zeros(4, np.uint8), np.zeros(4, np.float32), LABELS)
