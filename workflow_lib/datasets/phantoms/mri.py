"""A synthetic contrast-enhanced T1 MRI of a skull-stripped brain with a ring-enhancing tumour.

Axes as in BraTS20: from the patient's right to left, from front to back, from below to above.
Positions are in mm from the centre of the image, in this order; intensities are in arbitrary units, 0 outside the brain.
"""

import numpy as np
from scipy import ndimage

from workflow_lib.datasets.phantoms.shapes import Space, paint, smooth_field

EXTENT = (240.0, 240.0, 155.0)
"""Size of a BraTS image in mm, from which the spacing follows."""
WHITE, GREY, FLUID, VESSEL = 420.0, 340.0, 130.0, 720.0
NECROSIS, OEDEMA, ENHANCING = 1, 2, 4


def make(
    shape: tuple[int, int, int], rng: np.random.Generator, enhancing: bool
) -> tuple[np.ndarray, np.ndarray, tuple[float, float, float]]:
    """Return image (int16) and mask (int16) of `shape`, and the voxel size in mm. `enhancing`: whether label 4 occurs."""
    a, b, c = (extent / side for extent, side in zip(EXTENT, shape, strict=True))
    space = Space.of(shape, (a, b, c), rng, warp=2.5)
    brain = space.ellipsoid((0, 0, 0), (rng.uniform(64, 72), rng.uniform(80, 90), rng.uniform(60, 68)))
    image = np.zeros(shape, dtype=np.float32)
    _paint_brain(image, space, rng, brain)
    mask = _paint_tumour(image, space, rng, brain, enhancing)
    outside = brain < 0
    mask[outside] = 0
    return _degrade(image, rng, outside), mask, (a, b, c)


def _paint_brain(image: np.ndarray, space: Space, rng: np.random.Generator, brain: np.ndarray) -> None:
    """Paint folded cortex, white matter, ventricles, and the vessels and membranes that also take up contrast agent."""
    folds = 4 * smooth_field(rng, image.shape, (14, 18, 12))
    paint(image, space.share(brain), FLUID + 60)
    paint(image, space.share(brain + folds - 5), GREY)
    paint(image, space.share(brain + 2 * folds - 14), WHITE)
    across, along, up = space.positions
    for side in (-1, 1):
        paint(image, space.share(space.ellipsoid((side * 24, 4, 0), (10, 22, 13))), GREY)
        paint(image, space.share(space.ellipsoid((side * 11, -2, 10), (7, 30, 9), side * 0.25)), FLUID)
        paint(image, space.share(space.ellipsoid((side * 14, 18, 6), (3.5, 8, 4))), VESSEL)
    midline = np.minimum(1.2 - np.abs(across), 24 - brain)
    paint(image, space.share(midline) * (brain > 0), 0.8 * VESSEL)
    paint(image, space.share(np.minimum(4.5 - np.abs(across), 7 - brain)) * (up > 10) * (brain > 0), VESSEL)
    for _ in range(rng.integers(5, 9)):
        level, reach = rng.uniform(-35, 30), rng.uniform(-50, 50)
        course = reach + 10 * np.sin(across / rng.uniform(8, 16) + rng.uniform(0, 6))
        tube = rng.uniform(1.8, 3.2) - np.hypot(along - course, up - level)
        start = rng.uniform(-55, 20)
        inside = (across > start) & (across < start + rng.uniform(20, 40)) & (brain > 4)
        paint(image, space.share(tube) * inside, VESSEL)


def _paint_tumour(image: np.ndarray, space: Space, rng: np.random.Generator, brain: np.ndarray, enhancing: bool) -> np.ndarray:
    """Paint a core, an enhancing rim of uneven width, and oedema around both. Return the mask."""
    radius = float(rng.uniform(17, 27))
    reachable = np.argwhere((brain > 0.9 * radius) & (np.abs(space.positions[0]) > 14))
    spot = tuple(reachable[rng.integers(len(reachable))])
    centre = [float(axis[spot]) for axis in space.positions]
    depth = space.ellipsoid(centre, tuple(radius * rng.uniform(0.8, 1.2, size=3)), rng.uniform(0, np.pi))
    depth += 2.0 * smooth_field(rng, image.shape, (10, 10, 8))
    rim = rng.uniform(6, 10) + 2.0 * smooth_field(rng, image.shape, (12, 12, 9))
    swelling = depth + rng.uniform(9, 16) + 4 * smooth_field(rng, image.shape, (9, 9, 7))
    mask = np.zeros(image.shape, dtype=np.int16)
    paint(image, 0.75 * space.share(swelling) * (brain > 3), 290.0)
    mask[swelling > 0] = OEDEMA
    brightness = rng.uniform(540, 720) + 40 * smooth_field(rng, image.shape, (16, 16, 12))
    paint(image, space.share(depth), brightness if enhancing else 250.0)
    mask[depth > 0] = ENHANCING if enhancing else NECROSIS
    core = depth - np.maximum(rim, 0.8)
    paint(image, space.share(core), 210.0)
    mask[core > 0] = NECROSIS
    return mask


def _degrade(image: np.ndarray, rng: np.random.Generator, outside: np.ndarray) -> np.ndarray:
    """Blur, add the uneven brightness of the coil, Rician noise and an arbitrary scale. Voxels outside the brain remain 0."""
    blurred = ndimage.gaussian_filter(image, 0.4)
    blurred *= 1 + 0.07 * smooth_field(rng, image.shape, (3, 3, 3))
    real, imaginary = (rng.uniform(14, 24) * rng.standard_normal(image.shape) for _ in range(2))
    magnitude = np.hypot(blurred + real, imaginary) * rng.uniform(0.6, 1.8)
    magnitude[outside] = 0
    rounded: np.ndarray = np.clip(np.rint(magnitude), 0, 32767).astype(np.int16)
    return rounded
