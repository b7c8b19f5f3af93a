"""Contrast, brightness, gamma and noise as in MIScnn 1.4.0 (with batchgenerators).

The changes depend on statistics of the whole volume, but only the voxels of the patch are read. The functions
are also applied to the histogram of the case, which gives the mean and the standard deviation after each of
them.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

GAMMA_EPSILON = 1e-7
STD_EPSILON = 1e-8
"""Both as in batchgenerators, to prevent division by zero in a constant volume."""


@dataclass(frozen=True)
class Distribution:
    """The intensities of one channel of a whole volume: values with counts, and statistics."""

    values: np.ndarray
    counts: np.ndarray
    minimum: float
    maximum: float
    mean: float
    std: float

    def mapped(self, function: Callable[[np.ndarray], np.ndarray]) -> "Distribution":
        """Return the distribution after an increasing function of the intensity."""
        values = function(self.values)
        ends = function(np.array([self.minimum, self.maximum]))
        total = self.counts.sum()
        mean = float((self.counts * values).sum() / total)
        variance = float((self.counts * (values - mean) ** 2).sum() / total)
        return Distribution(values, self.counts, float(ends[0]), float(ends[1]), mean, float(np.sqrt(variance)))


def distribution(counts: np.ndarray, minimum: float, maximum: float, mean: float, std: float) -> Distribution:
    """Return the distribution of a histogram of equal bins over [minimum, maximum].

    The value of a bin is its centre. The first and the last bin have the minimum and the maximum, because
    clipping and empty background give many voxels with these values.
    """
    bins = len(counts)
    values = minimum + (np.arange(bins) + 0.5) * ((maximum - minimum) / bins)
    values[0], values[-1] = minimum, maximum
    return Distribution(values, np.asarray(counts, dtype=np.float64), minimum, maximum, mean, std)


def contrast(values: np.ndarray, factor: float, volume: Distribution) -> np.ndarray:
    """Multiply the difference from the mean of the volume by `factor`, and clip to the range of the volume."""
    result = values * factor
    result += volume.mean * (1 - factor)
    return np.clip(result, volume.minimum, volume.maximum, out=result)


def brightness(values: np.ndarray, factor: float) -> np.ndarray:
    """Multiply the intensity by `factor`."""
    return values * factor


def gamma(values: np.ndarray, exponent: float, volume: Distribution) -> np.ndarray:
    """Raise the intensity, scaled to [0, 1] over the range of the volume, to `exponent`.

    The result is scaled to the original mean and standard deviation of the volume.
    """
    after = volume.mapped(lambda levels: _power(levels, exponent, volume))
    result = _power(values, exponent, volume)
    slope = volume.std / (after.std + STD_EPSILON)
    result *= slope
    result += volume.mean - after.mean * slope
    return result


def _power(values: np.ndarray, exponent: float, volume: Distribution) -> np.ndarray:
    width = volume.maximum - volume.minimum + GAMMA_EPSILON
    result = values - volume.minimum
    result *= 1 / width
    # After rounding, the darkest voxels can be just below 0, where the power is NaN.
    np.maximum(result, 0, out=result)
    np.power(result, exponent, out=result)
    result *= width
    result += volume.minimum
    return result


def change_intensity(
    values: np.ndarray,
    volume: Distribution,
    contrast_factor: float | None,
    brightness_factor: float | None,
    gamma_exponent: float | None,
) -> np.ndarray:
    """Return one channel of a block after contrast, brightness and gamma, in this order; None omits one.

    `volume` is the distribution of the whole volume before the changes. It is transformed with every change.
    """
    if contrast_factor is not None:
        before, factor = volume, contrast_factor
        values = contrast(values, factor, before)
        volume = before.mapped(lambda levels: contrast(levels, factor, before))
    if brightness_factor is not None:
        multiplier = brightness_factor
        values = brightness(values, multiplier)
        volume = volume.mapped(lambda levels: brightness(levels, multiplier))
    if gamma_exponent is not None:
        values = gamma(values, gamma_exponent, volume)
    return values


def noise(values: np.ndarray, std: float, rng: np.random.Generator) -> np.ndarray:
    """Add independent Gaussian noise of standard deviation `std` to every voxel and channel, in float32.

    MIScnn uses the name "variance" for this standard deviation.
    """
    result = rng.standard_normal(values.shape, dtype=np.float32)
    result *= np.float32(std)
    result += values
    return result
