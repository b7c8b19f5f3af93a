"""Distances between the surfaces of a reference and a prediction.

The surface of a mask is its boundary voxels: those with a face neighbour outside the mask, the border of the image being outside.
Distances are Euclidean between voxel centres, in mm (of pictures: pixels).
"""

from collections.abc import Iterator, Sequence

import numpy as np

from workflow_lib.base.errors import UserError
from workflow_lib.metrics.interface import Surfaces


def surface_distances(
    truth: np.ndarray, prediction: np.ndarray, members: Sequence[tuple[int, ...]], spacing: Sequence[float], tolerance: float
) -> Iterator[Surfaces]:
    """Yield the distances of each union of classes in `members`, one at a time: those of a noisy prediction take much memory.

    Parameters
    ----------
    truth, prediction : numpy.ndarray
        Class indices, uint8, of one shape, two or three axes.
    members : sequence of tuple of int
        Indices of the classes of each union: one for a class, several for a region.
    spacing : sequence of float
        Voxel size per axis in mm; 1 for pictures.
    tolerance : float
        Distance up to which surfaces count as the same, in the unit of `spacing`.

    Raises
    ------
    UserError
        If the shapes differ.
    """
    if truth.shape != prediction.shape:
        raise UserError(f"the reference has shape {truth.shape}, the prediction {prediction.shape}; they must lie on one grid.")
    crop = bounding_box((truth > 0) | (prediction > 0))
    truth, prediction = truth[crop], prediction[crop]
    for classes in members:
        if len(classes) > 1:
            masks = np.isin(truth, classes), np.isin(prediction, classes)
        else:
            masks = truth == classes[0], prediction == classes[0]
        yield mask_distances(*masks, spacing, tolerance)


def mask_distances(truth: np.ndarray, prediction: np.ndarray, spacing: Sequence[float], tolerance: float) -> Surfaces:
    """Return the distances between the surfaces of two masks (bool, one shape); to an empty mask they are infinite."""
    first, second = boundary(truth), boundary(prediction)
    if not len(first) or not len(second):
        return Surfaces(np.full(len(first), np.inf), np.full(len(second), np.inf), tolerance)
    there = directed_distances(first, second, truth.shape, spacing)
    back = directed_distances(second, first, truth.shape, spacing)
    return Surfaces(there, back, tolerance)


def bounding_box(mask: np.ndarray) -> tuple[slice, ...]:
    """Return the smallest box that holds all of a mask; an empty box for an empty one."""
    box = []
    for axis in range(mask.ndim):
        inside = np.flatnonzero(mask.any(axis=tuple(other for other in range(mask.ndim) if other != axis)))
        box.append(slice(int(inside[0]), int(inside[-1]) + 1) if len(inside) else slice(0, 0))
    return tuple(box)


def boundary(mask: np.ndarray) -> np.ndarray:
    """Return the flat indices, ascending, of the voxels of a mask (bool) with a face neighbour outside it or outside the array.

    The work follows the number of voxels in the mask, not the size of the array: a distant stray voxel adds almost no work.
    """
    flat = np.ascontiguousarray(mask).ravel()
    inside = np.flatnonzero(flat)
    if not len(inside):  # also where the box of both masks has no side
        return inside
    outer = np.zeros(len(inside), bool)
    stride = flat.size
    for side in mask.shape:
        stride //= side
        place = inside // stride % side
        for edge, step in ((0, -stride), (side - 1, stride)):
            at_edge = place == edge
            outer |= at_edge
            outer |= ~flat[np.where(at_edge, inside, inside + step)]
    return inside[outer]


def directed_distances(start: np.ndarray, target: np.ndarray, shape: Sequence[int], spacing: Sequence[float]) -> np.ndarray:
    """Return the distance of every voxel of `start` to the nearest of `target`, in mm; both flat indices, ascending, not empty.

    By a distance transform in the box of both: its cost does not depend on how far off or how many the voxels are, where the
    search in a tree takes minutes for the scattered prediction of a network that has learned nothing.
    """
    from workflow_lib.evaluation import _kernels

    starts, targets = (np.stack(np.unravel_index(part, shape)) for part in (start, target))
    low = np.minimum(starts.min(axis=1), targets.min(axis=1))
    size = np.maximum(starts.max(axis=1), targets.max(axis=1)) + 1 - low
    spare = 3 - len(shape)  # a plane is a volume of one slice
    mask = np.zeros(tuple(size), bool)
    mask[tuple(targets - low[:, None])] = True
    squared = np.empty((1,) * spare + mask.shape, np.float32)
    wanted = np.zeros(squared.shape[1:], bool)
    wanted[tuple((starts - low[:, None])[-2:])] = True
    sides = np.array([1.0] * spare + list(spacing), float)
    _kernels.squared_distances(mask.reshape(squared.shape), wanted, sides, squared)
    found: np.ndarray = squared.reshape(mask.shape)[tuple(starts - low[:, None])]
    return np.asarray(np.sqrt(found.astype(np.float64)))
