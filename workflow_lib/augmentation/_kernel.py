"""The interpolation of a warp in one loop over the patch's voxels, written to be compiled by Numba.

Coordinates, cubic image and nearest class of a voxel are computed together, so that nothing of the patch's size lies in
between. It is plain Python too, which the tests hold against SciPy; `warp` uses it where Numba is installed, and SciPy's
functions elsewhere, with the same values but for rounding.
"""

import functools
import importlib
import importlib.util
from collections.abc import Callable

import numpy as np

Kernel = Callable[
    [np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray, int],
    None,
]


def interpolate(
    splines: np.ndarray,
    classes: np.ndarray,
    matrix: np.ndarray,
    centre: np.ndarray,
    displacement: np.ndarray,
    image: np.ndarray,
    labels: np.ndarray,
    outside: int,
) -> None:
    """Fill `image` (p, q, r, channels) and `labels` (p, q, r) from coefficients (channels, x, y, z) and classes (x, y, z).

    The coefficients are those of the cubic B-spline. coordinate = (voxel - middle + displacement) matrix + centre,
    with `displacement` (3, p, q, r), or (3, 0, 0, 0) for none.
    The spline continues by reflection about the border voxels; a coordinate beyond them gives 0 and the class `outside`.
    """
    shape = classes.shape
    patch = labels.shape
    deformed = displacement.shape[1] > 0
    point, place = np.empty(3), np.empty(3)
    index = np.empty((3, 4), np.int64)
    weight = np.empty((3, 4), np.float32)
    for x in range(patch[0]):
        for y in range(patch[1]):
            for z in range(patch[2]):
                point[0], point[1], point[2] = x - (patch[0] - 1) / 2, y - (patch[1] - 1) / 2, z - (patch[2] - 1) / 2
                if deformed:
                    for axis in range(3):
                        point[axis] += displacement[axis, x, y, z]
                inside = True
                for axis in range(3):
                    place[axis] = (
                        point[0] * matrix[0, axis] + point[1] * matrix[1, axis] + point[2] * matrix[2, axis] + centre[axis]
                    )
                    inside = inside and 0 <= place[axis] <= shape[axis] - 1
                if not inside:
                    image[x, y, z, :] = 0
                    labels[x, y, z] = outside
                    continue
                labels[x, y, z] = classes[int(place[0] + 0.5), int(place[1] + 0.5), int(place[2] + 0.5)]
                for axis in range(3):
                    last = shape[axis] - 1
                    base = int(place[axis])
                    for tap in range(4):
                        reflected = abs(base - 1 + tap)
                        if reflected > last:
                            reflected = abs(2 * last - reflected)
                        index[axis, tap] = min(reflected, last)
                    after = np.float32(place[axis] - base)
                    before = np.float32(1) - after
                    weight[axis, 0] = before * before * before / np.float32(6)
                    weight[axis, 1] = np.float32(2 / 3) - after * after * (np.float32(1) - after / np.float32(2))
                    weight[axis, 2] = np.float32(2 / 3) - before * before * (np.float32(1) - before / np.float32(2))
                    weight[axis, 3] = after * after * after / np.float32(6)
                for channel in range(image.shape[3]):
                    total = np.float32(0)
                    for i in range(4):
                        for j in range(4):
                            line = splines[channel, index[0, i], index[1, j]]
                            row = np.float32(0)
                            for k in range(4):
                                row += weight[2, k] * line[index[2, k]]
                            total += weight[0, i] * weight[1, j] * row
                    image[x, y, z, channel] = total


@functools.cache
def compiled() -> Kernel | None:
    """Return `interpolate` as machine code, which other threads run beside; None without Numba. Compiled at its first call."""
    if importlib.util.find_spec("numba") is None:
        return None
    kernel: Kernel = importlib.import_module("numba").njit(nogil=True, error_model="numpy")(interpolate)
    return kernel
