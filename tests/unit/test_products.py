"""Matrix products are those of NumPy up to rounding, with every sum from left to right."""

import numpy as np
import pytest

from workflow_lib.base.products import Banded, product

RNG = np.random.default_rng(5)


def from_left_to_right(matrix, array):
    result = np.zeros((len(matrix), array.shape[1]), array.dtype)
    for column in range(matrix.shape[1]):
        result += matrix[:, column, np.newaxis] * array[column]
    return result


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("rows", "columns", "n"), [(1, 1, 1), (5, 7, 3), (9, 4, 1025), (30, 41, 2050)])
def test_sums_run_from_left_to_right(dtype, rows, columns, n):
    matrix, array = RNG.standard_normal((rows, columns)).astype(dtype), RNG.standard_normal((columns, n)).astype(dtype)
    found = product(matrix, array)
    assert found.dtype == dtype
    np.testing.assert_array_equal(found, from_left_to_right(matrix, array))
    np.testing.assert_array_equal(product(matrix, np.asfortranarray(array)), found)


def test_what_stands_beside_a_band_is_left_out():
    matrix = np.where(np.abs(np.subtract.outer(np.arange(12) * 1.5, np.arange(20))) < 3, RNG.standard_normal((12, 20)), 0)
    matrix[4] = 0
    array = RNG.standard_normal((20, 11))
    banded = Banded(matrix)
    assert banded.weights.shape == (12, 6)
    np.testing.assert_allclose(product(banded, array), matrix @ array, atol=1e-14)
    stack = RNG.standard_normal((3, 20, 11))
    np.testing.assert_array_equal(product(banded, stack), [product(banded, one) for one in stack])
