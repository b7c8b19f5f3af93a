"""Compiled loops of the spatial augmentation: coefficients and evaluation of cubic splines."""

import numpy as np
from numba import njit

from workflow_lib.base.compiled import compiled

_POLE = 3.0**0.5 - 2.0
"""Pole of the recursive filter that computes the coefficients of a cubic spline from samples (Unser 1999)."""
_SIDE_BY_SIDE = 16
"""Number of lines of the last axis that are filtered together. Their buffer fits into the L1 cache."""


@njit(inline="always", error_model="numpy")
def _mirrored(position: int, side: int) -> int:
    """Return the index of a coefficient, mirrored at the ends without repetition of the end values."""
    if side == 1:
        return 0
    position = abs(position)
    return position if position < side else max(2 * side - 2 - position, 0)


@njit(inline="always", error_model="numpy")
def _plane(
    values: np.ndarray, at: np.uintp, row: np.uintp, v0: np.float32, v1: np.float32, v2: np.float32, v3: np.float32
) -> tuple[np.float32, np.float32, np.float32, np.float32]:
    """Return the weighted sums of 4 columns of 4 coefficients from `at` on; `row` is the stride of a row.

    `at` and `row` are unsigned, because numba then omits the check for negative indices.
    """
    here, below, last = at + row, at + row + row, at + row + row + row
    one, two, three = np.uintp(1), np.uintp(2), np.uintp(3)
    return (
        v0 * values[at] + v1 * values[here] + v2 * values[below] + v3 * values[last],
        v0 * values[at + one] + v1 * values[here + one] + v2 * values[below + one] + v3 * values[last + one],
        v0 * values[at + two] + v1 * values[here + two] + v2 * values[below + two] + v3 * values[last + two],
        v0 * values[at + three] + v1 * values[here + three] + v2 * values[below + three] + v3 * values[last + three],
    )


@njit(inline="always", error_model="numpy")
def _within(values: np.ndarray, at: np.uintp, plane: np.uintp, row: np.uintp, weights: np.ndarray, c: int) -> np.float32:
    """Return the value of the spline if all 4 x 4 x 4 coefficients, from `at` on, are inside the block."""
    v0, v1, v2, v3 = weights[1, 0, c], weights[1, 1, c], weights[1, 2, c], weights[1, 3, c]
    a0, a1, a2, a3 = _plane(values, at, row, v0, v1, v2, v3)
    b0, b1, b2, b3 = _plane(values, at + plane, row, v0, v1, v2, v3)
    c0, c1, c2, c3 = _plane(values, at + plane + plane, row, v0, v1, v2, v3)
    d0, d1, d2, d3 = _plane(values, at + plane + plane + plane, row, v0, v1, v2, v3)
    u0, u1, u2, u3 = weights[0, 0, c], weights[0, 1, c], weights[0, 2, c], weights[0, 3, c]
    total: np.float32 = (
        (u0 * a0 + u1 * b0 + u2 * c0 + u3 * d0) * weights[2, 0, c]
        + (u0 * a1 + u1 * b1 + u2 * c1 + u3 * d1) * weights[2, 1, c]
        + (u0 * a2 + u1 * b2 + u2 * c2 + u3 * d2) * weights[2, 2, c]
        + (u0 * a3 + u1 * b3 + u2 * c3 + u3 * d3) * weights[2, 3, c]
    )
    return total


@njit(inline="always", error_model="numpy")
def _at_border(spline: np.ndarray, i: int, j: int, k: int, weights: np.ndarray, c: int) -> np.float32:
    """Return the value of the spline if coefficients outside the block are needed; these are mirrored."""
    n0, n1, n2 = spline.shape
    k0, k1, k2, k3 = _mirrored(k - 1, n2), _mirrored(k, n2), _mirrored(k + 1, n2), _mirrored(k + 2, n2)
    total = np.float32(0)
    for first in range(4):
        plane = spline[_mirrored(i - 1 + first, n0)]
        for second in range(4):
            row = plane[_mirrored(j - 1 + second, n1)]
            along = (
                row[k0] * weights[2, 0, c] + row[k1] * weights[2, 1, c] + row[k2] * weights[2, 2, c] + row[k3] * weights[2, 3, c]
            )
            total += weights[0, first, c] * weights[1, second, c] * along
    return total


@njit(nogil=True, error_model="numpy")
def _positions(
    position: np.ndarray,
    x: float,
    y: float,
    z: float,
    moves: tuple[np.ndarray, np.ndarray, np.ndarray],
    turn: np.ndarray,
    to: float,
) -> None:
    """Fill `position` (n) float64 with one coordinate of every voxel of a row that begins at (x, y, z)."""
    first, second, third = moves
    # Read before the loop. Inside, they would be read again after each write.
    turn0, turn1, turn2 = turn[0], turn[1], turn[2]
    for c in range(position.size):
        position[c] = (x + first[c]) * turn0 + (y + second[c]) * turn1 + (z + c + third[c]) * turn2 + to


@njit(nogil=True, error_model="numpy")
def _split(position: np.ndarray, last: float, before: np.ndarray, nearest: np.ndarray, behind: np.ndarray) -> None:
    """Compute the preceding voxel, the distance from it, and the nearest voxel for coordinates.

    The coordinates are clipped to [0, `last`].
    """
    for c in range(position.size):
        limited = min(max(position[c], 0.0), last)
        # For nonnegative numbers, truncation is rounding down.
        index = np.int32(limited)
        before[c] = index
        nearest[c] = np.int32(limited + 0.5)
        behind[c] = np.float32(limited - index)


@njit(nogil=True, error_model="numpy")
def _weights(behind: np.ndarray, weights: np.ndarray) -> None:
    """Fill `weights` (4, n) float32 with the cubic B-spline weights of the four nearest coefficients.

    `behind` is the distance of a position from the second of them.
    """
    sixth, three, four, six = np.float32(1 / 6), np.float32(3), np.float32(4), np.float32(6)
    for c in range(behind.size):
        t = behind[c]
        s = np.float32(1) - t
        weights[0, c] = s * s * s * sixth
        weights[1, c] = (four + t * t * (three * t - six)) * sixth
        weights[2, c] = (four + s * s * (three * s - six)) * sixth
        weights[3, c] = t * t * t * sixth


@njit(nogil=True, error_model="numpy")
def _filter(block: np.ndarray, state: np.ndarray) -> None:
    """Replace the samples `block` (n, width) float32 by coefficients along the first axis.

    The computation is in double precision, one row at a time.
    """
    n, width = block.shape
    gain = (1.0 - _POLE) * (1.0 - 1.0 / _POLE)
    whole = _POLE ** (n - 1)
    # The first coefficient of the causal filter: the sum over the samples with periodic mirroring.
    for k in range(width):
        state[k] = block[0, k] + whole * block[n - 1, k]
    power = _POLE
    for i in range(1, n - 1):
        for k in range(width):
            state[k] += power * (block[i, k] + whole * block[n - 1 - i, k])
        power *= _POLE
        if abs(power) < 1e-18:
            break
    for k in range(width):
        state[k] *= gain / (1.0 - whole * whole)
        block[0, k] = state[k]
    for i in range(1, n):
        for k in range(width):
            state[k] = gain * block[i, k] + _POLE * state[k]
            block[i, k] = state[k]
    for k in range(width):
        state[k] = (_POLE * block[n - 2, k] + block[n - 1, k]) * _POLE / (_POLE * _POLE - 1.0)
        block[n - 1, k] = state[k]
    for i in range(n - 2, -1, -1):
        for k in range(width):
            state[k] = _POLE * (state[k] - block[i, k])
            block[i, k] = state[k]


@compiled
def filter_planes(data: np.ndarray) -> None:
    """Replace the samples of `data` (lines, n, width) float32 by spline coefficients along the middle axis, mirrored."""
    if data.shape[1] > 1:
        state = np.empty(data.shape[2], np.float64)
        for block in data:
            _filter(block, state)


@compiled
def filter_lines(data: np.ndarray) -> None:
    """Replace the samples of `data` (lines, n) float32 by spline coefficients along the last axis, mirrored.

    Several lines are filtered together, because the steps of a single line depend on each other and
    cannot be vectorised.
    """
    lines, n = data.shape
    if n == 1:
        return
    buffer, state = np.empty((n, _SIDE_BY_SIDE), np.float32), np.empty(_SIDE_BY_SIDE, np.float64)
    for first in range(0, lines, _SIDE_BY_SIDE):
        count = min(_SIDE_BY_SIDE, lines - first)
        buffer[:, count:] = 0
        for line in range(count):
            for i in range(n):
                buffer[i, line] = data[first + line, i]
        _filter(buffer, state)
        for line in range(count):
            for i in range(n):
                data[first + line, i] = buffer[i, line]


@compiled
def read_warped(
    splines: np.ndarray,
    classes: np.ndarray,
    image: np.ndarray,
    labels: np.ndarray,
    matrix: np.ndarray,
    centre: np.ndarray,
    displacement: np.ndarray,
    outside: int,
) -> None:
    """Fill `image` (*patch, channels) float32 and `labels` (*patch) uint8, with three spatial axes, from a block.

    `splines` (channels, *block) float32 are the coefficients; `classes` (*block) is uint8. A voxel is read at
    (voxel - middle of the patch + displacement) matrix + centre. `displacement` is (3, *patch) float32, or
    an empty array for none. Interpolation is cubic for the image, and by the nearest voxel for the classes.
    Outside the block, the image is 0 and the class `outside`.
    """
    channels, n0, n1, n2 = splines.shape
    p0, p1, p2 = labels.shape
    sizes, plane, row = (n0, n1, n2), np.uintp(n1 * n2), np.uintp(n2)
    coefficients = splines.reshape(-1)
    still = np.zeros(p2, np.float32)
    # Positions and weights are computed for a whole row at once, in loops that can be vectorised.
    place, before, nearest = np.empty((3, p2), np.float64), np.empty((3, p2), np.int32), np.empty((3, p2), np.int32)
    behind, weights = np.empty(p2, np.float32), np.empty((3, 4, p2), np.float32)
    for a in range(p0):
        for b in range(p1):
            moves = (still, still, still)
            if displacement.size:
                moves = (displacement[0, a, b], displacement[1, a, b], displacement[2, a, b])
            for axis in range(3):
                start = (a - (p0 - 1) / 2, b - (p1 - 1) / 2, -(p2 - 1) / 2)
                _positions(place[axis], start[0], start[1], start[2], moves, matrix[:, axis], centre[axis])
                _split(place[axis], sizes[axis] - 1.0, before[axis], nearest[axis], behind)
                _weights(behind, weights[axis])
            for c in range(p2):
                u, v, w = place[0, c], place[1, c], place[2, c]
                if not (0 <= u <= n0 - 1 and 0 <= v <= n1 - 1 and 0 <= w <= n2 - 1):
                    labels[a, b, c] = outside
                    for channel in range(channels):
                        image[a, b, c, channel] = 0
                    continue
                labels[a, b, c] = classes[nearest[0, c], nearest[1, c], nearest[2, c]]
                i, j, k = int(before[0, c]), int(before[1, c]), int(before[2, c])
                inside = 0 < i < n0 - 2 and 0 < j < n1 - 2 and 0 < k < n2 - 2
                for channel in range(channels):
                    if inside:
                        at = np.uintp(((channel * n0 + i - 1) * n1 + j - 1) * n2 + k - 1)
                        image[a, b, c, channel] = _within(coefficients, at, plane, row, weights, c)
                    else:
                        image[a, b, c, channel] = _at_border(splines[channel], i, j, k, weights, c)
