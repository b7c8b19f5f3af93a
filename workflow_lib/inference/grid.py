"""The grid of patches that covers a case, and the blending of their predictions to one volume.

Grid, padding and weights are those of MIScnn 1.4.0 (`utils/patch_operations.py`). The last patch of an axis is
shifted inwards. A case smaller than the patch is padded with the minimum along each line. Patches are blended
one after the other: the result is the mean of the current value and that of the next patch. A voxel in three
patches of an axis therefore has the weights 1/4, 1/4, 1/2. These weights are separable, so every patch is added
to one array only once, with its weights.
"""

import itertools
import math
from collections.abc import Sequence
from typing import Literal

import numpy as np

Blending = Literal["miscnn", "gaussian"]

GAUSSIAN_SIGMA = 1 / 8
"""Standard deviation of the Gaussian weights, relative to the side of the patch."""


def patch_starts(size: int, patch: int, overlap: int) -> list[int]:
    """Return the first index of every patch along one axis.

    Neighbours share `overlap` voxels. The last patch is shifted inwards to the end of the volume, so it can
    share more. A volume of at most `patch` voxels has one patch, at 0.
    """
    if size < 1 or patch < 1 or not 0 <= overlap < patch:
        raise ValueError(
            f"no grid for size {size}, patch {patch}, overlap {overlap}: need size, patch >= 1 and 0 <= overlap < patch"
        )
    step = patch - overlap
    count = max(1, math.ceil((size - overlap) / step))
    last = max(0, size - patch)
    return [min(index * step, last) for index in range(count)]


def axis_weights(size: int, patch: int, overlap: int, blending: Blending = "miscnn") -> list[np.ndarray]:
    """Return the weights of the voxels of every patch along an axis, each (min(size, patch),) float64.

    At every voxel of the volume, the weights of all patches add up to 1. `miscnn`: the running pairwise mean.
    `gaussian`: a Gaussian around the centre of the patch, divided by the sum at each voxel.
    """
    starts = patch_starts(size, patch, overlap)
    length = min(size, patch)
    if blending == "gaussian":
        return _gaussian_weights(starts, size, length)
    weights = [np.ones(length)]
    for previous, start in itertools.pairwise(starts):
        shared = previous + length - start
        for earlier, weight in zip(starts, weights, strict=False):
            weight[max(0, start - earlier) :] *= 0.5
        weights.append(np.concatenate([np.full(shared, 0.5), np.ones(length - shared)]))
    return weights


def _gaussian_weights(starts: Sequence[int], size: int, length: int) -> list[np.ndarray]:
    bell = np.exp(-0.5 * ((np.arange(length) - (length - 1) / 2) / (GAUSSIAN_SIGMA * length)) ** 2)
    total = np.zeros(size)
    for start in starts:
        total[start : start + length] += bell
    return [bell / total[start : start + length] for start in starts]


def grid_starts(shape: Sequence[int], patch: Sequence[int], overlap: Sequence[int]) -> list[tuple[int, ...]]:
    """Return the first voxel of every patch of a volume of `shape`, in C order as in MIScnn."""
    axes = [patch_starts(*axis) for axis in zip(shape, patch, overlap, strict=True)]
    return list(itertools.product(*axes))


def pad_to_patch(block: np.ndarray, patch: Sequence[int]) -> np.ndarray:
    """Pad a block (…, channels) that is smaller than the patch to (*patch, channels), with the minimum along each line.

    The block is centred; of an odd number of new voxels, the larger half is after the block. Axes are padded
    one after the other, so that the minima of later axes include the earlier padding.
    """
    missing = [max(0, side - size) for size, side in zip(block.shape[:-1], patch, strict=True)]
    if not any(missing):
        return block
    return np.pad(block, [*((gap // 2, gap - gap // 2) for gap in missing), (0, 0)], mode="minimum")


def cut_patch(image: np.ndarray, start: Sequence[int], patch: Sequence[int]) -> np.ndarray:
    """Return the patch (*patch, channels) of an image (…, channels) at `start`, padded if the image is smaller."""
    window = tuple(slice(first, first + side) for first, side in zip(start, patch, strict=True))
    return pad_to_patch(image[window], patch)


def inside_patch(shape: Sequence[int], patch: Sequence[int]) -> tuple[slice, ...]:
    """Return the slices of the voxels of the volume in a padded patch: the whole patch unless it was padded."""
    below = [max(0, side - size) // 2 for size, side in zip(shape, patch, strict=True)]
    return tuple(slice(gap, gap + min(size, side)) for gap, size, side in zip(below, shape, patch, strict=True))


class Blender:
    """Blends the predictions of a grid of patches to one volume, which is allocated once.

    `starts` are the first voxels of the patches; the indices of `add` refer to this order.
    """

    def __init__(
        self,
        shape: Sequence[int],
        patch: Sequence[int],
        overlap: Sequence[int],
        n_classes: int,
        blending: Blending = "miscnn",
    ) -> None:
        self.patch = tuple(patch)
        self.starts = grid_starts(shape, patch, overlap)
        self._inside = inside_patch(shape, patch)
        axes = [axis_weights(*axis, blending) for axis in zip(shape, patch, overlap, strict=True)]
        self._weights = list(itertools.product(*axes))
        self._added = np.zeros(len(self.starts), dtype=bool)
        self._sum = np.zeros((*shape, n_classes), dtype=np.float32)
        # A view with three axes, the last of which combines columns and classes.
        self._joined = self._sum.reshape(*((1,) * (3 - len(shape))), *shape[:-1], shape[-1] * n_classes)

    def add(self, index: int, prediction: np.ndarray) -> None:
        """Add the prediction (*patch, n_classes) of the patch at `starts[index]`.

        Each patch must be added once; the order is arbitrary.
        """
        expected = (*self.patch, self._sum.shape[-1])
        if prediction.shape != expected:
            raise ValueError(f"a prediction of shape {prediction.shape} where {expected} is expected")
        if self._added[index]:
            raise ValueError(f"patch {index} was added before")
        self._added[index] = True
        # Imported here because a program that only computes a grid does not need the compiled code.
        from workflow_lib.inference import _kernels

        inside = np.ascontiguousarray(prediction[self._inside], dtype=np.float32)
        classes, planes = inside.shape[-1], (1,) * (4 - inside.ndim)
        start = np.array([*(0 for _ in planes), *self.starts[index]], dtype=np.int64) * [1, 1, classes]
        weights = [np.ones(1), *self._weights[index]][-3:]
        first, second, third = (np.asarray(weight, np.float32) for weight in weights)
        rows, columns = (*planes, *inside.shape)[:2], inside.shape[-2] * classes
        _kernels.add_weighted(self._joined, start, inside.reshape(*rows, columns), first, second, np.repeat(third, classes))

    def result(self) -> np.ndarray:
        """Return the blended predictions, (*shape, n_classes) float32. Raises ValueError if a patch is missing."""
        if not self._added.all():
            raise ValueError(f"{int((~self._added).sum())} of {len(self.starts)} patches were not added")
        return self._sum
