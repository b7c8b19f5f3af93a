"""Compiled loops: squared deviations, and the class of a sample between voxels of different classes in the resampling of labels.

For labels, all sums are made in SciPy's order and in double precision, because ties at one half hang on the last bit.
"""

import numpy as np
from numba import njit

from workflow_lib.base.compiled import compiled

_CORNERS = 8
_LANES = 64
"""Number of parallel partial sums, so that the processor adds several values at once in a fixed order."""


@njit(inline="always", error_model="numpy")
def _look(
    classes: np.ndarray,
    first: tuple[int, int, float, float, int],
    second: tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray],
    third: tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray],
    row: int,
    column: int,
    labels: np.ndarray,
    weights: np.ndarray,
) -> None:
    """Fill in the classes and the weights of the eight voxels around a sample, in SciPy's order."""
    corner = 0
    for i in range(2):
        for j in range(2):
            for k in range(2):
                labels[corner] = classes[
                    first[1] if i else first[0],
                    second[1][row] if j else second[0][row],
                    third[1][column] if k else third[0][column],
                ]
                share = (first[3] if i else first[2]) * (second[3][row] if j else second[2][row])
                weights[corner] = share * (third[3][column] if k else third[2][column])
                corner += 1


@njit(inline="always", error_model="numpy")
def _score(label: int, labels: np.ndarray, weights: np.ndarray) -> float:
    """Return the interpolated indicator of a label; limited to 1 as scikit-image does."""
    total = 0.0
    for corner in range(_CORNERS):
        if labels[corner] == label:
            total += weights[corner]
    return min(total, 1.0)


@njit(inline="always", error_model="numpy")
def _next_label(after: int, labels: np.ndarray) -> int:
    """Return the lowest label above `after`, or 256."""
    lowest = 256
    for corner in range(_CORNERS):
        if after < labels[corner] < lowest:
            lowest = int(labels[corner])
    return lowest


@njit(inline="always", error_model="numpy")
def _last_half(labels: np.ndarray, weights: np.ndarray) -> int:
    """Return the last label whose indicator is at least one half, else 0."""
    chosen, label = 0, _next_label(-1, labels)
    while label < 256:
        if _score(label, labels, weights) >= 0.5:
            chosen = label
        label = _next_label(label, labels)
    return chosen


@njit(inline="always", error_model="numpy")
def _largest(labels: np.ndarray, weights: np.ndarray, nearest: int) -> int:
    """Return the label of the largest indicator; of equal ones that of the nearest voxel, else the first."""
    chosen, best, of_nearest = 0, 0.0, 0.0
    label = _next_label(-1, labels)
    while label < 256:
        score = _score(label, labels, weights)
        if score > best:
            chosen, best = label, score
        if label == nearest:
            of_nearest = score
        label = _next_label(label, labels)
    return nearest if of_nearest == best else chosen


@compiled
def decide(
    classes: np.ndarray,
    first: tuple[int, int, float, float, int],
    second: tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray],
    third: tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray],
    rows: np.ndarray,
    columns: np.ndarray,
    plane: np.ndarray,
    argmax: bool,
) -> None:
    """Write the class of samples (rows, columns) to `plane`: of the largest indicator (`argmax`), or the last of at least half.

    `classes` (three axes) uint8. Of each axis: voxel before, voxel after, their weights, nearest voxel; of the first axis for the
    plane's one sample.
    """
    labels, weights = np.empty(_CORNERS, np.uint8), np.empty(_CORNERS, np.float64)
    for sample in range(rows.size):
        row, column = rows[sample], columns[sample]
        _look(classes, first, second, third, row, column, labels, weights)
        if argmax:
            nearest = int(classes[first[4], second[4][row], third[4][column]])
            plane[row, column] = _largest(labels, weights, nearest)
        else:
            plane[row, column] = _last_half(labels, weights)


@compiled
def squared_deviations(values: np.ndarray, mean: float, result: np.ndarray) -> None:
    """Write the sum of the squared deviations of `values` (n,) float64 from `mean` to `result` (1,)."""
    sums = np.zeros(_LANES)
    whole = values.size - values.size % _LANES
    for start in range(0, whole, _LANES):
        for lane in range(_LANES):
            deviation = values[start + lane] - mean
            sums[lane] += deviation * deviation
    for index in range(whole, values.size):
        deviation = values[index] - mean
        sums[index - whole] += deviation * deviation
    total = 0.0
    for lane in range(_LANES):
        total += sums[lane]
    result[0] = total
