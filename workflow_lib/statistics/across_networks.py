"""Whether two networks rank the same losses alike: Kendall's tau between their rankings by mean score."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

DIGITS = 12
"""Means that agree in so many decimals are a tie: what is left are rounding errors of sums."""


@dataclass(frozen=True)
class Agreement:
    """Of two rankings: how many losses both have, tau-b, its exact p, the smallest p that so few losses can give."""

    losses: int
    tau: float
    p: float
    smallest_p: float


def rank_agreement(one: Mapping[str, float], other: Mapping[str, float]) -> Agreement:
    """Return how well two rankings of losses agree.

    Parameters
    ----------
    one, other : mapping of str to float
        Mean score of each loss with each of the two networks. Losses that only one of them has, or whose mean is NaN, are left
        out.

    Returns
    -------
    Agreement
        `tau` is Kendall's tau-b, NaN with fewer than two losses or where all losses tie. `p` is two-sided and exact, under the
        hypothesis that the rankings have nothing to do with each other; NaN where losses tie. It speaks of these means as they
        are: how far they would move with other trainings, it does not see. `smallest_p` is 2/n!, that of two equal rankings.

    References
    ----------
    M. G. Kendall, A New Measure of Rank Correlation, Biometrika 30, 1938.

    Examples
    --------
    >>> rank_agreement({"dice": 0.8, "focal": 0.7, "combo": 0.9}, {"dice": 0.5, "focal": 0.4, "combo": 0.6, "tversky": 0.1})
    Agreement(losses=3, tau=1.0, p=0.3333333333333333, smallest_p=0.3333333333333333)
    """
    # Imported here: it takes a second, which a look at --help need not wait for.
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
