"""Euclidean distances on the voxel grid, exact up to a limit, with operations that all backends compile.

The squared distance to the nearest voxel of a set is separable: along one axis after the other, it is the
minimum of f(j) + (i - j)^2. Only neighbours up to the limit are needed, so a few shifted copies of an
integer array are sufficient. The distances have no gradient.
"""

import math

from workflow_lib.losses._terms import Ops, Tensor, cast

DISTANCE_LIMIT = 64.0
"""Largest limit in voxels. The cost increases with the limit, and twice its square fits into 16 bits."""


def squared_distances(ops: Ops, members: Tensor, limit: float) -> Tensor:
    """Return the squared Euclidean distance from each voxel to the nearest member, exact up to limit**2.

    Voxels outside the grid are not members.

    Parameters
    ----------
    ops : module
        `keras.ops`, or `numpy`.
    members : tensor of bool
        (batch, spatial axes, maps). Each map of each sample is processed separately.
    limit : float
        Largest distance in voxels, at most `DISTANCE_LIMIT`.

    Returns
    -------
    tensor of int16
        Tensor of the same shape; floor(limit**2) + 1 if there is no member within the limit.

    Examples
    --------
    >>> import numpy
    >>> row = numpy.array([True, False, False, False])
    >>> squared_distances(numpy, row.reshape(1, 4, 1), 2.0).ravel().tolist()
    [0, 1, 4, 5]
    """
    reach = math.floor(limit)
    far = math.floor(limit**2) + 1
    # All sums below are at most far + 2 reach. Up to 255 they fit into int8 with an offset, the type that
    # CPUs compare fastest.
    dtype, zero = ("int8", -128) if far + 2 * reach <= 255 else ("int16", 0)
    squares = ops.where(members, ops.array(zero, dtype=dtype), ops.array(far + zero, dtype=dtype))
    for axis in range(1, len(members.shape) - 1):
        length = members.shape[axis]
        squares = _nearest_along(ops, squares, axis, reach if length is None else min(reach, length - 1), far + zero)
    return cast(ops, squares, "int16") - ops.array(zero, dtype="int16")


def _nearest_along(ops: Ops, squares: Tensor, axis: int, reach: int, far: int) -> Tensor:
    """Return the minimum of squares(j) + (i - j)^2 over all j within `reach` of i along the axis.

    Outside the grid, the value is `far`. Step k compares each voxel with its two neighbours plus 2k - 1:
    d steps to one side add at least 1 + 3 + ... + (2d - 1) = d^2. Each step uses only the result of the
    previous one, so that only a few arrays are in memory at a time.
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
