"""Elastic displacement fields with the distribution of batchgenerators' at a small part of the cost.

There, every component of the displacement is white noise U(-1, 1) on the patch's grid, smoothed by a separable Gaussian
filter (cut at 4 sigma, zero outside the patch) and multiplied by alpha. Such a field is a sum over very many voxels, so it is
Gaussian but for terms of their inverse number, and its covariance factors by axis: alpha**2 / 3 times the product of W W'
over the axes, W the filter as a (patch, patch) matrix.

Here the noise is Gaussian and lives on cells of at most sigma / 3 voxels an axis; W becomes a (patch, cells) matrix of the
filter's kernel at the cells' middles, scaled so that a cell carries the variance of the voxels it stands for. What is matched:
mean, variance and covariance, the damping towards the patch's border included; for the default sigmas every entry of W W' lies
within 0.3 % of its largest. With cells of one voxel, W is the filter itself.
"""

import math
from collections.abc import Sequence

import numpy as np

from workflow_lib.base.products import Banded, product

CELLS_PER_SIGMA = 3
TRUNCATE = 4.0
"""Where the kernel ends, in sigmas: the default of scipy.ndimage.gaussian_filter."""


def smoothing_matrix(size: int, sigma: float) -> np.ndarray:
    """Return L, (size, cells) float32, with L L' equal to the covariance of filtered white noise of unit variance."""
    sigma = max(sigma, 1e-3)
    cells = min(size, math.ceil(CELLS_PER_SIGMA * size / sigma))
    width = size / cells
    middles = (np.arange(cells) + 0.5) * width - 0.5
    radius = int(TRUNCATE * sigma + 0.5)
    total = np.exp(-0.5 * (np.arange(-radius, radius + 1) / sigma) ** 2).sum()
    distance = np.abs(np.arange(size)[:, None] - middles)
    kernel = np.exp(-0.5 * (distance / sigma) ** 2) / total
    kernel[distance > radius + 0.5] = 0
    matrix: np.ndarray = (kernel * math.sqrt(width)).astype(np.float32)
    return matrix


def elastic_displacement(patch: Sequence[int], alpha: float, sigma: float, rng: np.random.Generator) -> np.ndarray:
    """Return a random displacement of every voxel of the patch along every axis, (axes, *patch) float32, in voxels."""
    axes = [smoothing_matrix(size, sigma) for size in patch]
    axes[0] = axes[0] * np.float32(alpha / math.sqrt(3))
    *others, last = axes
    banded = [Banded(matrix) for matrix in others]
    field = np.empty((len(patch), *patch), dtype=np.float32)
    for component in field:
        noise = rng.standard_normal([matrix.shape[1] for matrix in axes], dtype=np.float32)
        # The last axis before the one in the middle, whose lines are then long.
        smooth = product(banded[0], noise.reshape(len(noise), -1))
        smooth = product(smooth.reshape(-1, last.shape[1]), last.T)
        component[...] = smooth if len(banded) == 1 else product(banded[1], smooth.reshape(len(component), -1, last.shape[0]))
    return field
