"""Compiled loops of the surface distances: the exact Euclidean distance transform (Felzenszwalb and Huttenlocher 2012)."""

import numpy as np

from workflow_lib.base.compiled import compiled


@compiled
def squared_distances(targets: np.ndarray, wanted: np.ndarray, spacing: np.ndarray, distances: np.ndarray) -> None:
    """Fill `distances` float32 with the squared distance of voxels to the nearest of `targets` (bool), both of three axes.

    Only for lines along the first axis that are `wanted` (bool, the other two axes); elsewhere the values are undefined.
    `spacing` in mm per axis, float64; the distances are in mm squared, infinite if there is no target.
    """
    n0, n1, n2 = targets.shape
    for a in range(n0):
        for b in range(n1):
            _along_line(targets[a, b], spacing[2], distances[a, b])
    longest = max(n0, n1)
    values = np.empty(longest, np.float64)
    vertex = np.empty(longest, np.int64)
    border = np.empty(longest + 1, np.float64)
    for a in range(n0):
        for c in range(n2):
            _envelope(distances[a, :, c], spacing[1], values, vertex, border)
    for b in range(n1):
        for c in range(n2):
            if wanted[b, c]:
                _envelope(distances[:, b, c], spacing[0], values, vertex, border)


@compiled
def _along_line(targets: np.ndarray, side: float, distances: np.ndarray) -> None:
    """Fill a line with squared distances to the nearest target in it, by a sweep from either end."""
    n = targets.shape[0]
    gap = np.inf
    for i in range(n):
        gap = 0.0 if targets[i] else gap + side
        distances[i] = gap * gap
    gap = np.inf
    for i in range(n - 1, -1, -1):
        gap = 0.0 if targets[i] else gap + side
        if gap * gap < distances[i]:
            distances[i] = gap * gap


@compiled
def _envelope(line: np.ndarray, side: float, values: np.ndarray, vertex: np.ndarray, border: np.ndarray) -> None:
    """Replace f by min over q of f(q) + (side (p - q))^2: the lower envelope of a parabola at every finite value."""
    n = line.shape[0]
    last = -1
    for q in range(n):
        values[q] = line[q]
        if values[q] == np.inf:
            continue
        place = -np.inf
        while last >= 0:
            v = vertex[last]
            place = ((values[q] - values[v]) / (side * side) + q * q - v * v) / (2.0 * (q - v))
            if place > border[last]:
                break
            last -= 1
        if last < 0:
            place = -np.inf
        last += 1
        vertex[last], border[last] = q, place
    if last < 0:
        return
    current = 0
    for p in range(n):
        while current < last and border[current + 1] < p:
            current += 1
        step = side * (p - vertex[current])
        line[p] = step * step + values[vertex[current]]
