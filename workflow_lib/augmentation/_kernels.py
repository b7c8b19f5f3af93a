"""Compiled loops of the spatial augmentation: the cubic spline's coefficients, and reading it at any coordinates."""

import numpy as np
from numba import njit

from workflow_lib.compiled import compiled

_POLE = 3.0**0.5 - 2.0
"""Pole of the recursive filter that turns samples into coefficients of a cubic spline (Unser 1999)."""
_SIDE_BY_SIDE = 16
"""Lines of the last axis that are filtered together; with them the buffer stays in the processor's first cache."""


@njit(inline="always", error_model="numpy")
def _weights(t: np.float32) -> tuple[np.float32, np.float32, np.float32, np.float32]:
    """Return the weights of the cubic B-spline for the four coefficients around a place `t` in [0, 1) behind the second."""
    s = np.float32(1) - t
    sixth, three, four, six = np.float32(1 / 6), np.float32(3), np.float32(4), np.float32(6)
    return (
        s * s * s * sixth,
        (four + t * t * (three * t - six)) * sixth,
        (four + s * s * (three * s - six)) * sixth,
        t * t * t * sixth,
    )


@njit(inline="always", error_model="numpy")
def _mirrored(position: int, side: int) -> int:
    """Return the index of a coefficient beyond an end, mirrored there; the ends themselves do not repeat."""
    if side == 1:
        return 0
    position = abs(position)
    return position if position < side else max(2 * side - 2 - position, 0)


@njit(inline="always", error_model="numpy")
def _plane(
    plane: np.ndarray,
    j: int,
    k: int,
    v0: np.float32,
    v1: np.float32,
    v2: np.float32,
    v3: np.float32,
    w0: np.float32,
    w1: np.float32,
    w2: np.float32,
    w3: np.float32,
) -> np.float32:
    """Return the sum of 4 x 4 coefficients of a plane with their weights; columns first, four sums side by side."""
    above, here, below, last = plane[j - 1], plane[j], plane[j + 1], plane[j + 2]
    c0 = v0 * above[k - 1] + v1 * here[k - 1] + v2 * below[k - 1] + v3 * last[k - 1]
    c1 = v0 * above[k] + v1 * here[k] + v2 * below[k] + v3 * last[k]
    c2 = v0 * above[k + 1] + v1 * here[k + 1] + v2 * below[k + 1] + v3 * last[k + 1]
    c3 = v0 * above[k + 2] + v1 * here[k + 2] + v2 * below[k + 2] + v3 * last[k + 2]
    total: np.float32 = c0 * w0 + c1 * w1 + c2 * w2 + c3 * w3
    return total


@njit(nogil=True, error_model="numpy")
def _filter(block: np.ndarray, state: np.ndarray) -> None:
    """Turn the samples `block` (n, width) float32 into coefficients along the first axis: in double precision, a row at once."""
    n, width = block.shape
    gain = (1.0 - _POLE) * (1.0 - 1.0 / _POLE)
    whole = _POLE ** (n - 1)
    # The first coefficient of the causal part: the sum over the mirrored samples, both ways around.
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

    Some lines at a time, side by side: one alone would wait for each of its own steps.
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
    """Fill `image` (*patch, channels) float32 and `labels` (*patch) uint8, both of three axes, from a block.

    `splines` (channels, *block) float32 coefficients, `classes` (*block) uint8. Voxels are read at (voxel - middle of the patch +
    displacement) matrix + centre; `displacement` (3, *patch) float32, or of no voxel for none. Cubic for the image, the nearest
    voxel for the classes; outside the block 0 and `outside`.
    """
    channels, n0, n1, n2 = splines.shape
    p0, p1, p2 = labels.shape
    moved = displacement.size > 0
    m00, m01, m02 = matrix[0, 0], matrix[0, 1], matrix[0, 2]
    m10, m11, m12 = matrix[1, 0], matrix[1, 1], matrix[1, 2]
    m20, m21, m22 = matrix[2, 0], matrix[2, 1], matrix[2, 2]
    place = np.empty((3, 4), np.int64)
    for a in range(p0):
        for b in range(p1):
            for c in range(p2):
                x, y, z = a - (p0 - 1) / 2, b - (p1 - 1) / 2, c - (p2 - 1) / 2
                if moved:
                    x += displacement[0, a, b, c]
                    y += displacement[1, a, b, c]
                    z += displacement[2, a, b, c]
                u = x * m00 + y * m10 + z * m20 + centre[0]
                v = x * m01 + y * m11 + z * m21 + centre[1]
                w = x * m02 + y * m12 + z * m22 + centre[2]
                if not (0 <= u <= n0 - 1 and 0 <= v <= n1 - 1 and 0 <= w <= n2 - 1):
                    labels[a, b, c] = outside
                    for channel in range(channels):
                        image[a, b, c, channel] = 0
                    continue
                # Not below 0, so that cutting off is rounding down.
                labels[a, b, c] = classes[int(u + 0.5), int(v + 0.5), int(w + 0.5)]
                i, j, k = int(u), int(v), int(w)
                u0, u1, u2, u3 = _weights(np.float32(u - i))
                v0, v1, v2, v3 = _weights(np.float32(v - j))
                w0, w1, w2, w3 = _weights(np.float32(w - k))
                if 0 < i < n0 - 2 and 0 < j < n1 - 2 and 0 < k < n2 - 2:
                    for channel in range(channels):
                        spline = splines[channel]
                        s0 = _plane(spline[i - 1], j, k, v0, v1, v2, v3, w0, w1, w2, w3)
                        s1 = _plane(spline[i], j, k, v0, v1, v2, v3, w0, w1, w2, w3)
                        s2 = _plane(spline[i + 1], j, k, v0, v1, v2, v3, w0, w1, w2, w3)
                        s3 = _plane(spline[i + 2], j, k, v0, v1, v2, v3, w0, w1, w2, w3)
                        image[a, b, c, channel] = u0 * s0 + u1 * s1 + u2 * s2 + u3 * s3
                    continue
                for tap in range(4):
                    place[0, tap] = _mirrored(i - 1 + tap, n0)
                    place[1, tap] = _mirrored(j - 1 + tap, n1)
                    place[2, tap] = _mirrored(k - 1 + tap, n2)
                for channel in range(channels):
                    total = np.float32(0)
                    for first in range(4):
                        along = (u0, u1, u2, u3)[first]
                        for second in range(4):
                            row = splines[channel, place[0, first], place[1, second]]
                            sum_ = row[place[2, 0]] * w0 + row[place[2, 1]] * w1 + row[place[2, 2]] * w2 + row[place[2, 3]] * w3
                            total += along * (v0, v1, v2, v3)[second] * sum_
                    image[a, b, c, channel] = total
