"""Resampling as batchgenerators does it for MIScnn: cubic spline for images, one linear interpolation per label for labels.

Two rules exist, named by the version of batchgenerators whose result they give (with scikit-image 0.19 or later, whose `resize`
is SciPy's `zoom`; 0.18 treated the border, and 2-D images altogether, in a third way):

- "batchgenerators-0.21": outside the image is 0; a voxel gets the last label whose indicator is at least one half, else 0.
- "batchgenerators-0.25": the image is mirrored about its outermost voxels; a voxel gets the label with the largest indicator,
  among equal ones that of the nearest voxel, or the first where the nearest voxel's is not among them.

Both interpolations are separable, and samples lie on the same lines for all voxels. For images, prefilter and interpolation of an
axis are folded into one matrix (new size x old size), applied as matrix products (`base.products`). For labels only the voxels
whose corners differ are interpolated at all, in the order of summation of SciPy's `ndimage.zoom`, so that ties at one half fall
as there.
"""

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Literal

import numpy as np

from workflow_lib.base.errors import UserError
from workflow_lib.base.products import Banded, product
from workflow_lib.preprocessing.resample_labels import resample_three_axes

Rule = Literal["batchgenerators-0.21", "batchgenerators-0.25"]

NEGLIGIBLE = 1e-8
"""Spline weights below this are set to 0: they fall off geometrically into float32 denormals, which slow a product twentyfold."""
_CONSTANT_PADDING = 12
"""Number of zero voxels that SciPy pads an image with before it filters it for a constant border."""


def resampled_shape(shape: Sequence[int], spacing: Sequence[float], new_spacing: Sequence[float]) -> tuple[int, ...]:
    """Return floor(shape * (spacing / new_spacing)), axis by axis, as MIScnn computes it; spacings in mm.

    Raises UserError when the numbers of axes differ, a spacing is not positive, or an axis would have no voxel.
    """
    if not len(shape) == len(spacing) == len(new_spacing):
        raise UserError(
            f"preprocessing.spacing has {len(new_spacing)} values, but the image has {len(shape)} axes {tuple(shape)} "
            f"and a spacing of {len(spacing)}. Give one value per axis of the file."
        )
    if not all(np.isfinite(side) and side > 0 for side in (*spacing, *new_spacing)):
        raise UserError(f"spacing must be above 0 on every axis; it is {tuple(spacing)} mm and is to be {tuple(new_spacing)} mm.")
    ratio = np.asarray(spacing, dtype=np.float64) / np.asarray(new_spacing, dtype=np.float64)
    result = tuple(int(side) for side in np.floor(np.asarray(shape) * ratio))
    if min(result) < 1:
        raise UserError(
            f"An image of {_times(shape)} voxels of {_times(spacing)} mm would have the shape {_times(result)} at "
            f"{_times(new_spacing)} mm. Choose a smaller preprocessing.spacing on the axis of length 0."
        )
    return result


def resample_image(
    image: np.ndarray,
    new_shape: Sequence[int],
    rule: Rule = "batchgenerators-0.21",
    prepare: Callable[[np.ndarray], np.ndarray] | None = None,
) -> np.ndarray:
    """Resample one channel of two or three axes to `new_shape` by a cubic spline; returns float32.

    As in batchgenerators, voxels are cells: the edges of both grids meet, not the centres of the outermost voxels. The result is
    limited to the range of the image (with 0, where the border brings it in). It agrees with batchgenerators to 1e-5 of the
    intensity's unit after a z-score. `prepare` turns a plane of the image into float32 (clipping, z-score), so that the image
    need not exist in float32 as a whole.
    """
    shape = _checked_shapes(image, new_shape)
    volume, target = _three_axes(image), (1,) * (3 - len(shape)) + tuple(new_shape)
    matrices = [_spline_matrix(old, new, rule) if old != new else None for old, new in zip(volume.shape, target, strict=True)]
    low, high = np.inf, -np.inf
    planes = np.empty((volume.shape[0], *target[1:]), dtype=np.float32)
    for index, raw in enumerate(volume):
        plane = prepare(raw) if prepare else raw.astype(np.float32)
        low, high = min(low, float(plane.min())), max(high, float(plane.max()))
        planes[index] = _right_product(_left_product(matrices[1], plane), matrices[2])
    result = _left_product(matrices[0], planes.reshape(len(planes), -1)).reshape(target)
    if shape != tuple(new_shape):
        if rule == "batchgenerators-0.21" and not low <= 0 <= high and result.min() <= 0 <= result.max():
            low, high = min(low, 0.0), max(high, 0.0)
        np.clip(result, np.float32(low), np.float32(high), out=result)
    return result.reshape(tuple(new_shape))


def resample_labels(
    classes: np.ndarray, new_shape: Sequence[int], n_classes: int, rule: Rule = "batchgenerators-0.21"
) -> np.ndarray:
    """Resample class indices (uint8, two or three axes) to `new_shape` by one linear interpolation per class; returns uint8.

    Voxel by voxel equal to batchgenerators' `resize_segmentation(classes, new_shape, order=1)`. The way back, from a prediction
    to the original grid, is the same function. `n_classes` bounds the indices: a larger one is refused with ValueError.
    """
    shape = _checked_shapes(classes, new_shape)
    if classes.dtype != np.uint8 or classes.max() >= n_classes:
        raise ValueError(f"classes must be uint8 below {n_classes}, not {classes.dtype} up to {classes.max()}")
    if shape == tuple(new_shape):
        return classes.copy()
    target = (1,) * (3 - len(shape)) + tuple(new_shape)
    return resample_three_axes(_three_axes(classes), target, argmax=rule == "batchgenerators-0.25").reshape(tuple(new_shape))


def _checked_shapes(array: np.ndarray, new_shape: Sequence[int]) -> tuple[int, ...]:
    shape: tuple[int, ...] = array.shape
    if len(shape) not in (2, 3) or len(new_shape) != len(shape) or min(*shape, *new_shape) < 1:
        raise ValueError(f"cannot resample an array of shape {shape} to {tuple(new_shape)}: two or three axes, none empty")
    return shape


def _three_axes(array: np.ndarray) -> np.ndarray:
    return array if array.ndim == 3 else array[np.newaxis]


def _times(numbers: Sequence[float]) -> str:
    return " x ".join(f"{number:g}" for number in numbers)


def _left_product(matrix: Banded | None, array: np.ndarray) -> np.ndarray:
    """Return matrix @ array."""
    return array if matrix is None else product(matrix, array)


def _right_product(array: np.ndarray, matrix: Banded | None) -> np.ndarray:
    """Return array @ matrix.T."""
    return array if matrix is None else product(matrix, array.T).T


@lru_cache(maxsize=32)
def _spline_matrix(old: int, new: int, rule: Rule) -> Banded:
    matrix = spline_matrix(old, new, rule)
    matrix[np.abs(matrix) < NEGLIGIBLE] = 0
    return Banded(matrix.astype(np.float32))


def spline_matrix(old: int, new: int, rule: Rule) -> np.ndarray:
    """Return the matrix (new, old), float64, that resamples a line of `old` values to `new` ones by a cubic spline."""
    from scipy import ndimage

    padding = _CONSTANT_PADDING if rule == "batchgenerators-0.21" else 0
    mode = "grid-constant" if rule == "batchgenerators-0.21" else "mirror"
    coefficients = np.pad(np.eye(old), ((padding, padding), (0, 0)))
    if len(coefficients) > 1:
        coefficients = ndimage.spline_filter1d(coefficients, order=3, axis=0, output=np.float64, mode=mode)
    position = _positions(old, new)
    if padding == 0:
        position = _mirrored(position, old)
    knot = np.floor(position).astype(int)
    matrix = np.zeros((new, old))
    for offset, weight in enumerate(_cubic_weights(position - knot), start=-1):
        index = knot + offset + padding
        if padding == 0:
            index = _mirrored(index, old)
        inside = (index >= 0) & (index < len(coefficients))
        matrix[inside] += weight[inside, np.newaxis] * coefficients[index[inside]]
    return matrix


def _positions(old: int, new: int) -> np.ndarray:
    """Return the positions of the new voxels' centres in indices of the old voxels."""
    positions: np.ndarray = (np.arange(new) + 0.5) * (old / new) - 0.5
    return positions


def _mirrored(position: np.ndarray, size: int) -> np.ndarray:
    """Return positions reflected about the first and the last index until they lie between them."""
    if size == 1:
        return np.zeros_like(position)
    folded = np.abs(position) % (2 * size - 2)
    mirrored: np.ndarray = np.where(folded > size - 1, 2 * size - 2 - folded, folded)
    return mirrored


def _cubic_weights(x: np.ndarray) -> tuple[np.ndarray, ...]:
    """Return the cubic B-spline's weights of the knots -1, 0, 1 and 2 for positions x in [0, 1) after knot 0."""
    y = 1 - x
    return y**3 / 6, (4 - 6 * x**2 + 3 * x**3) / 6, (4 - 6 * y**2 + 3 * y**3) / 6, x**3 / 6
