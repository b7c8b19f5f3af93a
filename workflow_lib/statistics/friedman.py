"""The Friedman test: one test of all losses together, with the cases as blocks."""

import math
from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy import stats

from workflow_lib.statistics.interface import Data
from workflow_lib.statistics.pairs import score_table

NAME = "friedman"
TITLE = "Friedman test"
ORDER = 50
KEYS = ("class",)
COLUMNS = {
    "class": "class or region",
    "n": "cases in which every loss has a defined DSC",
    "k": "losses with scores",
    "chi2": "Friedman's statistic, corrected for ties",
    "p": "its p-value",
    "f": "Iman and Davenport's F; `inf` where all cases have the same order",
    "p_f": "its p-value; exact where F is infinite",
    "kendalls_w": "Kendall's W: agreement between the cases, 0 to 1",
}


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
    return friedman_tests(data.scores, data.losses, data.classes)


def friedman_tests(frame: pd.DataFrame, losses: Sequence[str], classes: Sequence[str]) -> pd.DataFrame:
    """Return the Friedman test of the per-case DSC of each class, for cases with a defined DSC for every loss.

    Parameters
    ----------
    frame : pandas.DataFrame
        Scores of one dataset, one row per case and class (`loss`, `class`, `case`, `dsc`).
    losses : sequence of str
        The losses in the order of the tables. Losses without scores of the class are excluded.
    classes : sequence of str
        Classes and regions in the order of the tables.

    Returns
    -------
    pandas.DataFrame
        Table with the columns `COLUMNS`, one row per class; NaN with fewer than three losses or no cases.

    References
    ----------
    M. Friedman, The Use of Ranks to Avoid the Assumption of Normality Implicit in the Analysis of Variance, Journal of the
    American Statistical Association 32(200), 1937.

    Examples
    --------
    >>> dsc = {"dice": (0.9, 0.8), "focal": (0.6, 0.5), "combo": (0.7, 0.6)}
    >>> rows = [(loss, "kidney", case, value) for loss in dsc for case, value in enumerate(dsc[loss])]
    >>> scores = pd.DataFrame(rows, columns=["loss", "class", "case", "dsc"])
    >>> friedman_tests(scores, list(dsc), ["kidney"])[["n", "k", "chi2", "kendalls_w"]].values.tolist()
    [[2.0, 3.0, 4.0, 1.0]]
    """
    rows = []
    for name in classes:
        table = score_table(frame, losses, name).dropna(axis="columns", how="all").dropna()
        rows.append({"class": name, "n": table.shape[0], "k": table.shape[1], **friedman(table.to_numpy())})
    return pd.DataFrame(rows, columns=list(COLUMNS))


def friedman(scores: np.ndarray) -> dict[str, float]:
    """Return Friedman's chi-square, Iman and Davenport's F and Kendall's W.

    chi2 is corrected for ties and has k - 1 degrees of freedom. F = (n-1) chi2 / (n(k-1) - chi2) has k - 1
    and (k-1)(n-1) degrees of freedom. W = chi2 / (n(k-1)) is 0 without agreement between the cases, and 1
    if all cases have the same order of losses. In the latter case, F is infinite and p_f is the exact
    probability of the same order in all cases. If all losses are tied in every case, chi2 = F = W = 0 and
    p = 1.

    Parameters
    ----------
    scores : numpy.ndarray
        Scores of shape (cases, losses), without NaN.

    Returns
    -------
    dict of str to float
        `chi2`, `p`, `f`, `p_f` and `kendalls_w`. All are NaN with fewer than three losses or no cases;
        with one case, `f` and `p_f` are NaN unless all losses are tied.

    References
    ----------
    R. L. Iman, J. M. Davenport, Approximations of the Critical Region of the Friedman Statistic, Communications in Statistics
    A9(6), 1980.

    Examples
    --------
    >>> {key: round(value, 4) for key, value in friedman(np.array([[0.9, 0.6, 0.7], [0.8, 0.5, 0.6]])).items()}
    {'chi2': 4.0, 'p': 0.1353, 'f': inf, 'p_f': 0.1667, 'kendalls_w': 1.0}
    """
    n, k = scores.shape
    if n < 1 or k < 3:
        return dict.fromkeys(("chi2", "p", "f", "p_f", "kendalls_w"), math.nan)
    if np.all(scores == scores[:, :1]):
        return {"chi2": 0.0, "p": 1.0, "f": 0.0, "p_f": 1.0, "kendalls_w": 0.0}
    chi2, p = (float(value) for value in stats.friedmanchisquare(*scores.T))
    most = n * (k - 1)
    ranks = stats.rankdata(scores, axis=1)
    f, p_f = math.nan, math.nan
    if n > 1 and np.all(ranks == ranks[0]):
        f, p_f = math.inf, same_order_probability(ranks[0], n)
    elif n > 1:
        f = (n - 1) * chi2 / (most - chi2)
        p_f = float(stats.f.sf(f, k - 1, (k - 1) * (n - 1)))
    return {"chi2": chi2, "p": p, "f": f, "p_f": p_f, "kendalls_w": min(chi2 / most, 1.0)}


def same_order_probability(ranks: np.ndarray, n: int) -> float:
    """Return the probability that all cases rank the losses in the same order, under the null hypothesis.

    Equal ranks are ties. There are k! / (t1! t2! ...) distinct arrangements of the ranks, which are equally
    likely in each case. The arrangement of the first case is arbitrary. Each further case has the same
    arrangement with the probability 1 / (number of arrangements). No other ranks give such a large
    statistic, so this is the exact p of Friedman's test. The F distribution, an approximation for many
    cases, would give 0.

    Parameters
    ----------
    ranks : numpy.ndarray
        Ranks of the losses in one case.
    n : int
        Number of cases.

    Returns
    -------
    float
        Probability in (0, 1].

    Examples
    --------
    >>> same_order_probability(np.array([1.0, 2.0]), 3)
    0.25
    """
    ties = (math.factorial(int(count)) for count in np.unique(ranks, return_counts=True)[1])
    return float(math.factorial(ranks.size) // math.prod(ties)) ** (1 - n)
