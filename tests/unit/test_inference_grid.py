"""The grid of patches against MIScnn's own slicing, padding and joining."""

import importlib
import itertools
import sys
import types

import numpy as np
import pytest

from workflow_lib.inference.grid import (
    Blender,
    axis_weights,
    cut_patch,
    grid_starts,
    inside_patch,
    pad_to_patch,
    patch_starts,
)


@pytest.fixture(scope="module")
def miscnn_patches():
    """MIScnn's patch operations. `tensorflow_addons`, which its package imports and nobody can install, stands empty."""
    sys.modules.setdefault("tensorflow_addons", types.ModuleType("tensorflow_addons"))
    return importlib.import_module("miscnn.utils.patch_operations")


CASES = [
    ((20, 33, 41), (8, 16, 16), (0, 0, 0)),
    ((20, 33, 41), (8, 16, 16), (4, 8, 8)),
    ((19, 30, 25), (8, 12, 10), (5, 7, 9)),
    ((16, 16, 16), (8, 16, 8), (2, 3, 7)),
    ((5, 30, 9), (8, 16, 16), (4, 8, 8)),
    ((5, 7, 9), (8, 16, 10), (4, 8, 5)),
    ((3, 17, 16), (8, 16, 16), (4, 0, 8)),
    ((1, 9, 1), (4, 4, 4), (1, 2, 3)),
    ((33, 41), (16, 16), (0, 0)),
    ((33, 41), (16, 16), (8, 5)),
    ((11, 41), (16, 16), (8, 15)),
]


@pytest.mark.parametrize(("shape", "patch", "overlap"), CASES)
def test_patches_equal_miscnn(miscnn_patches, shape, patch, overlap):
    image = np.random.default_rng(1).standard_normal((*shape, 2)).astype(np.float32)
    theirs = np.stack(miscnn_patches.slice_matrix(image, patch, overlap, len(shape) == 3))
    theirs = miscnn_patches.pad_patch(theirs, patch, return_slicer=False)
    ours = np.stack([cut_patch(image, start, patch) for start in grid_starts(shape, patch, overlap)])
    np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize(("shape", "patch", "overlap"), CASES)
def test_joined_predictions_equal_miscnn(miscnn_patches, shape, patch, overlap):
    rng = np.random.default_rng(2)
    blender = Blender(shape, patch, overlap, 3)
    predictions = rng.random((len(blender.starts), *patch, 3), dtype=np.float32)
    for index in rng.permutation(len(predictions)):
        blender.add(int(index), predictions[index])
    theirs = predictions.copy()
    image = np.zeros((*shape, 1), dtype=np.float32)
    sliced = np.stack(miscnn_patches.slice_matrix(image, patch, overlap, len(shape) == 3))
    if sliced.shape[1:-1] != patch:
        _, slicer = miscnn_patches.pad_patch(sliced, patch, return_slicer=True)
        theirs = miscnn_patches.crop_patch(theirs, slicer)
    theirs = miscnn_patches.concat_matrices(theirs, (*shape, 1), patch, overlap, len(shape) == 3)
    assert blender.result().dtype == np.float32
    np.testing.assert_allclose(blender.result(), theirs, rtol=0, atol=1e-6)


def test_weights_of_three_patches_depend_on_their_order():
    # Patches of 4 with 2 shared: 0-3, 2-5, and the last shifted from 4-7 to 3-6, so that voxel 3 lies under all three.
    assert patch_starts(7, 4, 2) == [0, 2, 3]
    first, second, third = axis_weights(7, 4, 2)
    assert (first[3], second[1], third[0]) == (0.25, 0.25, 0.5)


@pytest.mark.parametrize("blending", ["miscnn", "gaussian"])
def test_weights_add_up_to_one_everywhere(blending):
    for size, patch, overlap in itertools.product(range(1, 24), range(1, 9), range(8)):
        if overlap >= patch:
            continue
        total = np.zeros(size)
        for start, weight in zip(patch_starts(size, patch, overlap), axis_weights(size, patch, overlap, blending), strict=True):
            total[start : start + len(weight)] += weight
        np.testing.assert_allclose(total, 1, rtol=1e-12)


def test_gaussian_weights_prefer_the_centre_and_differ_from_the_mean():
    weights = axis_weights(24, 16, 8, "gaussian")
    assert weights[0][9] > 0.7 > 0.5 == axis_weights(24, 16, 8)[0][9]
    np.testing.assert_allclose(weights[0], weights[1][::-1], rtol=1e-12)


@pytest.mark.parametrize(("size", "patch", "overlap"), [(0, 4, 0), (4, 0, 0), (8, 4, 4), (8, 4, -1)])
def test_impossible_grids_are_refused(size, patch, overlap):
    with pytest.raises(ValueError, match="no grid"):
        patch_starts(size, patch, overlap)


def test_padding_keeps_the_block_in_the_middle():
    block = np.arange(12, dtype=np.float32).reshape(3, 4, 1) + 5
    padded = pad_to_patch(block, (6, 4))
    np.testing.assert_array_equal(padded[inside_patch((3, 4), (6, 4))], block)
    np.testing.assert_array_equal(padded[0, :, 0], block[..., 0].min(axis=0))
    assert padded.shape == (6, 4, 1)
    assert pad_to_patch(block, (2, 3)) is block


def test_a_patch_counts_once_and_none_may_be_missing():
    blender = Blender((6, 6), (4, 4), (2, 2), 2)
    one = np.ones((4, 4, 2), dtype=np.float32)
    for index in range(3):
        blender.add(index, one)
    with pytest.raises(ValueError, match="1 of 4 patches"):
        blender.result()
    with pytest.raises(ValueError, match="added before"):
        blender.add(0, one)
    with pytest.raises(ValueError, match="is expected"):
        blender.add(3, one[:3])
    blender.add(3, one)
    np.testing.assert_allclose(blender.result(), 1, rtol=1e-6)
