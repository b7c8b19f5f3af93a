"""Rotation, scaling, elastic deformation and cropping against batchgenerators at the same parameters."""

import numpy as np
import pytest
from batchgenerators.augmentations import spatial_transformations
from batchgenerators.augmentations.crop_and_pad_augmentations import get_lbs_for_random_crop
from batchgenerators.augmentations.spatial_transformations import augment_spatial
from batchgenerators.augmentations.utils import (
    create_zero_centered_coordinate_mesh,
    elastic_deform_coordinates,
    rotate_coords_2d,
    rotate_coords_3d,
    scale_coords,
)
from scipy import ndimage

from tests.unit.augmentation_support import MemoryCase, smooth_case
from workflow_lib.augmentation import patches
from workflow_lib.augmentation.elastic import elastic_displacement, smoothing_matrix
from workflow_lib.augmentation.parameters import Parameters, draw_centre, draw_start
from workflow_lib.augmentation.patches import apply
from workflow_lib.augmentation.spatial import OUTSIDE, read_window, rotation_matrix, spline_coefficients


def reference_coordinates(patch, angles, scale, centre, displacement):
    """batchgenerators' coordinates of `augment_spatial`: deform, rotate, scale, move."""
    coordinates = create_zero_centered_coordinate_mesh(patch)
    if displacement is not None:
        coordinates = coordinates + displacement
    if angles is not None:
        coordinates = rotate_coords_3d(coordinates, *angles) if len(patch) == 3 else rotate_coords_2d(coordinates, *angles)
    if scale is not None:
        coordinates = scale_coords(coordinates, scale)
    return coordinates + np.reshape(centre, (-1, *(1,) * len(patch)))


def reference_patch(case, mirrored, coordinates):
    """The whole mirrored volume read with batchgenerators' interpolation: order 3 for the image, 0 for each one-hot channel."""
    axes = tuple(axis for axis, turn in enumerate(mirrored) if turn)
    image, classes = np.flip(case.image, axes), np.flip(case.classes, axes)
    interpolate = spatial_transformations.interpolate_img
    warped = [interpolate(image[..., c], coordinates, 3, "constant", cval=0) for c in range(image.shape[-1])]
    one_hot = [interpolate((classes == c).astype(np.float32), coordinates, 0, "constant", cval=0, is_seg=True) for c in range(3)]
    return np.stack(warped, axis=-1), np.stack(one_hot, axis=-1)


@pytest.mark.parametrize("shape", [(1, 7), (2, 3), (40, 50), (3, 1, 2), (20, 33, 27), (60, 2, 9)])
def test_spline_coefficients_equal_scipys(shape):
    image = np.random.default_rng(1).normal(3, 50, (*shape, 2)).astype(np.float32)
    before = image.copy()
    ours = spline_coefficients(image)
    theirs = [ndimage.spline_filter(image[..., channel].astype(np.float64), 3, mode="mirror") for channel in range(2)]
    # Of an axis of one voxel scipy too leaves the values as they are.
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=2e-4)
    np.testing.assert_array_equal(image, before)
    assert ours.dtype == np.float32


WARPS = [
    # volume, patch, angles, scale, centre, elastic: in the middle of a larger volume, so that only a block is read
    ((60, 72, 66), (16, 20, 18), (0.2, -0.1, 0.25), None, (29.7, 35.2, 30.9), False),
    ((60, 72, 66), (16, 20, 18), (0.2, -0.1, 0.25), 1.2, (29.7, 35.2, 30.9), True),
    ((60, 72, 66), (16, 20, 18), None, 0.85, (8.0, 62.0, 57.5), True),
    ((60, 72, 66), (16, 20, 18), None, None, (30.1, 35.2, 9.3), True),
    # at a corner, and smaller than the patch
    ((60, 72, 66), (16, 20, 18), (0.2, 0.2, 0.2), 1.25, (8.1, 10.2, 56.8), True),
    ((10, 72, 40), (16, 20, 48), (0.1, 0.2, -0.2), None, (4.1, 30.2, 21.8), False),
    ((70, 90), (24, 32), (0.25,), 1.1, (40.2, 31.7), True),
    ((20, 90), (24, 32), (-0.25,), None, (9.2, 31.7), False),
]


@pytest.mark.parametrize("mirrored", [False, True])
@pytest.mark.parametrize(("shape", "patch", "angles", "scale", "centre", "elastic"), WARPS)
def test_warp_of_a_block_equals_the_warp_of_the_whole_volume(monkeypatch, shape, patch, angles, scale, centre, elastic, mirrored):
    case = smooth_case(shape, channels=2)
    displacement = elastic_displacement(patch, 900.0, 9.0, np.random.default_rng(4)) * 3 if elastic else None
    monkeypatch.setattr(patches, "elastic_displacement", lambda *arguments: displacement)
    flips = (mirrored, not mirrored, mirrored)[: len(patch)]
    parameters = Parameters(flips, elastic=(900.0, 9.0) if elastic else None, angles=angles, scale=scale, centre=centre)
    image, classes = apply(case, patch, parameters, np.random.default_rng(0))
    coordinates = reference_coordinates(patch, angles, scale, centre, displacement)
    theirs, one_hot = reference_patch(case, flips, coordinates)
    assert image.dtype == np.float32
    assert classes.dtype == np.uint8
    assert np.ptp(image) > 0.5, "the comparison needs something to see"
    np.testing.assert_allclose(image, theirs, rtol=0, atol=5e-6)
    ours = np.stack([classes == c for c in range(3)], axis=-1)
    # float32 displacements may round a coordinate over the middle between two voxels.
    assert np.mean(ours.any(axis=-1) != one_hot.astype(bool).any(axis=-1)) < 1e-3
    assert np.mean((ours != one_hot.astype(bool)).any(axis=-1)) < 1e-3
    np.testing.assert_array_equal(classes[one_hot.sum(axis=-1) == 0], OUTSIDE)


def test_outside_the_volume_is_zero_and_without_class():
    case = smooth_case((10, 40, 40))
    parameters = Parameters((False,) * 3, angles=(0.1, 0.0, 0.0), centre=(5.0, 20.0, 20.0))
    image, classes = apply(case, (24, 16, 16), parameters, np.random.default_rng(0))
    outside = classes == OUTSIDE
    assert 0.4 < outside.mean() < 0.8
    np.testing.assert_array_equal(image[outside], 0)
    assert np.count_nonzero(image[~outside]) > 0.99 * np.count_nonzero(~outside)


def test_a_warp_reads_a_block_and_not_the_volume():
    first, last = read_window((16, 16, 16), (300, 300, 300), rotation_matrix((0.1, 0.1, 0.1)), (150.0, 150.0, 8.0))
    assert all(120 < low < high < 180 for low, high in zip(first[:2], last[:2], strict=True))
    assert first[2] == 0
    assert last[2] < 45


def test_a_patch_beyond_the_volume_is_outside():
    case = smooth_case((12, 12, 12))
    for centre in ((60.0, 6.0, 6.0), (-60.0, 6.0, 6.0)):
        parameters = Parameters((False,) * 3, scale=0.9, centre=centre)
        image, classes = apply(case, (8, 8, 8), parameters, np.random.default_rng(0))
        assert not image.any()
        assert (classes == OUTSIDE).all()


def test_image_and_classes_move_alike():
    # An image that holds its own classes: interpolated inside a class it must show that class.
    blocks = np.kron(np.random.default_rng(2).integers(0, 3, (8, 8, 8)), np.ones((8, 8, 8)))
    case = MemoryCase("blocks", blocks[..., None].astype(np.float32), blocks.astype(np.uint8), {})
    parameters = Parameters(
        (True, False, True), elastic=(900.0, 9.0), angles=(0.2, 0.2, 0.2), scale=1.1, centre=(31.0, 33.0, 30.0)
    )
    image, classes = apply(case, (24, 24, 24), parameters, np.random.default_rng(1))
    inside = ndimage.maximum_filter(classes, 5) == ndimage.minimum_filter(classes, 5)
    assert inside.mean() > 0.05
    assert len(np.unique(classes[inside])) == 3
    np.testing.assert_allclose(image[inside, 0], classes[inside], atol=0.25)


@pytest.mark.parametrize(("size", "sigma"), [(80, 9.0), (80, 13.0), (160, 9.0), (160, 13.0), (40, 2.5), (12, 0.4)])
def test_elastic_covariance_equals_that_of_the_filter_on_white_noise(size, sigma):
    theirs = ndimage.gaussian_filter1d(np.eye(size), sigma, axis=0, mode="constant", cval=0)
    theory = theirs @ theirs.T
    ours = smoothing_matrix(size, sigma).astype(np.float64)
    np.testing.assert_allclose(ours @ ours.T, theory, rtol=0, atol=4e-3 * theory.max())
    assert abs(np.trace(ours @ ours.T) / np.trace(theory) - 1) < 2e-3


def test_elastic_fields_spread_as_in_batchgenerators():
    patch, sigma = (20, 28), 3.0
    rng = np.random.default_rng(8)
    np.random.seed(8)
    ours = np.stack([elastic_displacement(patch, 100.0, sigma, rng) for _ in range(400)])
    mesh = np.zeros((2, *patch))
    theirs = np.stack([elastic_deform_coordinates(mesh, 100.0, sigma) for _ in range(400)])
    assert ours.dtype == np.float32
    assert ours.shape == theirs.shape
    # By place: in the middle, at an edge, at a corner.
    for place in [(10, 14), (0, 14), (0, 0)]:
        assert ours[:, :, *place].std() == pytest.approx(theirs[:, :, *place].std(), rel=0.12), place
    assert ours.std() == pytest.approx(theirs.std(), rel=0.03)
    components = ours.transpose(1, 0, 2, 3).reshape(2, -1)
    assert abs(np.corrcoef(components)[0, 1]) < 0.05, "the axes are independent"
    kurtosis = np.mean((ours[:, :, 10, 14] / ours[:, :, 10, 14].std()) ** 4)
    assert kurtosis == pytest.approx(3, abs=0.6)


def test_elastic_magnitude_of_the_default_settings():
    rng = np.random.default_rng(0)
    middle = np.array([elastic_displacement((64, 64, 64), 900.0, 9.0, rng)[:, 32, 32, 32] for _ in range(100)])
    # (1 / sqrt 3) (2 sqrt(pi) sigma)^(-3/2) alpha, far from the borders: 2.9 voxels
    theory = 900 / np.sqrt(3) * (2 * np.sqrt(np.pi) * 9.0) ** -1.5
    assert middle.std() == pytest.approx(theory, rel=0.2)


@pytest.mark.parametrize(("size", "side"), [(60, 16), (17, 16), (16, 16), (11, 16), (10, 17)])
def test_starts_of_plain_crops_are_drawn_from_batchgenerators_positions(size, side):
    theirs = {get_lbs_for_random_crop([side], (1, 1, size), [0])[0] for _ in range(1500)}
    rng = np.random.default_rng(0)
    ours = {draw_start(rng, (size,), (side,))[0] for _ in range(1500)}
    assert ours == theirs


@pytest.mark.parametrize(("size", "side"), [(60, 16), (11, 16)])
def test_centres_lie_half_a_patch_from_the_borders(size, side):
    rng = np.random.default_rng(0)
    centres = np.array([draw_centre(rng, (size,), (side,))[0] for _ in range(1000)])
    low, high = sorted((side // 2, size - side // 2))
    assert low <= centres.min() < low + 0.1 * (high - low)
    assert high - 0.1 * (high - low) < centres.max() <= high


def test_whole_spatial_transform_equals_batchgenerators(monkeypatch):
    """The same draws, given to batchgenerators' own function in the place of its generator."""
    case = smooth_case((30, 34, 38))
    patch = (16, 16, 16)
    angles, scale, centre = (0.11, -0.2, 0.07), 1.17, (14.2, 17.3, 20.4)
    # Rotation chosen, per axis three times (with probability 1), scaling chosen; the factor's half; the angles, factor, centre.
    uniform = iter([0.0, 0.0, angles[0], 0.0, angles[1], 0.0, angles[2], 0.0, scale, *centre])
    monkeypatch.setattr(np.random, "uniform", lambda *limits: next(uniform))
    monkeypatch.setattr(np.random, "random", lambda: 0.9)
    one_hot = np.stack([case.classes == c for c in range(3)]).astype(np.float32)
    theirs, labels = augment_spatial(
        np.moveaxis(case.image, -1, 0)[None],
        one_hot[None],
        patch,
        [8, 8, 8],
        do_elastic_deform=False,
        border_mode_data="constant",
        p_rot_per_sample=0.15,
        p_scale_per_sample=0.15,
    )
    parameters = Parameters((False,) * 3, angles=angles, scale=scale, centre=centre)
    image, classes = apply(case, patch, parameters, np.random.default_rng(0))
    np.testing.assert_allclose(image[..., 0], theirs[0, 0], rtol=0, atol=5e-6)
    np.testing.assert_array_equal(np.stack([classes == c for c in range(3)]), labels[0].astype(bool))
