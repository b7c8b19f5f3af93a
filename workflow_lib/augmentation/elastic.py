"""Elastic displacement fields with the distribution of those of batchgenerators, at a small part of the cost.

In batchgenerators, every component of the displacement is white noise U(-1, 1) on the grid of the patch,
smoothed by a separable Gaussian filter (truncated at 4 sigma, zero outside the patch) and multiplied by alpha.
Each value is a sum over many voxels. The field is therefore Gaussian, except for terms of the order of the
inverse number of voxels. Its covariance is separable: alpha**2 / 3 times the product of W W' over the axes,
where W is the filter as a (patch, patch) matrix.

Here the noise is Gaussian, on cells of at most sigma / 3 voxels per axis. W becomes a (patch, cells) matrix
with the kernel of the filter at the centres of the cells, scaled so that a cell has the variance of the voxels
that it replaces. Mean, variance and covariance are equal, including the damping near the border of the patch.
For the default sigmas, every entry of W W' differs by at most 0.3 % of the largest. With cells of one voxel, W is
the filter itself.
"""

import math
from collections.abc import Sequence

import numpy as np

from workflow_lib.base.products import Banded, product

CELLS_PER_SIGMA = 3
TRUNCATE = 4.0
"""Truncation of the kernel in units of sigma, the default of scipy.ndimage.gaussian_filter."""


def smoothing_matrix(size: int, sigma: float) -> np.ndarray:
    """Return L, (size, cells) float32; L L' is the covariance of filtered white noise with unit variance."""
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
    """Return a random displacement in voxels, (axes, *patch) float32, for all voxels and axes of the patch."""
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
