"""Building blocks of the phantoms: bodies with soft edges, in mm, and smooth random fields."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

Vector = Sequence[float]


def smooth_field(rng: np.random.Generator, shape: Sequence[int], knots: Sequence[int]) -> np.ndarray:
    """Return a smooth random field (float32) of mean 0 and standard deviation 1, interpolated from a grid of `knots` draws."""
    coarse = rng.standard_normal(tuple(knots)).astype(np.float32)
    factors = [side / knot for side, knot in zip(shape, knots, strict=True)]
    field = ndimage.zoom(coarse, factors, order=3, mode="nearest", grid_mode=True)
    normalised: np.ndarray = (field - field.mean()) / field.std()
    return normalised


@dataclass(frozen=True)
class Space:
    """Positions of the voxels in mm from the centre of the image, one array per axis of the file, and the width of an edge."""

    positions: tuple[np.ndarray, np.ndarray, np.ndarray]
    edge: float

    @classmethod
    def of(cls, shape: Sequence[int], spacing: Vector, rng: np.random.Generator, warp: float) -> "Space":
        """Return the positions of a grid, with smooth random displacements of standard deviation `warp` mm."""
        axes = [(np.arange(n, dtype=np.float32) - (n - 1) / 2) * mm for n, mm in zip(shape, spacing, strict=True)]
        grid = np.meshgrid(*axes, indexing="ij")
        bent = [axis + warp * smooth_field(rng, shape, (5, 7, 7)) for axis in grid]
        return cls((bent[0], bent[1], bent[2]), float(np.mean(spacing)))

    def ellipsoid(self, centre: Vector, radii: Vector, tilt: float = 0.0) -> np.ndarray:
        """Return the approximate depth of each voxel inside an ellipsoid in mm, negative outside.

        `tilt` rotates it in the plane of the first two axes (radians). An infinite radius makes it a cylinder.
        """
        a, b, c = (position - middle for position, middle in zip(self.positions, centre, strict=True))
        if tilt:
            a, b = np.cos(tilt) * a + np.sin(tilt) * b, np.cos(tilt) * b - np.sin(tilt) * a
        radius = np.sqrt((a / radii[0]) ** 2 + (b / radii[1]) ** 2 + (c / radii[2]) ** 2)
        depth: np.ndarray = (1 - radius) * min(radii)
        return depth

    def share(self, depth: np.ndarray) -> np.ndarray:
        """Return the fraction of each voxel that a body fills, in [0, 1], from the depth in mm.

        It models the partial volume effect.
        """
        filled: np.ndarray = np.clip(0.5 + depth / self.edge, 0, 1)
        return filled


def paint(image: np.ndarray, share: np.ndarray, value: float | np.ndarray) -> None:
    """Blend the value of a body into the image in place, weighted by its share of each voxel."""
    image += share * (value - image)
