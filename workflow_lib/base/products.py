"""Matrix products whose sums are made in one order, so that a result follows from the numbers alone.

NumPy's products go through BLAS, which rounds by its number of threads and by the kind of processor.
"""

import numpy as np


class Banded:
    """A matrix whose weights stand near the diagonal: of each row, as many as the widest needs, from column `first` on."""

    def __init__(self, matrix: np.ndarray) -> None:
        rows, columns = matrix.shape
        used = matrix != 0
        first = np.where(used.any(axis=1), used.argmax(axis=1), 0)
        end = np.where(used.any(axis=1), columns - used[:, ::-1].argmax(axis=1), 1)
        width = int(np.max(end - first))
        self.first = np.minimum(first, columns - width)
        self.weights = np.stack([matrix[row, self.first[row] : self.first[row] + width] for row in range(rows)])


def product(matrix: "Banded | np.ndarray", array: np.ndarray) -> np.ndarray:
    """Return matrix @ array, both of the same floating-point type; an array of three axes is a stack of matrices."""
    # Compiled on first use, and imported here: a program that multiplies nothing does not need it.
    from workflow_lib.base import _kernels

    if isinstance(matrix, Banded):
        first, weights = matrix.first, matrix.weights
    else:
        first, weights = np.zeros(len(matrix), dtype=np.intp), np.ascontiguousarray(matrix)
    stack = np.ascontiguousarray(array if array.ndim == 3 else array[np.newaxis])
    result = np.empty((len(stack), len(weights), stack.shape[2]), dtype=array.dtype)
    _kernels.banded_products(first, weights, stack, result)
    return result if array.ndim == 3 else result[0]
