"""Contrast, brightness, gamma and noise as MIScnn 1.4.0 applies them (through batchgenerators).

Their statistics are those of the whole volume. A patch needs only its own voxels all the same: the case's histogram goes through
the same functions as the voxels, and tells mean and deviation after every one of them.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

GAMMA_EPSILON = 1e-7
STD_EPSILON = 1e-8
"""Both as in batchgenerators, against divisions by zero in a volume of one value."""


@dataclass(frozen=True)
class Distribution:
    """The intensities of one channel of a whole volume: values with their counts, and the statistics."""

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

    A bin stands for its middle; the first and the last stand for the minimum and the maximum themselves, where clipping and
    empty background heap up voxels.
    """
    bins = len(counts)
    values = minimum + (np.arange(bins) + 0.5) * ((maximum - minimum) / bins)
    values[0], values[-1] = minimum, maximum
    return Distribution(values, np.asarray(counts, dtype=np.float64), minimum, maximum, mean, std)


def contrast(values: np.ndarray, factor: float, volume: Distribution) -> np.ndarray:
    """Multiply the distance from the volume's mean by `factor`; the volume's range is kept by clipping."""
    result = values * factor
    result += volume.mean * (1 - factor)
    return np.clip(result, volume.minimum, volume.maximum, out=result)


def brightness(values: np.ndarray, factor: float) -> np.ndarray:
    """Multiply the intensity by `factor`."""
    return values * factor


def gamma(values: np.ndarray, exponent: float, volume: Distribution) -> np.ndarray:
    """Raise the intensity, scaled to [0, 1] over the volume's range, to `exponent`; the volume's mean and deviation are kept."""
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
    # Rounding can leave the darkest voxels just below 0, where the power is not a number.
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
    """Return one channel of a block after contrast, brightness and gamma in this order; None leaves one out.

    `volume` is the distribution of the whole volume before; it takes every step along.
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
    """Add Gaussian noise of standard deviation `std`, drawn anew for every voxel and channel, in float32.

    MIScnn's "variance" is this standard deviation.
    """
    result = rng.standard_normal(values.shape, dtype=np.float32)
    result *= np.float32(std)
    result += values
    return result
