"""Euclidean distances on the voxel grid, exact up to a limit, in operations that every backend compiles.

The squared distance to the nearest voxel of a set separates by axes: the smallest f(j) + (i - j)^2 along one axis after another.
Only neighbours up to the limit count, so a few shifted copies of a map of small integers do. No gradient runs through them.
"""

import math

from workflow_lib.losses._terms import Ops, Tensor, cast

DISTANCE_LIMIT = 64.0
"""Greatest limit in voxels: the cost grows with it, and twice its square fits into 16 bits."""


def squared_distances(ops: Ops, members: Tensor, limit: float) -> Tensor:
    """Return the squared Euclidean distance from each voxel to the nearest member, exact up to limit**2.

    No member lies outside the grid.

    Parameters
    ----------
    ops : module
        `keras.ops`, or `numpy`.
    members : tensor of bool
        (batch, spatial axes, maps); every map of every sample for itself.
    limit : float
        In voxels, at most `DISTANCE_LIMIT`.

    Returns
    -------
    tensor of int16
        Of the same shape; floor(limit**2) + 1 where no member lies within the limit.

    Examples
    --------
    >>> import numpy
    >>> row = numpy.array([True, False, False, False])
    >>> squared_distances(numpy, row.reshape(1, 4, 1), 2.0).ravel().tolist()
    [0, 1, 4, 5]
    """
    reach = math.floor(limit)
    far = math.floor(limit**2) + 1
    # No sum below exceeds far + 2 reach. Up to 255 that fits into signed bytes, the type that CPUs compare fastest.
    dtype, zero = ("int8", -128) if far + 2 * reach <= 255 else ("int16", 0)
    squares = ops.where(members, ops.array(zero, dtype=dtype), ops.array(far + zero, dtype=dtype))
    for axis in range(1, len(members.shape) - 1):
        length = members.shape[axis]
        squares = _nearest_along(ops, squares, axis, reach if length is None else min(reach, length - 1), far + zero)
    return cast(ops, squares, "int16") - ops.array(zero, dtype="int16")


def _nearest_along(ops: Ops, squares: Tensor, axis: int, reach: int, far: int) -> Tensor:
    """Return the smallest of squares(j) + (i - j)^2 over the j within `reach` of each i along the axis; `far` beyond the grid.

    Step k looks one voxel to both sides, for 2k - 1 more: d steps to one side cost at least 1 + 3 + ... + (2d - 1) = d^2. Each
    step needs the one before, so that no more than a few maps are alive at a time.
    """
    widths = [[0, 0] for _ in squares.shape]
    widths[axis] = [reach, reach]
    nearest = ops.pad(squares, widths, constant_values=far)
    before, here, after = ([slice(None)] * len(squares.shape) for _ in range(3))
    before[axis], here[axis], after[axis] = slice(None, -2), slice(1, -1), slice(2, None)
    for step in range(1, reach + 1):
        neighbours = ops.minimum(nearest[tuple(before)], nearest[tuple(after)])
        nearest = ops.minimum(nearest[tuple(here)], neighbours + ops.array(2 * step - 1, dtype=squares.dtype))
    return nearest
