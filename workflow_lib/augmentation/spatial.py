"""Rotation, scaling and elastic deformation as one interpolation: cubic for the image, nearest voxel for the classes.

As in `augment_spatial` of batchgenerators, the coordinates of the patch's voxels relative to its middle are
displaced, rotated, scaled and shifted to the centre of the patch in the volume. The volume is read at the
resulting coordinates. Outside the volume, the image is 0 and the class OUTSIDE.
"""

import math
from collections.abc import Sequence

import numpy as np

OUTSIDE = 255
"""Label of voxels outside the volume, which belong to no class: their one-hot encoding is all zero."""

MARGIN = 14
"""Margin in voxels around the block that a patch reads.

With it, the spline coefficients are equal to those of the whole volume: the influence of a sample decreases by
the factor 2 - sqrt(3) per voxel, which is 1e-8 over 14 voxels.
"""


def rotation_matrix(angles: Sequence[float]) -> np.ndarray:
    """Return the rotation matrix for row vectors by angles in radians.

    It is (2, 2) for one angle, and (3, 3) = Rx Ry Rz for three angles.
    """
    if len(angles) == 1:
        sine, cosine = math.sin(angles[0]), math.cos(angles[0])
        return np.array([[cosine, -sine], [sine, cosine]])
    (sx, sy, sz), (cx, cy, cz) = ([function(angle) for angle in angles] for function in (math.sin, math.cos))
    around_x = np.array([[1, 0, 0], [0, cx, -sx], [0, sx, cx]])
    around_y = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    around_z = np.array([[cz, -sz, 0], [sz, cz, 0], [0, 0, 1]])
    return np.asarray(around_x @ around_y @ around_z)


def read_window(
    patch: Sequence[int],
    shape: Sequence[int],
    matrix: np.ndarray,
    centre: Sequence[float],
    displacement: np.ndarray | None = None,
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return the first and past-the-last voxel of the block that a warp needs, including the spline margin.

    The block is clipped to the volume of `shape` and has at least one voxel per axis.
    """
    reach = np.array([(size - 1) / 2 for size in patch])
    low, high = -reach, reach
    if displacement is not None:
        axes = tuple(range(1, displacement.ndim))
        low, high = low + displacement.min(axis=axes), high + displacement.max(axis=axes)
    # The bounding box of a box after a linear map: sum the minima and the maxima of the terms.
    ends = np.stack([low[:, None] * matrix, high[:, None] * matrix])
    size = np.array(shape)
    first = np.floor(ends.min(axis=0).sum(axis=0) + centre).astype(int) - MARGIN
    last = np.ceil(ends.max(axis=0).sum(axis=0) + centre).astype(int) + MARGIN + 1
    first = np.clip(first, 0, size - 1)
    last = np.clip(last, first + 1, size)
    return tuple(first.tolist()), tuple(last.tolist())


def warp(
    image: np.ndarray,
    classes: np.ndarray,
    patch: Sequence[int],
    matrix: np.ndarray,
    centre: Sequence[float],
    displacement: np.ndarray | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Interpolate a patch from a block: image (…, channels) -> (*patch, channels) float32, classes (…) -> (*patch) uint8.

    `centre` is in voxels of the block. Positions outside the block count as outside the volume.
    """
    # Imported here because the compilation takes time, which only a training needs.
    from workflow_lib.augmentation import _kernels

    dimensions = len(patch)
    spare = 3 - dimensions  # a 2-D image is a volume with one slice
    block = (1,) * spare + classes.shape
    whole = (1,) * spare + tuple(patch)
    turned = np.eye(3)
    turned[spare:, spare:] = matrix
    middle = np.zeros(3)
    middle[spare:] = centre
    moves = np.zeros((3, 0, 0, 0), np.float32)
    if displacement is not None:
        moves = np.zeros((3, *whole), np.float32)
        moves[spare:] = displacement.reshape(dimensions, *whole)
    warped = np.empty((*whole, image.shape[-1]), dtype=np.float32)
    labels = np.empty(whole, dtype=np.uint8)
    plain = np.ascontiguousarray(classes).reshape(block)
    _kernels.read_warped(spline_coefficients(image).reshape(-1, *block), plain, warped, labels, turned, middle, moves, OUTSIDE)
    return warped.reshape(*patch, image.shape[-1]), labels.reshape(tuple(patch))


def spline_coefficients(image: np.ndarray) -> np.ndarray:
    """Return the cubic spline coefficients (channels, …) float32 of an image (…, channels), mirrored at the ends."""
    from workflow_lib.augmentation import _kernels

    coefficients = np.ascontiguousarray(np.moveaxis(image, -1, 0), dtype=np.float32)
    if coefficients is image or np.shares_memory(coefficients, image):
        coefficients = coefficients.copy()
    shape = coefficients.shape
    for axis in range(1, len(shape) - 1):
        lines, width = math.prod(shape[:axis]), math.prod(shape[axis + 1 :])
        _kernels.filter_planes(coefficients.reshape(lines, shape[axis], width))
    _kernels.filter_lines(coefficients.reshape(-1, shape[-1]))
    return coefficients
