"""Contrast, brightness, gamma and noise against batchgenerators at the same parameters."""

import random

import numpy as np
import pytest
from batchgenerators.augmentations.color_augmentations import augment_brightness_multiplicative, augment_contrast, augment_gamma
from batchgenerators.augmentations.noise_augmentations import augment_gaussian_noise

from tests.unit.augmentation_support import smooth_case
from workflow_lib.augmentation.intensity import brightness, change_intensity, contrast, gamma, noise
from workflow_lib.augmentation.parameters import draw
from workflow_lib.augmentation.patches import distributions
from workflow_lib.study.sections.augmentation import Augmentation

SHAPE = (24, 40, 36)


def reference_gamma(image: np.ndarray, exponent: float, monkeypatch: pytest.MonkeyPatch) -> np.ndarray:
    """batchgenerators' gamma with its draw replaced by `exponent`."""
    with monkeypatch.context() as patch:
        patch.setattr(np.random, "uniform", lambda low, high: exponent)
        result: np.ndarray = augment_gamma(image[None].copy(), (0.7, 1.5), per_channel=True, retain_stats=True)[0]
    return result


def reference_contrast(image: np.ndarray, factor: float) -> np.ndarray:
    result: np.ndarray = augment_contrast(image[None].copy(), lambda: factor)[0]
    return result


@pytest.mark.parametrize("factor", [0.3, 0.8, 1.4, 3.0])
def test_contrast(factor):
    case = smooth_case(SHAPE)
    image = case.image[..., 0]
    ours = contrast(image, factor, distributions(case)[0])
    assert ours.dtype == np.float32
    np.testing.assert_allclose(ours, reference_contrast(image, factor), rtol=0, atol=2e-6)


def test_brightness():
    image = smooth_case(SHAPE).image[..., 0]
    theirs = augment_brightness_multiplicative(image[None].copy(), (1.7, 1.7))[0]
    np.testing.assert_allclose(brightness(image, 1.7), theirs, rtol=1e-6)


@pytest.mark.parametrize("exponent", [0.7, 0.95, 1.5])
def test_gamma(exponent, monkeypatch):
    case = smooth_case(SHAPE)
    image = case.image[..., 0]
    ours = gamma(image, exponent, distributions(case)[0])
    assert ours.dtype == np.float32
    # Statistics from 4096 bins, not from the voxels.
    np.testing.assert_allclose(ours, reference_gamma(image, exponent, monkeypatch), rtol=0, atol=2e-4)


@pytest.mark.parametrize(
    ("factor", "multiplier", "exponent"), [(3.0, 0.5, 0.7), (0.4, 1.9, 1.4), (2.1, None, 0.8), (None, 0.6, 1.2), (2.5, 1.5, None)]
)
def test_the_statistics_of_the_whole_volume_go_along(factor, multiplier, exponent, monkeypatch):
    case = smooth_case(SHAPE)
    theirs = case.image[..., 0]
    if factor is not None:
        theirs = reference_contrast(theirs, factor)
    if multiplier is not None:
        theirs = theirs * np.float32(multiplier)
    if exponent is not None:
        theirs = reference_gamma(theirs, exponent, monkeypatch)
    block = (slice(2, 9), slice(5, 30), slice(0, 11))
    ours = change_intensity(case.image[block][..., 0], distributions(case)[0], factor, multiplier, exponent)
    np.testing.assert_allclose(ours, theirs[block], rtol=0, atol=5e-4)


def test_a_volume_of_one_value_stays_finite():
    case = smooth_case(SHAPE)
    flat = np.full((4, 4, 4), 2.0, dtype=np.float32)
    volume = distributions(case)[0].mapped(lambda values: np.full_like(values, 2.0))
    np.testing.assert_allclose(change_intensity(flat, volume, 1.7, 1.0, 0.8), 2.0, rtol=1e-5)


def test_noise_has_the_distribution_of_batchgenerators():
    zeros = np.zeros((2, 50, 60, 40), dtype=np.float32)
    theirs = augment_gaussian_noise(zeros.copy(), (0.04, 0.04))
    ours = noise(zeros, 0.04, np.random.default_rng(1))
    assert ours.dtype == np.float32
    for values in (ours, theirs):
        assert abs(values.mean()) < 5 * 0.04 / np.sqrt(values.size)
        assert values.std() == pytest.approx(0.04, rel=0.01)
    assert abs(np.corrcoef(ours[0].ravel(), ours[1].ravel())[0, 1]) < 0.02
    np.testing.assert_array_equal(noise(zeros, 0.04, np.random.default_rng(1)), ours)


def test_draws_have_the_probabilities_and_ranges_of_the_settings():
    settings = Augmentation(scaling=(0.85, 1.25))
    rng = np.random.default_rng(3)
    draws = [draw(settings, rng, (50, 60, 70), (16, 16, 16), 2) for _ in range(4000)]
    kinds = ("contrast", "brightness", "gamma", "noise", "elastic", "angles", "scale")
    for kind in kinds:
        applied = [getattr(parameters, kind) for parameters in draws if getattr(parameters, kind) is not None]
        # 5 standard deviations of a binomial share
        assert len(applied) / 4000 == pytest.approx(0.15, abs=5 * np.sqrt(0.15 * 0.85 / 4000)), kind
    for kind, low, high, below in (("contrast", 0.3, 3.0, 1 / 2), ("brightness", 0.5, 2.0, 1 / 3), ("gamma", 0.7, 1.5, 1 / 2)):
        values = np.array([getattr(parameters, kind) for parameters in draws if getattr(parameters, kind) is not None])
        assert values.shape[1] == 2, "one factor a channel"
        assert low <= values.min() < low + 0.1 * (high - low) < high - 0.1 * (high - low) < values.max() <= high
        assert (values < 1).mean() == pytest.approx(below, abs=0.08), kind
    angles = np.degrees([parameters.angles for parameters in draws if parameters.angles is not None])
    assert -15 <= angles.min() < -13
    assert 13 < angles.max() <= 15
    elastic = np.array([parameters.elastic for parameters in draws if parameters.elastic is not None])
    assert elastic[:, 0].min() >= 0
    assert 800 < elastic[:, 0].max() <= 900
    assert 9 <= elastic[:, 1].min() < 9.5
    assert 12.5 < elastic[:, 1].max() <= 13
    scales = np.array([parameters.scale for parameters in draws if parameters.scale is not None])
    assert 0.85 <= scales.min() < scales.max() <= 1.25
    assert (scales < 1).mean() == pytest.approx(0.5, abs=0.1)
    noise_std = np.array([parameters.noise for parameters in draws if parameters.noise is not None])
    assert 0 <= noise_std.min() < 0.005 < 0.045 < noise_std.max() <= 0.05
    mirrored = np.array([parameters.mirrored for parameters in draws])
    np.testing.assert_allclose(mirrored.mean(axis=0), 0.5, atol=5 * np.sqrt(0.25 / 4000))


def test_contrast_factors_are_distributed_as_in_batchgenerators():
    # With (x - 0) * factor and no clipping on [-1, 1] * 0.1, the factor can be read from batchgenerators' result.
    np.random.seed(5)
    random.seed(5)
    image = np.array([[[-1.0, 0.0, 1.0]]])
    theirs = [augment_contrast(image.copy(), (0.3, 3.0), preserve_range=False)[0, 0, 2] for _ in range(3000)]
    settings = Augmentation(probability=1)
    rng = np.random.default_rng(6)
    drawn = (draw(settings, rng, (9, 9), (4, 4), 1).contrast for _ in range(3000))
    ours = [factors[0] for factors in drawn if factors is not None]
    quantiles = np.linspace(0.05, 0.95, 19)
    np.testing.assert_allclose(np.quantile(ours, quantiles), np.quantile(theirs, quantiles), atol=0.12)


def test_everything_off_draws_nothing_but_the_place():
    settings = Augmentation(
        mirror=False, contrast=None, brightness=None, gamma=None, noise=None, elastic_alpha=None, rotation=None, scaling=None
    )
    parameters = draw(settings, np.random.default_rng(0), (20, 20), (8, 8), 3)
    assert not parameters.spatial
    assert parameters.mirrored == (False, False)
    assert parameters.centre == ()
    assert all(0 <= start < 12 for start in parameters.start)
