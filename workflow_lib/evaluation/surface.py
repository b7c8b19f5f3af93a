"""Distances between the surfaces of a reference and a prediction: HD95 and the normalised surface distance.

The surface of a mask is its boundary voxels: those with a face neighbour outside the mask, the border of the image being outside.
Distances are Euclidean between voxel centres, in mm (of pictures: pixels). Two common definitions of HD95 differ widely on masks
with a stray blob; here it is the larger of the two directed 95th percentiles, not the percentile of both sets pooled.
"""

import math
from collections.abc import Sequence

import numpy as np

from workflow_lib.base.errors import UserError
from workflow_lib.images.cases import LabelMap

SURFACE_METRICS = ("hd95", "nsd")
PERCENTILE = 95.0


def surface_scores(
    truth: np.ndarray, prediction: np.ndarray, labels: LabelMap, spacing: Sequence[float], tolerance: float
) -> list[dict[str, float]]:
    """Return HD95 and NSD of every foreground class, then of every region of `labels`, in the order of `metrics.score_case`.

    `truth` and `prediction` are class indices, uint8, of one shape, two or three axes; `spacing` and `tolerance` in mm.
    Each is {"hd95": mm, "nsd": share in [0, 1]}. Where both masks are empty both are NaN; where one is, HD95 is NaN (no distance
    can be told, and 0 would be praise) and NSD 0.
    """
    if truth.shape != prediction.shape:
        raise UserError(f"the reference has shape {truth.shape}, the prediction {prediction.shape}; they must lie on one grid.")
    crop = bounding_box((truth > 0) | (prediction > 0))
    truth, prediction = truth[crop], prediction[crop]
    members: list[tuple[int, ...]] = [(index,) for index in range(1, labels.n_classes)]
    members += [tuple(region) for region in labels.regions.values()]
    return [
        mask_scores(np.isin(truth, classes), np.isin(prediction, classes), spacing, tolerance)
        if len(classes) > 1
        else mask_scores(truth == classes[0], prediction == classes[0], spacing, tolerance)
        for classes in members
    ]


def mask_scores(truth: np.ndarray, prediction: np.ndarray, spacing: Sequence[float], tolerance: float) -> dict[str, float]:
    """Return HD95 and NSD of two masks (bool, one shape); see `surface_scores`."""
    first, second = boundary(truth), boundary(prediction)
    if not len(first) or not len(second):
        return {"hd95": math.nan, "nsd": math.nan if len(first) == len(second) else 0.0}
    there = directed_distances(first, second, truth.shape, spacing)
    back = directed_distances(second, first, truth.shape, spacing)
    near = int(np.count_nonzero(there <= tolerance) + np.count_nonzero(back <= tolerance))
    return {
        "hd95": max(float(np.percentile(there, PERCENTILE)), float(np.percentile(back, PERCENTILE))),
        "nsd": near / (len(there) + len(back)),
    }


def bounding_box(mask: np.ndarray) -> tuple[slice, ...]:
    """Return the smallest box that holds all of a mask; an empty box for an empty one."""
    box = []
    for axis in range(mask.ndim):
        inside = np.flatnonzero(mask.any(axis=tuple(other for other in range(mask.ndim) if other != axis)))
        box.append(slice(int(inside[0]), int(inside[-1]) + 1) if len(inside) else slice(0, 0))
    return tuple(box)


def boundary(mask: np.ndarray) -> np.ndarray:
    """Return the flat indices, ascending, of the voxels of a mask (bool) with a face neighbour outside it or outside the array.

    The work follows the number of voxels in the mask, not the size of the array: a stray voxel far off costs nothing.
    """
    flat = np.ascontiguousarray(mask).ravel()
    inside = np.flatnonzero(flat)
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
