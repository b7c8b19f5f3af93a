"""One test of all losses together, each case a block."""

import math
from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy import stats

from workflow_lib.statistics.pairs import score_table

COLUMNS = ("class", "n", "k", "chi2", "p", "f", "p_f", "kendalls_w")


def friedman_tests(frame: pd.DataFrame, losses: Sequence[str], classes: Sequence[str]) -> pd.DataFrame:
    """Return Friedman's test on the per-case DSC of each class, over the cases where every loss has a defined score.

    A loss without any scores of the class is left out (`k` counts the others). NaN with fewer than three losses or no cases.
    """
    rows = []
    for name in classes:
        table = score_table(frame, losses, name).dropna(axis="columns", how="all").dropna()
        rows.append({"class": name, "n": table.shape[0], "k": table.shape[1], **friedman(table.to_numpy())})
    return pd.DataFrame(rows, columns=list(COLUMNS))


def friedman(scores: np.ndarray) -> dict[str, float]:
    """Return Friedman's chi-square, Iman and Davenport's F and Kendall's W of scores (cases, losses) without NaN.

    chi2 is corrected for ties, with k - 1 degrees of freedom; F = (n-1) chi2 / (n(k-1) - chi2) with k - 1 and (k-1)(n-1)
    (Iman & Davenport 1980); W = chi2 / (n(k-1)), 0 no agreement between the cases, 1 the same order in all.
    Losses that are tied in every case give chi2 = F = W = 0 and p = 1.
    """
    n, k = scores.shape
    if n < 1 or k < 3:
        return dict.fromkeys(("chi2", "p", "f", "p_f", "kendalls_w"), math.nan)
    if np.all(scores == scores[:, :1]):
        return {"chi2": 0.0, "p": 1.0, "f": 0.0, "p_f": 1.0, "kendalls_w": 0.0}
    chi2, p = (float(value) for value in stats.friedmanchisquare(*scores.T))
    most = n * (k - 1)
    f, p_f = math.nan, math.nan
    if n > 1:
        # With the same order in every case chi2 is n(k-1), up to rounding, and F has no bound.
        f = math.inf if math.isclose(chi2, most, rel_tol=1e-12) else (n - 1) * chi2 / (most - chi2)
        p_f = float(stats.f.sf(f, k - 1, (k - 1) * (n - 1)))
    return {"chi2": chi2, "p": p, "f": f, "p_f": p_f, "kendalls_w": min(chi2 / most, 1.0)}
