"""Agreement between the published ranking of the losses and ours."""

import math

import numpy as np
import pandas as pd
from scipy import stats

from workflow_lib.tables.interface import Data

NAME = "agreement"
TITLE = "Agreement with the paper"
ORDER = 50
KEYS = ("class", "metric")
NEEDS = ("comparison", "comparison_p")
PUBLISHED = True
COLUMNS = {
    "class": "class",
    "metric": "metric",
    "losses": "losses with a published value and one of ours",
    "tau": "Kendall's tau-b between the two rankings",
    "p": "its p-value",
    "pairs": "pairs of these losses",
    "same_sign": "pairs whose difference has the same sign in both",
    "tested": "pairs tested in both (DSC only)",
    "same_significance": "pairs of these in which both tests agree",
}


def compute(data: Data) -> pd.DataFrame:
    """Return the table of a dataset."""
    return rank_agreement(data.tables["comparison"], data.tables["comparison_p"])


def rank_agreement(comparison: pd.DataFrame, comparison_p: pd.DataFrame | None = None) -> pd.DataFrame:
    """Return Kendall's tau-b between the published ranking of the losses and ours, per class and metric.

    `losses` is the number of losses with both values. The p-value of tau is exact, or uses the normal
    approximation if losses are tied. Tau and p are NaN with fewer than two losses, or if all losses are
    tied. `pairs` is the number of pairs of these losses, and `same_sign` the number of pairs whose difference
    has the same sign in both. The tests are only for the DSC: `tested` is the number of pairs that are tested
    in both (`comparison_p`), and `same_significance` the number of these in which both tests agree.
    """
    rows = []
    for (name, metric), part in comparison.groupby(["class", "metric"], sort=False):
        both = part.dropna(subset=["published", "ours"])
        tau, p = math.nan, math.nan
        if len(both) >= 2 and both["published"].nunique() > 1 and both["ours"].nunique() > 1:
            tied = both["published"].nunique() < len(both) or both["ours"].nunique() < len(both)
            result = stats.kendalltau(both["published"], both["ours"], method="asymptotic" if tied else "exact")
            tau, p = float(result.statistic), float(result.pvalue)
        signs = [np.sign(np.subtract.outer(both[side].to_numpy(), both[side].to_numpy())) for side in ("published", "ours")]
        pairs = np.triu_indices(len(both), 1)
        tested: list[str] = []
        if comparison_p is not None and metric == "dsc":
            tested = [word for word in comparison_p[comparison_p["class"] == name]["agree"] if word]
        same = (int((signs[0] == signs[1])[pairs].sum()), len(tested), tested.count("yes"))
        rows.append((name, metric, len(both), tau, p, len(pairs[0]), *same))
    return pd.DataFrame(rows, columns=list(COLUMNS))
