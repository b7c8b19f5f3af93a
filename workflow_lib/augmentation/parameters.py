"""What is drawn for one patch, apart from applying it."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from workflow_lib.study.sections.augmentation import Augmentation
from workflow_lib.study.sections.section import Range


@dataclass(frozen=True)
class Parameters:
    """The draws of one patch; None where a kind is not applied. Factors and exponents are one per channel.

    `angles` are in radians: around the axes x, y, z in 3-D, one in 2-D. `elastic` is (alpha, sigma). A patch with a spatial
    change has its `centre` (voxel coordinates, fractional), one without has its first voxel `start` (negative where the volume
    is smaller); both in the volume as mirrored.
    """

    mirrored: tuple[bool, ...]
    contrast: tuple[float, ...] | None = None
    brightness: tuple[float, ...] | None = None
    gamma: tuple[float, ...] | None = None
    noise: float | None = None
    elastic: tuple[float, float] | None = None
    angles: tuple[float, ...] | None = None
    scale: float | None = None
    start: tuple[int, ...] = ()
    centre: tuple[float, ...] = ()

    @property
    def spatial(self) -> bool:
        """Whether the patch is interpolated: a rotation, scaling or elastic deformation was drawn."""
        return self.elastic is not None or self.angles is not None or self.scale is not None


def draw(
    settings: Augmentation, rng: np.random.Generator, shape: Sequence[int], patch: Sequence[int], channels: int
) -> Parameters:
    """Draw which changes a patch of a volume of `shape` undergoes, and how strong.

    Every kind has the probability `settings.probability` of its own; mirroring is always on, with 0.5 per axis.
    """

    def chosen(limits: Range | None) -> Range | None:
        return limits if limits is not None and rng.random() < settings.probability else None

    mirrored = tuple(bool(rng.random() < 0.5) for _ in shape) if settings.mirror else (False,) * len(shape)
    contrast = brightness = gamma = angles = None
    noise = elastic = scale = None
    if limits := chosen(settings.contrast):
        contrast = tuple(around_one(limits, rng) for _ in range(channels))
    if limits := chosen(settings.brightness):
        brightness = tuple(uniform(limits, rng) for _ in range(channels))
    if limits := chosen(settings.gamma):
        gamma = tuple(around_one(limits, rng) for _ in range(channels))
    if limits := chosen(settings.noise):
        noise = uniform(limits, rng)
    if limits := chosen(settings.elastic_alpha):
        elastic = (uniform(limits, rng), uniform(settings.elastic_sigma, rng))
    if limits := chosen(settings.rotation):
        angles = tuple(math.radians(uniform(limits, rng)) for _ in range(3 if len(shape) == 3 else 1))
    if limits := chosen(settings.scaling):
        scale = around_one(limits, rng)
    drawn = Parameters(mirrored, contrast, brightness, gamma, noise, elastic, angles, scale)
    if drawn.spatial:
        return replace(drawn, centre=draw_centre(rng, shape, patch))
    return replace(drawn, start=draw_start(rng, shape, patch))


def draw_start(rng: np.random.Generator, shape: Sequence[int], patch: Sequence[int]) -> tuple[int, ...]:
    """Draw the first voxel of a plain crop.

    As in batchgenerators the last possible position is never drawn (an upper bound taken as exclusive), and a volume that is not
    larger than the patch lies in its middle, which gives a start of 0 or below.
    """
    gaps = [size - side for size, side in zip(shape, patch, strict=True)]
    return tuple(int(rng.integers(0, gap)) if gap > 0 else gap // 2 for gap in gaps)


def draw_centre(rng: np.random.Generator, shape: Sequence[int], patch: Sequence[int]) -> tuple[float, ...]:
    """Draw the centre of an interpolated patch: uniform, half a patch away from both borders of the volume.

    Where the volume is smaller than the patch the two bounds change places, as in batchgenerators.
    """
    return tuple(uniform((side // 2, size - side // 2), rng) for size, side in zip(shape, patch, strict=True))


def uniform(limits: Range, rng: np.random.Generator) -> float:
    """Draw uniformly between two limits, in either order."""
    return limits[0] + (limits[1] - limits[0]) * rng.random()


def around_one(limits: Range, rng: np.random.Generator) -> float:
    """Draw a factor from limits on both sides of 1: half the time below 1, half the time above, uniformly in either part.

    Limits on one side of 1 are drawn from uniformly.
    """
    low, high = limits
    if low < 1 < high:
        return uniform((low, 1), rng) if rng.random() < 0.5 else uniform((1, high), rng)
    return uniform(limits, rng)
