"""Clipping and z-score, and the order of the steps."""

import numpy as np
import pytest
from scipy import ndimage

from workflow_lib.base.errors import UserError
from workflow_lib.images.cases import LabelMap
from workflow_lib.preprocessing.normalise import clipped, mean_and_std, measure
from workflow_lib.preprocessing.pipeline import preprocess, restore_labels
from workflow_lib.preprocessing.resample import resample_image, resample_labels
from workflow_lib.study.sections.preprocessing import Preprocessing

LABELS = LabelMap(("background", "kidney", "tumour"), ((0,), (1,), (2, 4)))


def ct(shape=(6, 9, 8), dtype=np.int16):
    return (np.random.default_rng(0).normal(50, 300, shape)).astype(dtype)


@pytest.mark.parametrize("dtype", [np.int16, np.float32, np.float64])
@pytest.mark.parametrize("clip", [None, (-79.0, 304.0), (-79.5, 304.25)])
def test_z_score_is_miscnns(dtype, clip):
    image = ct(dtype=dtype)
    values = image.astype(np.float64) if clip is None else np.clip(image.astype(np.float64), *clip)
    expected = (values - np.mean(values) + 1e-6) / (np.std(values) + 1e-6)
    result = measure(image, clip, "z-score").apply(image)
    assert result.dtype == np.float32
    np.testing.assert_allclose(result, expected, atol=1e-6)


def test_mean_and_deviation_do_not_cancel():
    values = np.random.default_rng(1).normal(1e6, 1.0, (40, 1000))
    mean, std = mean_and_std(iter(values))
    assert mean == pytest.approx(values.mean(), rel=1e-14)
    assert std == pytest.approx(values.std(), rel=1e-9)


def test_a_constant_image_stays_finite():
    image = np.full((3, 4), 7.0)
    np.testing.assert_allclose(measure(image, None, "z-score").apply(image), 1.0, rtol=1e-5)


def test_a_mean_far_above_the_deviation_keeps_its_digits():
    image = np.random.default_rng(5).normal(0, 1, (20, 30)).round(2).astype(np.float32) + np.float32(4000)
    values = image.astype(np.float64)
    expected = (values - values.mean() + 1e-6) / (values.std() + 1e-6)
    np.testing.assert_allclose(measure(image, None, "z-score").apply(image), expected, atol=1e-6)


def test_clipping_beyond_the_range_of_the_type():
    image = np.array([0, 100, 255], dtype=np.uint8)
    np.testing.assert_array_equal(clipped(image, (-79.0, 304.0)), image)
    np.testing.assert_array_equal(clipped(image, (10.0, 304.0)), [10, 100, 255])
    np.testing.assert_array_equal(clipped(image, (300.0, 304.0)), [300, 300, 300])
    np.testing.assert_array_equal(clipped(image, (0.5, 99.5)), [0.5, 99.5, 99.5])


def test_no_clipping_no_normalisation_no_spacing_leaves_the_case():
    image, mask = ct()[..., np.newaxis], np.random.default_rng(2).integers(0, 3, (6, 9, 8)).astype(np.uint16)
    result, classes = preprocess(image, mask, (1.0, 1.0, 1.0), Preprocessing(normalise="none"), LABELS)
    np.testing.assert_array_equal(result, image)
    np.testing.assert_array_equal(classes, mask)
    assert (str(result.dtype), str(classes.dtype)) == ("float32", "uint8")


@pytest.mark.parametrize("rule", ["batchgenerators-0.21", "batchgenerators-0.25"])
def test_steps_come_in_order_and_the_mask_is_mapped(rule):
    settings = Preprocessing(clip=(-79.0, 304.0), spacing=(2.0, 1.5, 1.0), resampling=rule)
    image, mask = ct(), np.random.default_rng(3).choice([0, 1, 4], (6, 9, 8)).astype(np.float32)
    result, classes = preprocess(image[..., np.newaxis], mask, (3.0, 1.0, 1.0), settings, LABELS)
    values = np.clip(image.astype(np.float64), -79, 304)
    normalised = ((values - values.mean() + 1e-6) / (values.std() + 1e-6)).astype(np.float32)
    assert result.shape == (9, 6, 8, 1)
    np.testing.assert_allclose(result[..., 0], resample_image(normalised, (9, 6, 8), rule), atol=1e-5)
    indices = np.searchsorted([0, 1, 4], mask).astype(np.uint8)
    np.testing.assert_array_equal(classes, resample_labels(indices, (9, 6, 8), 3, rule))
    assert restore_labels(classes, image.shape, settings, 3).shape == image.shape


def test_channels_share_one_mean_and_deviation():
    image = np.stack([ct(), ct() * 2 + 500], axis=-1).astype(np.float32)
    result, _ = preprocess(image, None, (1.0, 1.0, 1.0), Preprocessing(), LABELS)
    assert result.mean() == pytest.approx(0, abs=1e-5)
    assert result.std() == pytest.approx(1, abs=1e-5)
    assert abs(result[..., 0].mean()) > 0.1


def test_each_channel_by_its_own_mean_and_deviation():
    image = np.stack([ct(), ct() * 2 + 500], axis=-1).astype(np.float32)
    result, _ = preprocess(image, None, (1.0, 1.0, 1.0), Preprocessing(normalise="z-score-channel", clip=(-100, 800)), LABELS)
    for channel in (0, 1):
        alone, _ = preprocess(image[..., channel : channel + 1], None, (1.0, 1.0, 1.0), Preprocessing(clip=(-100, 800)), LABELS)
        np.testing.assert_array_equal(result[..., channel], alone[..., 0])


def test_resizing_and_the_way_back():
    image = np.random.default_rng(4).integers(0, 256, (58, 56, 3)).astype(np.uint8)
    mask = np.zeros((58, 56), np.uint8)
    mask[10:30, 20:50] = 1
    settings = Preprocessing(size=(32, 48))
    result, classes = preprocess(image, mask, (1.0, 1.0), settings, LABELS)
    assert (result.shape, classes.shape) == ((32, 48, 3), (32, 48))
    back = restore_labels(classes, mask.shape, settings, 3)
    assert back.shape == mask.shape
    # Two interpolations move a border by less than a pixel of the coarser grid.
    border = ndimage.binary_dilation(mask, iterations=2) & ~ndimage.binary_erosion(mask, iterations=2)
    assert not np.any((back != mask) & ~border)
    with pytest.raises(UserError, match="size has 2 axes, and the image 3"):
        preprocess(ct()[..., np.newaxis], None, (1.0, 1.0, 1.0), settings, LABELS)


def test_two_axes_and_three_channels():
    image = np.random.default_rng(4).integers(0, 256, (20, 30, 3)).astype(np.uint8)
    mask = (image[..., 0] > 128).astype(np.uint8)
    result, classes = preprocess(image, mask, (1.0, 1.0), Preprocessing(spacing=(2.0, 2.0)), LABELS)
    assert result.shape == (10, 15, 3)
    assert classes.shape == (10, 15)


def test_faults_of_a_case_are_told():
    image = ct()[..., np.newaxis]
    with pytest.raises(UserError, match=r"\(6, 9, 8\) voxels, its mask \(6, 9, 7\)"):
        preprocess(image, np.zeros((6, 9, 7)), (1.0, 1.0, 1.0), Preprocessing(), LABELS)
    with pytest.raises(UserError, match=r"outside the declared set: 3 \(432 voxels\)"):
        preprocess(image, np.full((6, 9, 8), 3), (1.0, 1.0, 1.0), Preprocessing(), LABELS)
    with pytest.raises(UserError, match=r"Choose a smaller preprocessing.spacing"):
        preprocess(image, None, (1.0, 1.0, 1.0), Preprocessing(spacing=(50.0, 1.0, 1.0)), LABELS)
