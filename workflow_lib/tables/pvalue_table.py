"""Holm-adjusted p-values of the rank-sum tests (Tables 2 and 4)."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

COLUMNS = ("class", "row", "column", "p_holm", "mark", "sign")


def sign(value: float) -> str:
    """Return '+', '-' or '0', nothing for NaN."""
    return {1.0: "+", -1.0: "-", 0.0: "0"}.get(float(np.sign(value)), "")


def pvalue_table(ranksum: pd.DataFrame, classes: Sequence[str]) -> pd.DataFrame:
    """Return the lower triangle of each class, one row per pair of losses.

    `sign` is that of the rank-sum statistic: '+' where the row's loss scored higher, '-' where lower, '0' for a statistic of
    exactly 0, empty where there is none.
    """
    table = ranksum[ranksum["class"].isin(list(classes))].copy()
    table["sign"] = [sign(statistic) for statistic in table["statistic"]]
    order = {name: position for position, name in enumerate(classes)}
    return table.sort_values("class", key=lambda column: column.map(order), kind="stable")[list(COLUMNS)].reset_index(drop=True)
