"""Rotation, scaling and elastic deformation as one interpolation: cubic for the image, nearest voxel for the classes.

The patch's voxels, counted from its middle, are displaced, rotated, scaled and moved to the patch's centre in the volume, which
gives the coordinates to read at (batchgenerators' `augment_spatial`). Outside the volume the image is 0 and the class is OUTSIDE.
"""

import math
from collections.abc import Sequence

import numpy as np
from scipy import ndimage

OUTSIDE = 255
"""Class of a voxel outside the volume. It belongs to no class: one-hot encoded it is zero everywhere."""

MARGIN = 14
"""Voxels around what a patch reads so that the spline's coefficients equal the whole volume's: their memory fades by 2 - sqrt(3)
a voxel, 1e-8 over 14."""

POINTS = 100_000
"""About so many voxels are interpolated at once: their coordinates stay in the processor's cache."""


def rotation_matrix(angles: Sequence[float]) -> np.ndarray:
    """Return the rotation by angles in radians: (2, 2) for one angle, (3, 3) = Rx Ry Rz for three. For row vectors."""
    if len(angles) == 1:
        sine, cosine = math.sin(angles[0]), math.cos(angles[0])
        return np.array([[cosine, -sine], [sine, cosine]])
    (sx, sy, sz), (cx, cy, cz) = ([function(angle) for angle in angles] for function in (math.sin, math.cos))
    around_x = np.array([[1, 0, 0], [0, cx, -sx], [0, sx, cx]])
    around_y = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    around_z = np.array([[cz, -sz, 0], [sz, cz, 0], [0, 0, 1]])
    return np.asarray(around_x @ around_y @ around_z)


def patch_coordinates(
    patch: Sequence[int],
    rows: slice,
    matrix: np.ndarray,
    centre: Sequence[float],
    displacement: np.ndarray | None = None,
) -> np.ndarray:
    """Return where the voxels of some rows (first axis) of a patch are read: (axes, rows, ...) float64, in voxels.

    coordinate = (voxel - middle of the patch + displacement) matrix + centre.
    """
    dimensions = len(patch)
    offsets = [np.arange(size) - (size - 1) / 2 for size in patch]
    offsets[0] = offsets[0][rows]
    grids = np.meshgrid(*offsets, indexing="ij", sparse=True)
    coordinates = np.empty((dimensions, *(len(offset) for offset in offsets)))
    if displacement is None:
        for target in range(dimensions):
            # Sums of sparse grids grow to full size in the last step only.
            coordinates[target] = sum(grids[axis] * matrix[axis, target] for axis in range(dimensions)) + centre[target]
        return coordinates
    displaced = [grids[axis] + displacement[axis, rows] for axis in range(dimensions)]
    for target in range(dimensions):
        coordinates[target] = centre[target]
        for axis in range(dimensions):
            if matrix[axis, target] != 0:
                coordinates[target] += displaced[axis] * matrix[axis, target]
    return coordinates


def read_window(
    patch: Sequence[int],
    shape: Sequence[int],
    matrix: np.ndarray,
    centre: Sequence[float],
    displacement: np.ndarray | None = None,
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return first and past-the-last voxel of the block of a volume of `shape` that a warp needs, spline margin included.

    The block is cut at the volume's borders and has at least one voxel an axis.
    """
    reach = np.array([(size - 1) / 2 for size in patch])
    low, high = -reach, reach
    if displacement is not None:
        axes = tuple(range(1, displacement.ndim))
        low, high = low + displacement.min(axis=axes), high + displacement.max(axis=axes)
    # The extent of a box under a linear map: every term takes the end that serves it.
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

    `centre` is in the block's voxels. What lies outside the block counts as outside the volume.
    """
    splines = np.stack(
        [
            ndimage.spline_filter(np.ascontiguousarray(image[..., channel]), 3, output=np.float32, mode="mirror")
            for channel in range(image.shape[-1])
        ]
    )
    warped = np.empty((*patch, image.shape[-1]), dtype=np.float32)
    labels = np.empty(tuple(patch), dtype=np.uint8)
    # Some rows of the patch at a time, so that their coordinates stay in the processor's cache.
    step = max(1, POINTS // math.prod(patch[1:]))
    for first in range(0, patch[0], step):
        rows = slice(first, min(first + step, patch[0]))
        coordinates = patch_coordinates(patch, rows, matrix, centre, displacement)
        for channel, spline in enumerate(splines):
            warped[rows, ..., channel] = ndimage.map_coordinates(
                spline, coordinates, order=3, output=np.float32, mode="constant", cval=0.0, prefilter=False
            )
        ndimage.map_coordinates(classes, coordinates, order=0, output=labels[rows], mode="constant", cval=OUTSIDE)
    return warped, labels
