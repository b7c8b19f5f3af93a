"""Compiled loops of prediction: addition of a patch to the volume, and the most probable class of a voxel."""

import numpy as np

from workflow_lib.base.compiled import compiled


@compiled
def add_weighted(
    total: np.ndarray, start: np.ndarray, values: np.ndarray, first: np.ndarray, second: np.ndarray, third: np.ndarray
) -> None:
    """Add `values` (a, b, c) float32, multiplied by the weights of the three axes, to `total` at `start`.

    The last axis of both arrays combines columns and classes, so that one loop covers both. Its weights
    `third` have the same layout.
    """
    # Read before the loop. Inside, they would be read again after each write.
    above, left, offset = start[0], start[1], start[2]
    for a in range(values.shape[0]):
        for b in range(values.shape[1]):
            weight = first[a] * second[b]
            row, source = total[above + a, left + b, offset : offset + values.shape[2]], values[a, b]
            for c in range(values.shape[2]):
                row[c] += source[c] * (weight * third[c])


@compiled
def most_probable(probabilities: np.ndarray, classes: np.ndarray) -> None:
    """Write the index of the largest value in each row (voxels, n) to `classes` (voxels) uint8.

    Of equal values, the first is used.
    """
    for voxel in range(probabilities.shape[0]):
        best, highest = 0, probabilities[voxel, 0]
        for index in range(1, probabilities.shape[1]):
            value = probabilities[voxel, index]
            # Two conditional moves instead of a branch, which would often be mispredicted.
            higher = value > highest
            highest = value if higher else highest
            best = index if higher else best
        classes[voxel] = best
