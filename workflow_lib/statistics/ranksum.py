"""The test of the publication: rank-sum tests of the pooled cases, which are treated as unpaired."""

import math
from collections.abc import Sequence
from typing import Any

import pandas as pd
from scipy import stats

from workflow_lib.statistics.holm import adjust, mark
from workflow_lib.statistics.interface import Data
from workflow_lib.statistics.pairs import defined, pairs, score_table

NAME = "ranksum"
TITLE = "Rank-sum tests"
ORDER = 30
KEYS = ("class", "row", "column")
COLUMNS = {
    "class": "class or region",
    "row": "loss in the row of the triangle",
    "column": "loss in its column, which comes before it in the tables",
    "statistic": "z of the rank-sum test, positive where the row's loss scored higher",
    "p": "two-sided p-value",
    "p_holm": "p adjusted by Holm's method over the pairs of the class",
    "mark": "mark of significance of p_holm: `*`, `**`, `‡`",
    "n_row": "cases of the row's loss",
    "n_column": "cases of the column's loss",
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
    return ranksum_tests(data.scores, data.losses, data.classes)


def ranksum_tests(frame: pd.DataFrame, losses: Sequence[str], classes: Sequence[str]) -> pd.DataFrame:
    """Return two-sided Wilcoxon rank-sum tests of the per-case DSC for every pair of losses.

    The p-values are Holm-adjusted per class. The cases of all folds are pooled, and undefined scores are
    excluded from each sample. The statistic is the z of `scipy.stats.ranksums` (normal approximation,
    without correction for ties). It is positive if the scores of the row are higher.

    Parameters
    ----------
    frame : pandas.DataFrame
        Scores of one dataset, one row per case and class (`loss`, `class`, `case`, `dsc`).
    losses : sequence of str
        The losses in the order of the tables.
    classes : sequence of str
        Classes and regions in the order of the tables.

    Returns
    -------
    pandas.DataFrame
        Table with the columns `COLUMNS`, one row per class and pair. p is NaN if a loss has no scores.

    References
    ----------
    F. Wilcoxon, Individual Comparisons by Ranking Methods, Biometrics Bulletin 1(6), 1945.

    Examples
    --------
    The row has the ranks 1, 2 and 3, so z = (6 - 10.5) / √(9 · 7 / 12).

    >>> dsc = {"dice": (0.9, 0.8, 0.7), "focal": (0.6, 0.5, 0.4)}
    >>> rows = [(loss, "kidney", case, value) for loss in dsc for case, value in enumerate(dsc[loss])]
    >>> scores = pd.DataFrame(rows, columns=["loss", "class", "case", "dsc"])
    >>> ranksum_tests(scores, ["dice", "focal"], ["kidney"])[["row", "statistic", "p", "mark"]].round(4).values.tolist()
    [['focal', -1.964, 0.0495, '*']]
    """
    rows = []
    for name in classes:
        table = score_table(frame, losses, name)
        tests: list[dict[str, Any]] = []
        for row, column in pairs(losses):
            x, y = defined(table[row]), defined(table[column])
            statistic, p = stats.ranksums(x, y, alternative="two-sided") if x.size and y.size else (math.nan, math.nan)
            tests.append({"class": name, "row": row, "column": column, "statistic": float(statistic), "p": float(p)})
            tests[-1] |= {"n_row": x.size, "n_column": y.size}
        adjusted = adjust([test["p"] for test in tests])
        rows += [test | {"p_holm": float(p), "mark": mark(float(p))} for test, p in zip(tests, adjusted, strict=True)]
    return pd.DataFrame(rows, columns=list(COLUMNS))
