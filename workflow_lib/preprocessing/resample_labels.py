"""The linear interpolation of labels, exactly as SciPy sums it; see `resample` for the rules."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class _Line:
    """The positions of the samples on one axis: indices of the voxels before and after, their weights, and the nearest voxel."""

    before: np.ndarray
    after: np.ndarray
    weights: tuple[np.ndarray, np.ndarray]
    nearest: np.ndarray

    def columns(self) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Return the arrays in the form that the compiled loops need."""
        return self.before, self.after, *self.weights, self.nearest

    def at(self, index: int) -> tuple[int, int, float, float, int]:
        """Return the numbers of one sample, in the order of `columns`."""
        before, after, first, second, nearest = (column[index] for column in self.columns())
        return int(before), int(after), float(first), float(second), int(nearest)


def _line(old: int, new: int) -> _Line:
    # Step by step as SciPy computes it, because ties at one half depend on the last bit: beyond the outermost voxel both weights
    # are kept and given to the same voxel.
    position = (np.arange(new) + 0.5) * (np.float64(old) / new) - 0.5
    knot = np.floor(position)
    before, after, nearest = (np.clip(index, 0, old - 1).astype(np.intp) for index in (knot, knot + 1, np.floor(position + 0.5)))
    first_weight = 1.0 - (position - knot)
    return _Line(before, after, (first_weight, 1.0 - first_weight), nearest)


def resample_three_axes(classes: np.ndarray, new_shape: Sequence[int], argmax: bool) -> np.ndarray:
    """Return `classes` (three axes, uint8) on a grid of `new_shape`, by the argmax rule (0.25) or the one-half rule (0.21).

    Only the box around the foreground is processed, plane by plane, and in it only samples between voxels of different classes.
    """
    result = np.zeros(tuple(new_shape), dtype=np.uint8)
    box = _bounding_box(classes)
    if box is None:
        return result
    lines = [_line(old, new) for old, new in zip(classes.shape, new_shape, strict=True)]
    # Samples with a corner in the box; beyond it all corners are background.
    ranges = [np.flatnonzero((line.after >= low) & (line.before < high)) for line, (low, high) in zip(lines, box, strict=True)]
    if any(len(indices) == 0 for indices in ranges):
        return result
    # Compiled on first use, and imported here because programs that only compute shapes do not need it.
    from workflow_lib.preprocessing import _kernels

    rows, columns = (slice(indices[0], indices[-1] + 1) for indices in ranges[1:])
    second, third = _part(lines[1], rows), _part(lines[2], columns)
    for index in range(int(ranges[0][0]), int(ranges[0][-1]) + 1):
        plane = result[index, rows, columns]
        low, high = (_extreme(classes, lines[0], index, second, third, function) for function in (np.minimum, np.maximum))
        plane[...] = low
        mixed_rows, mixed_columns = np.nonzero(low != high)
        first = lines[0].at(index)
        _kernels.decide(classes, first, second.columns(), third.columns(), mixed_rows, mixed_columns, plane, argmax)
    return result


def _bounding_box(classes: np.ndarray) -> list[tuple[int, int]] | None:
    """Return (first, last + 1) of the foreground on each axis, or None if there is none."""
    flat: np.ndarray = np.any(classes, axis=0)
    if not flat.any():
        return None
    used = [classes.any(axis=(1, 2)), flat.any(axis=1), flat.any(axis=0)]
    return [(int(np.flatnonzero(line)[0]), int(np.flatnonzero(line)[-1]) + 1) for line in used]


def _part(line: _Line, part: slice) -> _Line:
    return _Line(line.before[part], line.after[part], (line.weights[0][part], line.weights[1][part]), line.nearest[part])


def _extreme(classes: np.ndarray, first: _Line, index: int, second: _Line, third: _Line, function: np.ufunc) -> np.ndarray:
    """Return the smallest (or largest) class among the eight corners of every sample of one plane."""
    plane = function(classes[first.before[index]], classes[first.after[index]])
    plane = function(plane[second.before], plane[second.after])
    found: np.ndarray = function(plane[:, third.before], plane[:, third.after])
    return found
