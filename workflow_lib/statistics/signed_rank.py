"""Paired comparison of losses: all losses are scored on the same cases, so the differences are tested."""

import functools
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from workflow_lib.statistics.holm import adjust, mark
from workflow_lib.statistics.interface import Data
from workflow_lib.statistics.pairs import pairs, score_table

NAME = "signed_rank"
TITLE = "Signed-rank tests, effect sizes"
ORDER = 40
KEYS = ("class", "row", "column")
COLUMNS = {
    "class": "class or region",
    "row": "loss in the row of the triangle",
    "column": "loss in its column, which comes before it in the tables",
    "n": "cases in which both losses have a defined DSC",
    "statistic": "the smaller sum of ranks",
    "p": "two-sided p-value",
    "p_holm": "p adjusted by Holm's method over the pairs of the class",
    "mark": "mark of significance of p_holm: `*`, `**`, `‡`",
    "median_difference": "median of the differences of DSC, row minus column",
    "hodges_lehmann": "Hodges-Lehmann estimate of the shift",
    "hodges_lehmann_low": "lower bound of its interval",
    "hodges_lehmann_high": "upper bound of its interval",
    "rank_biserial": "matched-pairs rank-biserial correlation, -1 to 1",
    "cliffs_delta": "Cliff's delta, -1 to 1",
    "a12": "Vargha and Delaney's A12, the probability that the row's loss scores higher",
    "wins": "cases in which the row's loss scores higher",
    "ties": "cases in which both score the same",
    "losses": "cases in which the row's loss scores lower",
}

_DECIMALS = 12  # rounding errors of equal differences are smaller than this
_EXACT_UP_TO = 50


def compute(data: Data) -> pd.DataFrame:
    """Return the table of a dataset.

    Parameters
    ----------
    data : Data
        Scores and settings of the dataset, and the tables in `NEEDS`.

    Returns
    -------
    pandas.DataFrame
        Table with the columns `COLUMNS`.
    """
    return signed_rank_tests(data.scores, data.losses, data.classes, data.confidence)


def signed_rank_tests(frame: pd.DataFrame, losses: Sequence[str], classes: Sequence[str], confidence: float) -> pd.DataFrame:
    """Return Wilcoxon signed-rank tests and effect sizes of the per-case DSC for every pair of losses.

    The p-values are Holm-adjusted per class. Only cases with a defined score of both losses count (`n`). All
    differences are row minus column, so that a positive effect favours the row.

    Parameters
    ----------
    frame : pandas.DataFrame
        Scores of one dataset, one row per case and class (`loss`, `class`, `case`, `dsc`).
    losses : sequence of str
        The losses in the order of the tables.
    classes : sequence of str
        Classes and regions in the order of the tables.
    confidence : float
        Level of the intervals, such as 0.95.

    Returns
    -------
    pandas.DataFrame
        Table with the columns `COLUMNS`, one row per class and pair. p is 1 if all differences are zero, and
        NaN without common cases.

    References
    ----------
    F. Wilcoxon, Individual Comparisons by Ranking Methods, Biometrics Bulletin 1(6), 1945.

    Examples
    --------
    >>> dsc = {"dice": (0.9, 0.8, 0.7), "focal": (0.6, 0.5, 0.4)}
    >>> rows = [(loss, "kidney", case, value) for loss in dsc for case, value in enumerate(dsc[loss])]
    >>> scores = pd.DataFrame(rows, columns=["loss", "class", "case", "dsc"])
    >>> table = signed_rank_tests(scores, ["dice", "focal"], ["kidney"], 0.95)
    >>> table[["row", "n", "hodges_lehmann", "cliffs_delta", "losses"]].round(4).values.tolist()
    [['focal', 3, -0.3, -1.0, 3]]
    """
    rows = []
    for name in classes:
        table = score_table(frame, losses, name)
        tests: list[dict[str, Any]] = []
        for row, column in pairs(losses):
            both = table[[row, column]].dropna()
            found = compare(both[row].to_numpy(), both[column].to_numpy(), confidence)
            tests.append({"class": name, "row": row, "column": column, **found})
        adjusted = adjust([test["p"] for test in tests])
        rows += [test | {"p_holm": float(p), "mark": mark(float(p))} for test, p in zip(tests, adjusted, strict=True)]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def compare(x: np.ndarray, y: np.ndarray, confidence: float = 0.95) -> dict[str, float]:
    """Return the test and the effect sizes of two paired samples.

    Parameters
    ----------
    x, y : numpy.ndarray
        The samples, without NaN.
    confidence : float
        Level of the intervals, such as 0.95.

    Returns
    -------
    dict of str to float
        The values of the columns in `COLUMNS` from `n` on, except `p_holm` and `mark`.

    Examples
    --------
    >>> found = compare(np.array([0.9, 0.8, 0.7]), np.array([0.8, 0.6, 0.7]))
    >>> [found[key] for key in ("n", "median_difference", "wins", "ties", "losses")]
    [3, 0.1, 2, 1, 0]
    """
    d = np.round(x - y, _DECIMALS)
    statistic, p = signed_rank(d)
    low, high = hodges_lehmann_interval(d, confidence)
    delta = cliffs_delta(x, y)
    return {
        "n": d.size,
        "statistic": statistic,
        "p": p,
        "median_difference": float(np.median(d)) if d.size else math.nan,
        "hodges_lehmann": float(np.median(walsh_averages(d))) if d.size else math.nan,
        "hodges_lehmann_low": low,
        "hodges_lehmann_high": high,
        "rank_biserial": rank_biserial(d),
        "cliffs_delta": delta,
        "a12": (delta + 1) / 2,
        "wins": int(np.sum(d > 0)),
        "ties": int(np.sum(d == 0)),
        "losses": int(np.sum(d < 0)),
    }


def signed_rank(d: np.ndarray) -> tuple[float, float]:
    """Return the smaller rank sum and the two-sided p of Wilcoxon's signed-rank test.

    Zeros are treated by Pratt's method (ranked, then dropped). The normal approximation includes a correction
    for ties, but no continuity correction. If all differences are zero, p is 1, where SciPy gives NaN.

    Parameters
    ----------
    d : numpy.ndarray
        Differences of the pairs.

    Returns
    -------
    (float, float)
        Statistic and p; NaN without differences.

    References
    ----------
    J. W. Pratt, Remarks on Zeros and Ties in the Wilcoxon Signed Rank Procedures, Journal of the American Statistical
    Association 54(287), 1959.

    Examples
    --------
    Here z = (0 - 3) / √3.5.

    >>> statistic, p = signed_rank(np.array([0.1, 0.2, 0.3]))
    >>> statistic, round(p, 4)
    (0.0, 0.1088)
    """
    if d.size == 0:
        return math.nan, math.nan
    if not np.any(d):
        return 0.0, 1.0
    found = stats.wilcoxon(d, zero_method="pratt", correction=False, alternative="two-sided", method="approx")
    return float(found.statistic), float(found.pvalue)


def walsh_averages(d: np.ndarray) -> np.ndarray:
    """Return the means of all pairs of differences, including each difference paired with itself.

    Parameters
    ----------
    d : numpy.ndarray
        n differences.

    Returns
    -------
    numpy.ndarray
        n(n+1)/2 values in ascending order.

    Examples
    --------
    >>> walsh_averages(np.array([0.0, 2.0])).tolist()
    [0.0, 1.0, 2.0]
    """
    first, second = np.triu_indices(d.size)
    return np.sort((d[first] + d[second]) / 2)


def hodges_lehmann_interval(d: np.ndarray, confidence: float) -> tuple[float, float]:
    """Return the distribution-free confidence interval of the Hodges-Lehmann estimate.

    The bounds are Walsh averages at the quantiles of the signed-rank distribution. The quantiles are exact up
    to 50 differences and use the normal approximation for more.

    Parameters
    ----------
    d : numpy.ndarray
        Differences of the pairs.
    confidence : float
        Level of the interval, such as 0.95.

    Returns
    -------
    (float, float)
        The bounds; NaN if the level cannot be reached, such as 95 % with fewer than 6 differences.

    References
    ----------
    M. Hollander, D. A. Wolfe, Nonparametric Statistical Methods, section 3.3.

    Examples
    --------
    >>> hodges_lehmann_interval(np.array([1.0, 2.0, 3.0, 4.0, 5.0, 6.0]), 0.95)
    (1.0, 6.0)
    """
    averages = walsh_averages(d)
    cut = _signed_rank_quantile(d.size, (1 - confidence) / 2)
    if cut < 1:
        return math.nan, math.nan
    return float(averages[cut - 1]), float(averages[averages.size - cut])


@functools.cache
def _signed_rank_quantile(n: int, q: float) -> int:
    """Return the smallest t with P(T <= t) >= q for the signed-rank statistic T of n differences without ties."""
    if n > _EXACT_UP_TO:
        mean, sd = n * (n + 1) / 4, math.sqrt(n * (n + 1) * (2 * n + 1) / 24)
        return math.floor(mean + float(stats.norm.ppf(q)) * sd)
    ways = np.zeros(n * (n + 1) // 2 + 1)
    ways[0] = 1.0
    for rank in range(1, n + 1):
        ways[rank:] = ways[rank:] + ways[:-rank]
    # Division by 2**n comes last, because all counts up to n = 50 are exact integers in float64.
    return int(np.searchsorted(np.cumsum(ways) / 2.0**n, q))


def rank_biserial(d: np.ndarray) -> float:
    """Return the matched-pairs rank-biserial correlation (R+ - R-) / (R+ + R-), with the ranks of the test.

    Parameters
    ----------
    d : numpy.ndarray
        Differences of the pairs.

    Returns
    -------
    float
        Value in [-1, 1]; 0 if all differences are zero, NaN without differences.

    References
    ----------
    D. S. Kerby, The Simple Difference Formula: An Approach to Teaching Nonparametric Correlation, Comprehensive Psychology 3,
    2014.

    Examples
    --------
    >>> round(rank_biserial(np.array([0.1, 0.3, -0.2])), 4)
    0.3333
    """
    if d.size == 0:
        return math.nan
    ranks = stats.rankdata(np.abs(d))
    total = ranks[d != 0].sum()
    return float((ranks[d > 0].sum() - ranks[d < 0].sum()) / total) if total else 0.0


def cliffs_delta(x: np.ndarray, y: np.ndarray) -> float:
    """Return Cliff's delta, P(x > y) - P(x < y), over all pairs of a value of x and a value of y.

    Parameters
    ----------
    x, y : numpy.ndarray
        The samples, without NaN.

    Returns
    -------
    float
        Value in [-1, 1]; NaN if a sample is empty.

    References
    ----------
    N. Cliff, Dominance Statistics: Ordinal Analyses to Answer Ordinal Questions, Psychological Bulletin 114(3), 1993.

    Examples
    --------
    >>> cliffs_delta(np.array([2.0, 3.0]), np.array([1.0, 2.0]))
    0.75
    """
    if x.size == 0 or y.size == 0:
        return math.nan
    ordered = np.sort(y)
    below = np.searchsorted(ordered, x, side="left").sum()
    above = (y.size - np.searchsorted(ordered, x, side="right")).sum()
    return float(below - above) / (x.size * y.size)
