"""Resampling against the installed batchgenerators (0.25), scikit-image and SciPy, and its edge cases."""

from typing import get_args

import numpy as np
import pytest
from batchgenerators.augmentations.utils import resize_multichannel_image, resize_segmentation
from scipy import ndimage
from skimage.transform import resize

from workflow_lib.base.errors import UserError
from workflow_lib.preprocessing.resample import Rule, resample_image, resample_labels, resampled_shape, spline_matrix

RULES = get_args(Rule)
GRIDS = [
    ((18, 40, 35), (11, 19, 20)),
    ((10, 17, 15), (25, 23, 31)),
    ((12, 34, 30), (30, 16, 30)),
    ((12, 16, 20), (6, 8, 10)),
    ((1, 30, 28), (1, 17, 40)),
    ((5, 24, 1), (2, 31, 3)),
    ((40, 52), (23, 61)),
    ((24, 32), (48, 16)),
    ((2, 2), (5, 1)),
]


def blobs(shape, rng, classes=4):
    smooth = ndimage.gaussian_filter(rng.standard_normal(shape), 1.2)
    return np.digitize(smooth, np.quantile(smooth, np.linspace(0.6, 0.95, classes - 1))).astype(np.uint8)


def last_half(classes, new_shape):
    """The label rule of batchgenerators 0.21, written down plainly."""
    result = np.zeros(new_shape, dtype=np.uint8)
    for label in np.unique(classes):
        indicator = resize((classes == label).astype(float), new_shape, 1, mode="edge", clip=True, anti_aliasing=False)
        result[indicator >= 0.5] = label
    return result


@pytest.mark.parametrize(("shape", "new_shape"), GRIDS)
def test_image_by_the_025_rule(shape, new_shape):
    image = np.random.default_rng(1).standard_normal(shape)
    expected = resize_multichannel_image(image[np.newaxis], new_shape)[0]
    result = resample_image(image.astype(np.float32), new_shape, "batchgenerators-0.25")
    assert np.abs(result - expected).max() < 1e-5


@pytest.mark.parametrize("offset", [-6, 0, 6])
@pytest.mark.parametrize(("shape", "new_shape"), GRIDS)
def test_image_by_the_021_rule(shape, new_shape, offset):
    image = np.random.default_rng(2).standard_normal(shape) + offset
    expected = resize(image, new_shape, 3, "constant", 0, True, anti_aliasing=False)
    assert np.abs(resample_image(image.astype(np.float32), new_shape) - expected).max() < 1e-5


def test_the_rules_differ_at_the_border_only():
    image = np.random.default_rng(3).standard_normal((60, 60)).astype(np.float32)
    difference = np.abs(np.subtract(*(resample_image(image, (40, 40), rule) for rule in RULES)))
    assert difference.max() > 0.05
    assert difference[13:-13, 13:-13].max() < 1e-5


@pytest.mark.parametrize("kind", ["noise", "blobs", "one box"])
@pytest.mark.parametrize(("shape", "new_shape"), GRIDS)
def test_labels_by_both_rules(shape, new_shape, kind):
    rng = np.random.default_rng(4)
    classes = rng.integers(0, 4, shape).astype(np.uint8) if kind == "noise" else blobs(shape, rng)
    if kind == "one box":
        box = tuple(slice(side // 3, max(side // 3 + 1, 2 * side // 3)) for side in shape)
        classes = np.zeros(shape, dtype=np.uint8)
        classes[box] = 2
    half = resample_labels(classes, new_shape, 4, "batchgenerators-0.21")
    np.testing.assert_array_equal(half, last_half(classes, new_shape))
    largest = resample_labels(classes, new_shape, 4, "batchgenerators-0.25")
    np.testing.assert_array_equal(largest, resize_segmentation(classes, new_shape, order=1))


@pytest.mark.parametrize("seed", range(20))
def test_labels_on_random_grids_to_the_last_voxel(seed):
    rng = np.random.default_rng(seed)
    shape, new_shape = (tuple(int(side) for side in rng.integers(2, 24, 3)) for _ in range(2))
    classes = rng.integers(0, 3, shape).astype(np.uint8)
    np.testing.assert_array_equal(resample_labels(classes, new_shape, 3), last_half(classes, new_shape))
    largest = resample_labels(classes, new_shape, 3, "batchgenerators-0.25")
    np.testing.assert_array_equal(largest, resize_segmentation(classes, new_shape, order=1))


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("value", [0, 2])
def test_labels_of_one_class(rule, value):
    classes = np.full((5, 6, 7), value, dtype=np.uint8)
    assert np.all(resample_labels(classes, (9, 4, 3), 3, rule) == value)


@pytest.mark.parametrize("rule", RULES)
def test_a_lone_voxel_can_vanish_and_stay(rule):
    classes = np.zeros((9, 9, 9), dtype=np.uint8)
    classes[4, 4, 4] = 1
    assert resample_labels(classes, (4, 4, 4), 2, rule).sum() == 0
    assert resample_labels(classes, (27, 27, 27), 2, rule).sum() > 0


@pytest.mark.parametrize("rule", RULES)
def test_the_same_shape_changes_nothing(rule):
    rng = np.random.default_rng(5)
    image, classes = rng.standard_normal((4, 5, 6)).astype(np.float32), rng.integers(0, 3, (4, 5, 6)).astype(np.uint8)
    resampled = resample_image(image, (4, 5, 6), rule)
    np.testing.assert_array_equal(resampled, image)
    assert not np.shares_memory(resampled, image)
    assert not np.shares_memory(resample_labels(classes, (4, 5, 6), 3, rule), classes)
    np.testing.assert_array_equal(resample_labels(classes, (4, 5, 6), 3, rule), classes)
    np.testing.assert_array_equal(resize_segmentation(classes, (4, 5, 6), order=1), classes)


@pytest.mark.parametrize("order", ["C", "F"])
def test_memory_order_and_type_of_the_image_do_not_matter(order):
    image = np.random.default_rng(6).integers(-1000, 1000, (7, 20, 18)).astype(np.int16)
    expected = resample_image(image.astype(np.float32), (5, 13, 30))
    np.testing.assert_array_equal(resample_image(np.array(image, order=order), (5, 13, 30)), expected)


def test_a_spline_matrix_reproduces_what_it_should():
    # A mirrored border keeps constants; a border of 0 does so away from it only.
    np.testing.assert_allclose(spline_matrix(50, 23, "batchgenerators-0.25").sum(axis=1), 1, atol=1e-12)
    sums = spline_matrix(80, 40, "batchgenerators-0.21").sum(axis=1)
    np.testing.assert_allclose(sums[10:-10], 1, atol=1e-8)
    # Cubic splines reproduce cubic polynomials between the borders.
    line = (np.arange(80) / 80) ** 3
    middle = ((np.arange(40) + 0.5) * 2 - 0.5) / 80
    np.testing.assert_allclose((spline_matrix(80, 40, "batchgenerators-0.25") @ line)[15:-15], middle[15:-15] ** 3, atol=1e-8)


def test_resampled_shape_floors():
    assert resampled_shape((207, 512, 512), (2.0, 1.5, 1.5), (3.22, 3.28, 3.28)) == (128, 234, 234)
    assert resampled_shape((10, 10), (1.0, 0.999), (1.0, 1.0)) == (10, 9)


def test_resampled_shape_explains_what_is_wrong():
    with pytest.raises(UserError, match="has 2 values, but the image has 3 axes"):
        resampled_shape((5, 5, 5), (1.0, 1.0, 1.0), (2.0, 2.0))
    with pytest.raises(UserError, match=r"5 x 2 x 5 voxels of 1 x 0.5 x 1 mm would have the shape 5 x 0 x 5 at 1 x 3 x 1 mm"):
        resampled_shape((5, 2, 5), (1.0, 0.5, 1.0), (1.0, 3.0, 1.0))
    with pytest.raises(UserError, match="above 0"):
        resampled_shape((5, 5), (1.0, 0.0), (1.0, 1.0))


def test_wrong_arrays_are_refused():
    with pytest.raises(ValueError, match="two or three axes"):
        resample_image(np.zeros((2, 2, 2, 2), dtype=np.float32), (2, 2, 2, 2))
    with pytest.raises(ValueError, match="below 2"):
        resample_labels(np.full((4, 4), 2, dtype=np.uint8), (2, 2), 2)
    with pytest.raises(ValueError, match="uint8"):
        resample_labels(np.zeros((4, 4)), (2, 2), 2)
