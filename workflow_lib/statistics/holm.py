"""Correction for several tests, and the marks of significance."""

import contextlib
import gc
import math
from collections.abc import Iterator, Sequence

import numpy as np

SIGNIFICANT = 0.05
"""An adjusted p below it is called significant."""

LEVELS = ((0.001, "‡"), (0.01, "**"), (0.05, "*"))
"""The marks of the paper: the first level that p is below."""


def adjust(p: Sequence[float] | np.ndarray) -> np.ndarray:
    """Return p-values adjusted by Holm's step-down method.

    NaN stays NaN and does not count as a test; statsmodels would count it.

    Parameters
    ----------
    p : sequence of float
        p-values.

    Returns
    -------
    numpy.ndarray
        The adjusted ones in the same order, at most 1.

    References
    ----------
    S. Holm, A Simple Sequentially Rejective Multiple Test Procedure, Scandinavian Journal of Statistics 6(2), 1979.

    Examples
    --------
    >>> adjust([0.01, 0.04, 0.03]).round(4).tolist()
    [0.03, 0.06, 0.06]
    """
    # Imported here: statsmodels takes a second, and the report needs the marks below only.
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
    """Within the block, a full garbage collection looks only at objects that are made within it.

    statsmodels collects garbage at every correction. The more is alive, the longer that takes: a quarter of a
    second in a test process (under load), for the arithmetic of a few numbers.
    What others have frozen is thawed, too, which costs time at a later collection and nothing else.
    """
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


def mark(p: float) -> str:
    """Return the paper's mark of significance of an unrounded p.

    Parameters
    ----------
    p : float
        Adjusted p-value, or NaN.

    Returns
    -------
    str
        ‡ for p < 0.001, ** for p < 0.01, * for p < 0.05, else nothing.

    Examples
    --------
    >>> [mark(p) for p in (0.0009, 0.009, 0.04, 0.05)]
    ['‡', '**', '*', '']
    """
    if math.isnan(p):
        return ""
    return next((sign for level, sign in LEVELS if p < level), "")
