"""The compiled loop of matrix products."""

import numpy as np

from workflow_lib.base.compiled import compiled

_TILE = 1024
"""Columns of a product that are made at once: a row of them stays in the processor's first cache."""


@compiled
def banded_products(first: np.ndarray, weights: np.ndarray, arrays: np.ndarray, results: np.ndarray) -> None:
    """Write the products of a banded matrix and `arrays` (number, columns, n) to `results` (number, rows, n), all of one type.

    `weights` (rows, width): of each row those from the column `first` on. Every sum runs from left to right.
    """
    rows, width = weights.shape
    for number in range(len(arrays)):
        array, result = arrays[number], results[number]
        for start in range(0, array.shape[1], _TILE):
            end = min(start + _TILE, array.shape[1])
            for row in range(rows):
                out = result[row, start:end]
                out[:] = 0
                column, done = first[row], 0
                # Four weights at once: the sums are read and written a quarter as often.
                while done + 4 <= width:
                    weight_0, weight_1 = weights[row, done], weights[row, done + 1]
                    weight_2, weight_3 = weights[row, done + 2], weights[row, done + 3]
                    line_0, line_1 = array[column + done, start:end], array[column + done + 1, start:end]
                    line_2, line_3 = array[column + done + 2, start:end], array[column + done + 3, start:end]
                    for n in range(end - start):
                        out[n] = (
                            out[n] + weight_0 * line_0[n] + weight_1 * line_1[n] + weight_2 * line_2[n] + weight_3 * line_3[n]
                        )
                    done += 4
                while done < width:
                    for n in range(end - start):
                        out[n] += weights[row, done] * array[column + done, start + n]
                    done += 1
