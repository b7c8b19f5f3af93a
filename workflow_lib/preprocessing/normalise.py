"""Clipping and z-score, as MIScnn's subfunctions Clipping and Normalization define them."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import numpy as np

SMOOTH = 1e-6
"""MIScnn's term against a division by zero, which it also adds to the numerator."""


@dataclass(frozen=True)
class Normalisation:
    """An intensity transform: clip to a range (or not), then (x - mean + 1e-6) / (std + 1e-6) (or not, where mean is None)."""

    clip: tuple[float, float] | None = None
    mean: float | None = None
    std: float | None = None

    def apply(self, values: np.ndarray) -> np.ndarray:
        """Return the transformed values, float32, C-contiguous; the input is not modified."""
        result = clipped(values, self.clip).astype(np.float32, order="C", copy=True)
        if self.mean is not None and self.std is not None:
            shift, scale = np.float32(self.mean - SMOOTH), 1 / (self.std + SMOOTH)
            result -= shift
            result *= np.float32(scale)
            # The rounding error of the mean in float32: it matters if the deviation is small compared with the mean.
            result -= np.float32((self.mean - SMOOTH - float(shift)) * scale)
        return result


def measure(image: np.ndarray, clip: tuple[float, float] | None, method: Literal["z-score", "none"]) -> Normalisation:
    """Return the transform of an image of any type and shape: mean and standard deviation of all its values after clipping.

    Accumulated in float64, one index of the first axis at a time.
    """
    if method == "none":
        return Normalisation(clip)
    mean, std = mean_and_std(clipped(plane, clip) for plane in image)
    return Normalisation(clip, mean, std)


def clipped(values: np.ndarray, clip: tuple[float, float] | None) -> np.ndarray:
    """Return the values limited to a range; integers stay integers if the limits are whole numbers."""
    if clip is None:
        return values
    low, high = clip
    if values.dtype.kind in "iu" and float(low).is_integer() and float(high).is_integer():
        # Limits outside the range of the type have no effect, but NumPy rejects them.
        limits = np.iinfo(values.dtype)
        if low <= limits.max and high >= limits.min:
            integers: np.ndarray = np.clip(values, max(int(low), limits.min), min(int(high), limits.max))
            return integers
    limited: np.ndarray = np.clip(values if values.dtype.kind == "f" else values.astype(np.float64), low, high)
    return limited


def mean_and_std(planes: Iterable[np.ndarray]) -> tuple[float, float]:
    """Return mean and population standard deviation of all values, in float64, from one pass over the planes.

    Planes are joined by the pairwise update of Chan, Golub and LeVeque (1983), which does not cancel.
    """
    # Compiled on first use. A scalar product would go through BLAS, which rounds by its number of threads.
    from workflow_lib.preprocessing import _kernels

    count, mean, squares, own_squares = 0, 0.0, 0.0, np.empty(1)
    for plane in planes:
        values = plane.astype(np.float64).ravel()
        size = values.size
        own_mean = float(values.mean())
        _kernels.squared_deviations(values, own_mean, own_squares)
        shift = own_mean - mean
        squares += float(own_squares[0]) + shift * shift * count * size / (count + size)
        mean += shift * size / (count + size)
        count += size
    return mean, float(np.sqrt(squares / count))
