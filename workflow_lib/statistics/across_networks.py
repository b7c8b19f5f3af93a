"""Agreement of two networks on the ranking of losses: Kendall's tau of their rankings by mean score."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

DIGITS = 12
"""Means are rounded to this number of decimals, because smaller differences are rounding errors of sums."""


@dataclass(frozen=True)
class Agreement:
    """Agreement of two rankings.

    `losses` is the number of common losses, `tau` is tau-b, `p` its exact p-value, and `smallest_p` the
    smallest possible p-value for this number of losses.
    """

    losses: int
    tau: float
    p: float
    smallest_p: float


def rank_agreement(one: Mapping[str, float], other: Mapping[str, float]) -> Agreement:
    """Return how well two rankings of losses agree.

    Parameters
    ----------
    one, other : mapping of str to float
        Mean score of each loss with each of the two networks. Losses that are not in both, or whose mean is
        NaN, are excluded.

    Returns
    -------
    Agreement
        `tau` is Kendall's tau-b. It is NaN with fewer than two losses, or if all losses are tied. `p` is the
        exact two-sided p-value under the hypothesis that the rankings are independent. It is NaN if losses
        are tied. It treats the means as fixed and does not include their variation between trainings.
        `smallest_p` is 2/n!, the p-value of two equal rankings.

    References
    ----------
    M. G. Kendall, A New Measure of Rank Correlation, Biometrika 30, 1938.

    Examples
    --------
    >>> rank_agreement({"dice": 0.8, "focal": 0.7, "combo": 0.9}, {"dice": 0.5, "focal": 0.4, "combo": 0.6, "tversky": 0.1})
    Agreement(losses=3, tau=1.0, p=0.3333333333333333, smallest_p=0.3333333333333333)
    """
    # Imported here because the import takes a second, which would delay --help.
    from scipy import stats

    both = [loss for loss in one if not math.isnan(one[loss]) and not math.isnan(other.get(loss, math.nan))]
    number = len(both)
    pairs = [(round(one[loss], DIGITS), round(other[loss], DIGITS)) for loss in both]
    kinds = [len(set(values)) for values in zip(*pairs, strict=True)] or [0, 0]
    if min(kinds) < 2:
        return Agreement(number, math.nan, math.nan, math.nan)
    tied = min(kinds) < number
    result = stats.kendalltau(*zip(*pairs, strict=True), variant="b", method="asymptotic" if tied else "exact")
    p = math.nan if tied else float(result.pvalue)
    return Agreement(number, float(result.statistic), p, min(1.0, 2 / math.factorial(number)))
