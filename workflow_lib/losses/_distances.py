"""Euclidean distances on the voxel grid, exact up to a limit, in operations that every backend compiles.

The squared distance to the nearest voxel of a set separates by axes: the smallest f(j) + (i - j)^2 along one axis after another.
Only neighbours up to the limit count, so a few shifted copies of a map of small integers do. No gradient runs through them.
"""

import math

from workflow_lib.losses._terms import Ops, Tensor, cast

DISTANCE_LIMIT = 64.0
"""Greatest limit in voxels: the cost grows with it, and twice its square fits into 16 bits."""


def squared_distances(ops: Ops, members: Tensor, limit: float) -> Tensor:
    """Return the squared Euclidean distance in voxels from each voxel to the nearest member, exact up to limit**2, as int16.

    `members`: boolean (batch, spatial axes, maps); every map of every sample for itself. Where no member lies within the limit
    (at most `DISTANCE_LIMIT`) the result is floor(limit**2) + 1. No member lies outside the grid.
    """
    reach = math.floor(limit)
    far = math.floor(limit**2) + 1
    # No sum below exceeds far + reach**2. Up to 255 that fits into signed bytes, the type that CPUs compare fastest.
    dtype, zero = ("int8", -128) if far + reach**2 <= 255 else ("int16", 0)
    squares = ops.where(members, ops.array(zero, dtype=dtype), ops.array(far + zero, dtype=dtype))
    for axis in range(1, len(members.shape) - 1):
        length = members.shape[axis]
        squares = _nearest_along(ops, squares, axis, reach if length is None else min(reach, length - 1), far + zero)
    return cast(ops, squares, "int16") - ops.array(zero, dtype="int16")


def _nearest_along(ops: Ops, squares: Tensor, axis: int, reach: int, far: int) -> Tensor:
    """Return the smallest of squares(j) + (i - j)^2 over the j within `reach` of each i along the axis; `far` beyond the grid."""
    widths = [[0, 0] for _ in squares.shape]
    widths[axis] = [reach, reach]
    padded = ops.pad(squares, widths, constant_values=far)
    window: list[slice] = [slice(None)] * len(squares.shape)
    nearest = squares
    for step in range(1, reach + 1):
        window[axis] = slice(reach - step, -reach - step)
        before = padded[tuple(window)]
        window[axis] = slice(reach + step, step - reach if step < reach else None)
        after = padded[tuple(window)]
        nearest = ops.minimum(nearest, ops.minimum(before, after) + ops.array(step * step, dtype=squares.dtype))
    return nearest
