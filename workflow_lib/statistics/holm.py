"""Correction for multiple tests, and the marks of significance."""

import contextlib
import gc
import math
from collections.abc import Iterator, Sequence

import numpy as np

SIGNIFICANT = 0.05
"""An adjusted p below this level is called significant."""

LEVELS = ((0.001, "‡"), (0.01, "**"), (0.05, "*"))
"""The marks of the paper. The mark of a p-value is that of the first level above p."""


def adjust(p: Sequence[float] | np.ndarray) -> np.ndarray:
    """Return p-values adjusted by Holm's step-down method.

    NaN remains NaN and does not count as a test. In statsmodels it would count.

    Parameters
    ----------
    p : sequence of float
        The p-values.

    Returns
    -------
    numpy.ndarray
        The adjusted p-values in the same order, at most 1.

    References
    ----------
    S. Holm, A Simple Sequentially Rejective Multiple Test Procedure, Scandinavian Journal of Statistics 6(2), 1979.

    Examples
    --------
    >>> adjust([0.01, 0.04, 0.03]).round(4).tolist()
    [0.03, 0.06, 0.06]
    """
    # Imported here because the import of statsmodels takes a second, and the report needs only the marks.
    from statsmodels.stats.multitest import multipletests

    values = np.asarray(p, dtype=float)
    adjusted = np.full(values.shape, np.nan)
    valid = ~np.isnan(values)
    if valid.any():
        with _nothing_to_collect():
            adjusted[valid] = multipletests(values[valid], method="holm")[1]
    return adjusted


@contextlib.contextmanager
def _nothing_to_collect() -> Iterator[None]:
    """Within the block, limit garbage collections to objects that are created in the block.

    statsmodels runs a full garbage collection at every correction. Its duration increases with the number of
    live objects: it was a quarter of a second in a test process (under load).
    At the end, objects that other code froze are also unfrozen. The only effect is a longer collection later.
    """
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


def mark(p: float) -> str:
    """Return the mark of significance of the paper for an unrounded p-value.

    Parameters
    ----------
    p : float
        Adjusted p-value, or NaN.

    Returns
    -------
    str
        ‡ for p < 0.001, ** for p < 0.01, * for p < 0.05, else an empty string.

    Examples
    --------
    >>> [mark(p) for p in (0.0009, 0.009, 0.04, 0.05)]
    ['‡', '**', '*', '']
    """
    if math.isnan(p):
        return ""
    return next((sign for level, sign in LEVELS if p < level), "")
