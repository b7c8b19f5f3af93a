"""Whole patches: crops, mirroring, padding, and the intensity of a block against that of the whole volume."""

import numpy as np
import pytest
from batchgenerators.augmentations.color_augmentations import augment_contrast
from batchgenerators.augmentations.crop_and_pad_augmentations import random_crop

from tests.unit.augmentation_support import MemoryCase, smooth_case
from workflow_lib.augmentation import OUTSIDE, augmented_patch, plain_patch
from workflow_lib.augmentation.parameters import Parameters
from workflow_lib.augmentation.patches import apply
from workflow_lib.base.errors import UserError
from workflow_lib.study.sections.augmentation import Augmentation

ALWAYS = Augmentation(probability=1.0, scaling=(0.85, 1.25))
CROPS = [
    ((20, 24, 30), (8, 10, 12)),
    ((5, 24, 30), (8, 10, 12)),
    ((5, 7, 11), (8, 10, 12)),
    ((8, 10, 12), (8, 10, 12)),
    ((20, 24), (8, 10)),
    ((5, 24), (8, 10)),
]


@pytest.mark.parametrize(("shape", "patch"), CROPS)
def test_plain_patch_equals_the_random_crop_of_batchgenerators(monkeypatch, shape, patch):
    case = smooth_case(shape, channels=2)
    one_hot = np.stack([case.classes == c for c in range(3)]).astype(np.float32)
    drawn = [size - side - 1 if size > side else None for size, side in zip(shape, patch, strict=True)]
    starts = iter([start for start in drawn if start is not None])
    monkeypatch.setattr(np.random, "randint", lambda low, high: next(starts))
    theirs, labels = random_crop(np.moveaxis(case.image, -1, 0)[None], one_hot[None], patch, [0] * len(shape))
    start = tuple(
        first if first is not None else (size - side) // 2 for first, size, side in zip(drawn, shape, patch, strict=True)
    )
    image, classes = apply(case, patch, Parameters((False,) * len(shape), start=start), np.random.default_rng(0))
    assert image.dtype == np.float32
    assert classes.dtype == np.uint8
    np.testing.assert_array_equal(np.moveaxis(image, -1, 0), theirs[0])
    np.testing.assert_array_equal(np.stack([classes == c for c in range(3)]), labels[0].astype(bool))
    np.testing.assert_array_equal(classes == OUTSIDE, labels[0].sum(axis=0) == 0)
    assert (classes == OUTSIDE).any() == any(size < side for size, side in zip(shape, patch, strict=True))


@pytest.mark.parametrize(("shape", "patch"), CROPS)
def test_plain_patches_differ_by_draw_and_not_by_call(shape, patch):
    case = smooth_case(shape)
    first, again, other = (plain_patch(case, patch, np.random.default_rng(seed)) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first[0], again[0])
    np.testing.assert_array_equal(first[1], again[1])
    fixed = all(size <= side for size, side in zip(shape, patch, strict=True))
    assert np.array_equal(first[0], other[0]) == fixed


@pytest.mark.parametrize("mirrored", [(True, False, False), (False, True, True), (True, True, True)])
def test_mirroring_turns_the_volume_before_the_crop(mirrored):
    case = smooth_case((20, 24, 30))
    axes = tuple(axis for axis, turn in enumerate(mirrored) if turn)
    window = (slice(3, 11), slice(9, 19), slice(17, 29))
    image, classes = apply(case, (8, 10, 12), Parameters(mirrored, start=(3, 9, 17)), np.random.default_rng(0))
    np.testing.assert_array_equal(image, np.flip(case.image, axes)[window])
    np.testing.assert_array_equal(classes, np.flip(case.classes, axes)[window])


def test_intensity_of_a_crop_is_that_of_the_whole_volume():
    case = smooth_case((20, 24, 30), channels=2)
    factors = iter([2.5, 0.4])
    theirs = augment_contrast(np.moveaxis(case.image, -1, 0).copy(), lambda: next(factors))
    parameters = Parameters((False,) * 3, contrast=(2.5, 0.4), brightness=(0.7, 1.4), start=(1, 2, 3))
    image, _ = apply(case, (8, 10, 12), parameters, np.random.default_rng(0))
    expected = np.moveaxis(theirs * np.array([0.7, 1.4]).reshape(2, 1, 1, 1), 0, -1)[1:9, 2:12, 3:15]
    np.testing.assert_allclose(image, expected, rtol=0, atol=3e-6)


def test_noise_is_on_the_volume_and_not_around_it():
    case = smooth_case((5, 24, 30))
    parameters = Parameters((False,) * 3, noise=0.05, start=(-2, 3, 3))
    image, classes = apply(case, (8, 10, 12), parameters, np.random.default_rng(0))
    np.testing.assert_array_equal(image[classes == OUTSIDE], 0)
    difference = image[2:-1] - case.image[:, 3:13, 3:15]
    assert difference.std() == pytest.approx(0.05, rel=0.15)


@pytest.mark.parametrize(("shape", "patch"), CROPS)
def test_augmented_patches_are_functions_of_the_generator(shape, patch):
    case = smooth_case(shape, channels=2)
    case.image.setflags(write=False)
    case.classes.setflags(write=False)
    for seed in range(5):
        image, classes = augmented_patch(case, patch, ALWAYS, np.random.default_rng(seed))
        assert image.shape == (*patch, 2)
        assert classes.shape == patch
        assert np.isfinite(image).all()
        assert set(np.unique(classes)) <= {0, 1, 2, OUTSIDE}
        again, classes_again = augmented_patch(case, patch, ALWAYS, np.random.default_rng(seed))
        np.testing.assert_array_equal(again, image)
        np.testing.assert_array_equal(classes_again, classes)
        assert not np.array_equal(augmented_patch(case, patch, ALWAYS, np.random.default_rng(seed + 99))[0], image)


def test_no_draw_comes_from_a_global_generator(monkeypatch):
    def refuse(*arguments: object, **keywords: object) -> None:
        raise AssertionError("a global generator was asked")

    for name in ("random", "uniform", "normal", "randint", "standard_normal", "permutation"):
        monkeypatch.setattr(np.random, name, refuse)
    rng = np.random.default_rng(0)
    augmented_patch(smooth_case((20, 24, 30)), (8, 10, 12), ALWAYS, rng)


def test_memory_mapped_cases_are_read_and_left_as_they_are(tmp_path):
    case = smooth_case((20, 24, 30))
    np.save(tmp_path / "image.npy", case.image)
    np.save(tmp_path / "classes.npy", case.classes)
    before = (tmp_path / "image.npy").read_bytes()
    mapped = MemoryCase(
        "mapped", np.load(tmp_path / "image.npy", mmap_mode="r"), np.load(tmp_path / "classes.npy", mmap_mode="r"), case.histogram
    )
    image, classes = augmented_patch(mapped, (8, 10, 12), ALWAYS, np.random.default_rng(3))
    expected, expected_classes = augmented_patch(case, (8, 10, 12), ALWAYS, np.random.default_rng(3))
    np.testing.assert_array_equal(image, expected)
    np.testing.assert_array_equal(classes, expected_classes)
    assert type(image) is np.ndarray
    image[:] = 0
    assert (tmp_path / "image.npy").read_bytes() == before


def test_a_patch_with_other_axes_than_the_case_is_told():
    with pytest.raises(UserError, match=r"Case flat has 2 axes \(20, 24\), but training.patch has 3"):
        augmented_patch(smooth_case((20, 24), name="flat"), (8, 8, 8), ALWAYS, np.random.default_rng(0))
