"""The random parameters of the augmentation of one patch."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from workflow_lib.study.sections.augmentation import Augmentation
from workflow_lib.study.sections.section import Range


@dataclass(frozen=True)
class Parameters:
    """The random parameters of one patch; None for changes that are not applied.

    There is one factor or exponent per channel. `angles` are in radians: around the axes x, y, z in 3-D, one
    angle in 2-D. `elastic` is (alpha, sigma). A patch with a spatial change has a `centre` (fractional voxel
    coordinates). Other patches have a first voxel `start`, which is negative if the volume is smaller than
    the patch. Both refer to the mirrored volume.
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
        """Whether the patch is interpolated because of a rotation, scaling or elastic deformation."""
        return self.elastic is not None or self.angles is not None or self.scale is not None


def draw(
    settings: Augmentation, rng: np.random.Generator, shape: Sequence[int], patch: Sequence[int], channels: int
) -> Parameters:
    """Draw the changes of a patch of a volume of `shape`, and their parameters.

    Every kind of change is applied independently with `settings.probability`. If `settings.mirror` is true,
    every axis is mirrored with the probability 0.5.
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

    As in batchgenerators, the last possible position is never drawn, because the upper bound is exclusive. A
    volume that is not larger than the patch is centred in it, so that the start is 0 or negative.
    """
    gaps = [size - side for size, side in zip(shape, patch, strict=True)]
    return tuple(int(rng.integers(0, gap)) if gap > 0 else gap // 2 for gap in gaps)


def draw_centre(rng: np.random.Generator, shape: Sequence[int], patch: Sequence[int]) -> tuple[float, ...]:
    """Draw the centre of an interpolated patch uniformly, at least half a patch from both borders of the volume.

    If the volume is smaller than the patch, the two bounds are exchanged, as in batchgenerators.
    """
    return tuple(uniform((side // 2, size - side // 2), rng) for size, side in zip(shape, patch, strict=True))


def uniform(limits: Range, rng: np.random.Generator) -> float:
    """Draw uniformly between two limits, which can be in any order."""
    return limits[0] + (limits[1] - limits[0]) * rng.random()


def around_one(limits: Range, rng: np.random.Generator) -> float:
    """Draw a factor: with probability 0.5 uniformly below 1, and otherwise uniformly above 1.

    If both limits are on the same side of 1, the factor is uniform between them.
    """
    low, high = limits
    if low < 1 < high:
        return uniform((low, 1), rng) if rng.random() < 0.5 else uniform((1, high), rng)
    return uniform(limits, rng)
