"""Compiled loops of prediction: adding a patch into the volume, and the most probable class of every voxel."""

import numpy as np

from workflow_lib.base.compiled import compiled


@compiled
def add_weighted(
    total: np.ndarray, start: np.ndarray, values: np.ndarray, first: np.ndarray, second: np.ndarray, third: np.ndarray
) -> None:
    """Add `values` (a, b, c) float32, times the outer product of the three axes' weights, to `total` from `start` on.

    The last axis of both holds columns and classes together, so that one loop runs over all of them; so do its weights `third`.
    """
    # Read here: in the loop they would be read again after each number that is written.
    above, left, offset = start[0], start[1], start[2]
    for a in range(values.shape[0]):
        for b in range(values.shape[1]):
            weight = first[a] * second[b]
            row, source = total[above + a, left + b, offset : offset + values.shape[2]], values[a, b]
            for c in range(values.shape[2]):
                row[c] += source[c] * (weight * third[c])


@compiled
def most_probable(probabilities: np.ndarray, classes: np.ndarray) -> None:
    """Write the index of the highest value of each row (voxels, n) to `classes` (voxels) uint8; of equal ones the first."""
    for voxel in range(probabilities.shape[0]):
        best, highest = 0, probabilities[voxel, 0]
        for index in range(1, probabilities.shape[1]):
            value = probabilities[voxel, index]
            # Two selections instead of a branch, which would often be guessed wrong.
            higher = value > highest
            highest = value if higher else highest
            best = index if higher else best
        classes[voxel] = best
