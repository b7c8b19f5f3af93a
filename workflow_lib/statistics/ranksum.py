"""The test as published: rank sums of the pooled cases, as if two losses had been scored on different cases."""

import math
from collections.abc import Sequence
from typing import Any

import pandas as pd
from scipy import stats

from workflow_lib.statistics.holm import adjust, mark
from workflow_lib.statistics.pairs import defined, pairs, score_table

COLUMNS = ("class", "row", "column", "statistic", "p", "p_holm", "mark", "n_row", "n_column")


def ranksum_tests(frame: pd.DataFrame, losses: Sequence[str], classes: Sequence[str]) -> pd.DataFrame:
    """Return two-sided Wilcoxon rank-sum tests on the per-case DSC of every pair of losses, Holm-adjusted per class.

    The cases of all folds are pooled; undefined scores are left out of each sample. The statistic is the z of
    `scipy.stats.ranksums` (normal approximation, no correction for ties), positive where the row's scores are the higher ones.
    p is NaN where a loss has no scores.
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
