"""Surface metrics against the distances of every pair of boundary voxels, and against cases whose answer is known."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage
from scipy.spatial.distance import cdist

from workflow_lib.base.errors import UserError
from workflow_lib.evaluation.surface import boundary, bounding_box, mask_distances, surface_distances
from workflow_lib.metrics import registry

METRICS = ("hd95", "nsd", "assd")


def scores_of(surfaces):
    return {name: registry.function(name)(surfaces) for name in METRICS}


def mask_scores(truth, prediction, spacing, tolerance):
    return scores_of(mask_distances(truth, prediction, spacing, tolerance))


def by_all_pairs(truth, prediction, spacing, tolerance):
    """The definitions written out, on scipy's erosion and all distances."""
    points = []
    for mask in (truth, prediction):
        inner = ndimage.binary_erosion(mask, ndimage.generate_binary_structure(mask.ndim, 1), border_value=0)
        points.append(np.argwhere(mask & ~inner) * np.asarray(spacing))
    if not len(points[0]) or not len(points[1]):
        return {"hd95": math.nan, "nsd": math.nan if len(points[0]) == len(points[1]) else 0.0, "assd": math.nan}
    distances = cdist(*points)
    there, back = distances.min(axis=1), distances.min(axis=0)
    near = (there <= tolerance).sum() + (back <= tolerance).sum()
    every = np.concatenate([there, back])
    return {"hd95": max(np.percentile(there, 95), np.percentile(back, 95)), "nsd": near / len(every), "assd": every.mean()}


@given(
    shape=st.sampled_from([(7, 8), (5, 6, 7), (1, 9), (4, 1, 5)]),
    seed=st.integers(0, 10_000),
    density=st.sampled_from([0.0, 0.02, 0.3, 0.9, 1.0]),
    spacing=st.sampled_from([(1.0, 1.0, 1.0), (3.0, 0.7, 0.7)]),
    tolerance=st.sampled_from([0.0, 1.0, 2.5]),
)
@settings(deadline=None)  # the first example compiles
def test_equal_to_all_pairs(shape, seed, density, spacing, tolerance):
    rng = np.random.default_rng(seed)
    truth, prediction = rng.random(shape) < density, rng.random(shape) < 0.3
    found = mask_scores(truth, prediction, spacing[: len(shape)], tolerance)
    assert found == pytest.approx(by_all_pairs(truth, prediction, spacing[: len(shape)], tolerance), nan_ok=True)


def test_a_shifted_block_is_as_far_as_its_shift():
    truth, prediction = np.zeros((30, 30, 30), bool), np.zeros((30, 30, 30), bool)
    truth[5:20, 5:20, 5:20] = True
    prediction[8:23, 5:20, 5:20] = True
    assert mask_scores(truth, prediction, (2.0, 1.0, 1.0), 0.0)["hd95"] == 6.0
    assert mask_scores(truth, prediction, (2.0, 1.0, 1.0), 6.0)["nsd"] == 1.0
    assert mask_scores(truth, truth, (2.0, 1.0, 1.0), 0.0) == {"hd95": 0.0, "nsd": 1.0, "assd": 0.0}


def test_a_stray_blob_counts_by_the_larger_direction():
    truth, prediction = np.zeros((10, 200), bool), np.zeros((10, 200), bool)
    truth[2:8, 2:8] = prediction[2:8, 2:8] = True
    prediction[5:7, 190:193] = True
    there = mask_scores(truth, prediction, (1.0, 1.0), 1.0)["hd95"]
    assert there == mask_scores(prediction, truth, (1.0, 1.0), 1.0)["hd95"] > 150


def test_every_surface_voxel_counts_once_in_the_average():
    # A point against a plane of 121 voxels, so that the mean of the two directed means (MASD) is far from it.
    truth, prediction = np.zeros((4, 11, 11), bool), np.zeros((4, 11, 11), bool)
    truth[0], prediction[3, 5, 5] = True, True
    to_point = np.sqrt(9 + np.add.outer((np.arange(11) - 5) ** 2, (np.arange(11) - 5) ** 2))
    assert mask_scores(truth, prediction, (1.0,) * 3, 1.0)["assd"] == pytest.approx((to_point.sum() + 3) / 122)
    assert mask_scores(prediction, truth, (1.0,) * 3, 1.0)["assd"] == pytest.approx((to_point.sum() + 3) / 122)


@pytest.mark.parametrize(("side", "tolerance"), [(0.8, 2.4), (0.6, 1.8), (0.3, 0.9), (0.7, 2.1), (1.1, 3.3)])
def test_a_distance_equal_to_the_tolerance_counts_although_headers_hold_float32(side, tolerance):
    truth = np.zeros((12, 5, 5), dtype=bool)
    truth[2:5, 1:4, 1:4] = True
    moved = np.roll(truth, 3, axis=0)
    spacing = (float(np.float32(side)), 1.0, 1.0)
    assert mask_scores(truth, moved, spacing, tolerance)["nsd"] == 1.0
    assert mask_scores(truth, moved, spacing, tolerance * (1 - 1e-4))["nsd"] < 1.0


@pytest.mark.parametrize(("truth", "prediction", "nsd"), [(0, 0, math.nan), (1, 0, 0.0), (0, 1, 0.0)])
def test_an_empty_mask_is_a_failure_and_no_distance(truth, prediction, nsd):
    found = mask_scores(np.full((3, 3, 3), bool(truth)), np.full((3, 3, 3), bool(prediction)), (1.0,) * 3, 1.0)
    assert found == pytest.approx({"hd95": math.nan, "nsd": nsd, "assd": math.nan}, nan_ok=True)


def test_classes_and_regions_in_the_order_of_the_scores():
    rng = np.random.default_rng(3)
    truth, prediction = (ndimage.zoom(rng.integers(0, 3, (4, 4, 4)), 4, order=0).astype(np.uint8) for _ in range(2))
    members = [(1,), (2,), (1, 2)]
    found = [scores_of(surfaces) for surfaces in surface_distances(truth, prediction, members, (3.0, 1.5, 1.5), 2.0)]
    masks = [(truth == 1, prediction == 1), (truth == 2, prediction == 2), (truth > 0, prediction > 0)]
    assert found == [pytest.approx(by_all_pairs(*pair, (3.0, 1.5, 1.5), 2.0)) for pair in masks]
    with pytest.raises(UserError, match="must lie on one grid"):
        list(surface_distances(truth, prediction[1:], members, (1.0,) * 3, 1.0))


def test_boundary_and_box():
    mask = np.zeros((5, 6), bool)
    mask[1:4, 1:5] = True
    assert len(boundary(mask)) == 10
    assert boundary(np.ones((3, 3), bool)).tolist() == [0, 1, 2, 3, 5, 6, 7, 8]
    assert bounding_box(mask) == (slice(1, 4), slice(1, 5))
    assert bounding_box(np.zeros((2, 2), bool)) == (slice(0, 0), slice(0, 0))


def test_scattered_voxels_far_off_cost_no_more_than_near_ones():
    # A search tree took minutes for such a prediction; here the time follows the box alone. Compared with a sample of all pairs.
    rng = np.random.default_rng(5)
    truth = np.zeros((60, 90, 80), bool)
    truth[50:58, 70:85, 60:75] = True
    prediction = rng.random(truth.shape) < 0.4
    found = mask_scores(truth, prediction, (3.0, 1.0, 1.0), 1.0)
    outline = ndimage.distance_transform_edt(~(truth & ~ndimage.binary_erosion(truth)), sampling=(3.0, 1.0, 1.0))
    surface = prediction & ~ndimage.binary_erosion(prediction)
    assert found["hd95"] == pytest.approx(np.percentile(outline[surface], 95))
