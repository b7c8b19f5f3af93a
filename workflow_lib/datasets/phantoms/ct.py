"""A synthetic contrast-enhanced CT of the abdomen with kidneys, a tumour in one of them, and organs of similar density.

Axes as in KiTS19: slices from head to feet, rows from front to back, columns from the patient's right to left.
Positions are in mm from the centre of the image, in this order; densities are in Hounsfield units (HU).
"""

import numpy as np
from scipy import ndimage

from workflow_lib.datasets.phantoms.shapes import Space, paint, smooth_field

EXTENT = (128.0, 340.0, 340.0)
"""Size of the image in mm, from which the spacing follows."""
AIR, FAT, MUSCLE, WATER = -1000.0, -100.0, 58.0, 8.0
KIDNEY, TUMOUR = 1, 2

Vector3 = tuple[float, float, float]
Vector3i = tuple[int, int, int]


def make(shape: Vector3i, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, Vector3]:
    """Return image (int16) and mask (uint8) of about `shape` voxels, and the voxel size in mm.

    The slice thickness varies by 25 % around its mean, which also changes the number of slices. The pixel size varies by 5 %.
    """
    thickness = EXTENT[0] / shape[0] * rng.uniform(0.75, 1.25)
    grid = (max(1, round(EXTENT[0] / thickness)), shape[1], shape[2])
    pixel = EXTENT[1] / shape[1] * rng.uniform(0.95, 1.05)
    spacing = (round(thickness, 2), round(pixel, 6), round(pixel, 6))
    space = Space.of(grid, spacing, rng, warp=3.0)
    image = np.full(grid, AIR, dtype=np.float32)
    phase = rng.uniform(0, 1)
    cavity = _paint_trunk(image, space, rng)
    _paint_organs(image, space, rng, phase, cavity)
    mask = _paint_kidneys(image, space, rng, phase)
    _add_islands(mask, rng)
    return _degrade(image, rng), mask, spacing


def _paint_trunk(image: np.ndarray, space: Space, rng: np.random.Generator) -> np.ndarray:
    """Paint the couch, skin, fat, muscle wall, spine and the muscles next to it.

    Return the depth of each voxel inside the wall in mm.
    """
    endless = float("inf")
    width, height = rng.uniform(140, 154), rng.uniform(98, 112)
    fat, wall = rng.uniform(10, 26), rng.uniform(7, 12)
    couch = np.minimum(space.positions[1] - height - 6, height + 12 - space.positions[1])
    paint(image, space.share(couch), -250.0)
    for margin, value in ((0.0, 20.0), (3.0, FAT), (fat, MUSCLE), (fat + wall, FAT)):
        paint(image, space.share(space.ellipsoid((0, 0, 0), (endless, height - margin, width - margin))), value)
    for side in (-1, 1):
        paint(image, space.share(space.ellipsoid((0, 82, side * 34), (endless, 17, 27))), MUSCLE)
        paint(image, space.share(space.ellipsoid((30, 52, side * 36), (110, 17, 15))), MUSCLE + 5)
    bone = rng.uniform(170, 260)
    paint(image, space.share(space.ellipsoid((0, 56, 0), (endless, 17, 22))), bone + 150)
    paint(image, space.share(space.ellipsoid((0, 56, 0), (endless, 13, 18))), bone)
    paint(image, space.share(space.ellipsoid((0, 82, 0), (endless, 9, 10))), 35.0)
    return space.ellipsoid((0, 0, 0), (endless, height - fat - wall, width - fat - wall))


def _paint_organs(image: np.ndarray, space: Space, rng: np.random.Generator, phase: float, cavity: np.ndarray) -> None:
    """Paint liver, spleen, stomach, great vessels and bowel, some of them as dense as kidney or tumour."""
    endless = float("inf")
    shift = rng.uniform(-12, 12)
    liver, spleen = rng.uniform(85, 115), rng.uniform(100, 130)
    for _ in range(rng.integers(18, 26)):
        centre = (rng.uniform(-20, 64), rng.uniform(-72, 12), rng.uniform(-100, 100))
        density = rng.choice([rng.uniform(15, 60), rng.uniform(60, 130), rng.uniform(120, 260), -750.0], p=[0.45, 0.2, 0.2, 0.15])
        radii = tuple(rng.uniform(10, 21, size=3))
        loop = space.ellipsoid(centre, radii, rng.uniform(0, np.pi))
        paint(image, space.share(np.minimum(loop, cavity)), float(density))
    paint(image, space.share(np.minimum(space.ellipsoid((shift - 45, -18, -62), (68, 66, 68)), cavity)), liver)
    paint(image, space.share(np.minimum(space.ellipsoid((shift - 50, 18, 98), (42, 42, 24)), cavity)), spleen)
    paint(image, space.share(np.minimum(space.ellipsoid((shift - 48, -45, 48), (36, 30, 44)), cavity)), rng.uniform(15, 60))
    paint(image, space.share(space.ellipsoid((0, 28, 9), (endless, 9, 9))), 250 - 90 * phase)
    paint(image, space.share(space.ellipsoid((0, 26, -16), (endless, 9, 11))), 110 + 40 * phase)


def _paint_kidneys(image: np.ndarray, space: Space, rng: np.random.Generator, phase: float) -> np.ndarray:
    """Paint both kidneys, a cyst with probability 0.4 in each, and a tumour on one of them. Return the mask."""
    mask = np.zeros(image.shape, dtype=np.uint8)
    sick = rng.choice([-1, 1])
    cortex, medulla = 205 - 35 * phase, 110 + 50 * phase
    density = rng.uniform(-12, 12)
    for side in (-1, 1):
        centre = (rng.uniform(-12, 12) + (8 if side < 0 else 0), rng.uniform(34, 44), side * rng.uniform(60, 72))
        radii = (rng.uniform(38, 48), rng.uniform(19, 24), rng.uniform(21, 26))
        depth = space.ellipsoid(centre, radii, rng.uniform(-0.3, 0.3)) + 1.5 * smooth_field(rng, image.shape, (6, 12, 12))
        paint(image, space.share(depth), cortex + density)
        paint(image, space.share(depth - 6), medulla + density)
        sinus = space.ellipsoid((centre[0], centre[1] - 4, centre[2] - side * 16), (20, 9, 12))
        paint(image, space.share(sinus), FAT + 40)
        mask[(depth > 0) & (sinus < 0)] = KIDNEY
        if rng.random() < 0.4:
            _paint_cyst(image, mask, space, rng, centre, radii, depth)
        if side == sick:
            _paint_tumour(image, mask, space, rng, centre, radii, medulla)
    return mask


def _on_surface(rng: np.random.Generator, centre: Vector3, radii: Vector3) -> Vector3:
    """Return a random point near the kidney's surface, away from the side of the vessels."""
    direction = rng.standard_normal(3)
    direction[2] = np.sign(centre[2]) * abs(direction[2])
    direction *= rng.uniform(0.75, 1.05) / np.linalg.norm(direction)
    a, b, c = (float(m + r * d) for m, r, d in zip(centre, radii, direction, strict=True))
    return a, b, c


def _paint_cyst(
    image: np.ndarray,
    mask: np.ndarray,
    space: Space,
    rng: np.random.Generator,
    centre: Vector3,
    radii: Vector3,
    kidney: np.ndarray,
) -> None:
    """Paint a cyst, labelled as kidney as in KiTS19."""
    radius = rng.uniform(6, 11)
    depth = space.ellipsoid(_on_surface(rng, centre, radii), (radius, radius, radius))
    paint(image, space.share(depth), WATER)
    mask[(depth > 0) & (kidney > -8)] = KIDNEY


def _paint_tumour(
    image: np.ndarray,
    mask: np.ndarray,
    space: Space,
    rng: np.random.Generator,
    centre: Vector3,
    radii: Vector3,
    kidney_density: float,
) -> None:
    """Paint a lobed tumour with weaker, uneven enhancement, and a darker core if it is large."""
    radius = float(np.exp(rng.uniform(np.log(14), np.log(28))))
    depth = space.ellipsoid(
        _on_surface(rng, centre, radii), tuple(radius * rng.uniform(0.85, 1.15, size=3)), rng.uniform(0, np.pi)
    )
    depth += 1.5 * smooth_field(rng, image.shape, (8, 16, 16))
    density = rng.uniform(45, 0.7 * kidney_density) + 12 * smooth_field(rng, image.shape, (10, 24, 24))
    paint(image, space.share(depth), density)
    if radius > 16:
        paint(image, space.share(depth - 0.55 * radius), 25.0)
    mask[depth > 0] = TUMOUR


def _add_islands(mask: np.ndarray, rng: np.random.Generator) -> None:
    """In a third of the cases, label a few single voxels near the tumour, like errors of manual annotation."""
    if rng.random() > 1 / 3:
        return
    tumour = np.argwhere(mask == TUMOUR)
    for _ in range(rng.integers(1, 4)):
        voxel = tumour[rng.integers(len(tumour))] + rng.integers(-3, 4, size=3)
        mask[tuple(np.clip(voxel, 0, np.array(mask.shape) - 1))] = TUMOUR


def _degrade(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Blur like the scanner, add uneven brightness and correlated noise, and round to HU."""
    blurred = ndimage.gaussian_filter(image, (0.3, 0.5, 0.5))
    blurred += 5 * smooth_field(rng, image.shape, (3, 4, 4))
    noise = ndimage.gaussian_filter(rng.standard_normal(image.shape).astype(np.float32), (0.2, 0.6, 0.6))
    blurred += rng.uniform(10, 18) * noise / noise.std()
    rounded: np.ndarray = np.clip(np.rint(blurred), -1024, 3071).astype(np.int16)
    return rounded
