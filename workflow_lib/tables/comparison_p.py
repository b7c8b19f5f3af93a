"""Comparison of the published p-values with ours."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from workflow_lib.statistics.holm import SIGNIFICANT, adjust, mark
from workflow_lib.tables.interface import Data
from workflow_lib.tables.protocol import match_losses
from workflow_lib.tables.published import Published
from workflow_lib.tables.pvalues import sign

NAME = "comparison_p"
TITLE = "Published p-values compared with ours"
ORDER = 40
KEYS = ("class", "row", "column")
PUBLISHED = True
COLUMNS = {
    "class": "class",
    "row": "published loss in the row of the triangle",
    "column": "published loss in its column",
    "published_p": "published p, digits as printed",
    "ours_p": "ours, adjusted by Holm's method over the published pairs of the class (`p_holm` is over all pairs of the study)",
    "published_mark": "mark of significance of the published p",
    "ours_mark": "mark of ours",
    "published_sign": "sign of the difference of the published mean DSCs",
    "ours_sign": "sign of the rank-sum statistic",
    "agree": "`yes` where both tests agree, `no`, or empty without ours",
}


def compute(data: Data) -> pd.DataFrame:
    """Return the table of a dataset."""
    return p_comparison(data.paper, data.statistics["ranksum"], data.entries)


def p_comparison(published: Published, ranksum: pd.DataFrame, entries: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """Return one row per published p-value with our p-value.

    `published_p` is text with the published digits. `ours_p` is Holm-adjusted over the published pairs of the
    class, so that additional losses of the study do not change the comparison. It is NaN if a loss has no
    scores. There is a mark of significance for each of the two values. The signs are '+' if the loss of the
    row is higher. Our sign is that of the rank-sum statistic. The publication contains no statistics, so
    its sign is that of the difference of the mean DSCs. `agree` is 'yes' if both p-values are at least 0.05,
    or if both are below and the signs are not opposite. Otherwise it is 'no', or empty without our p-value.
    """
    matched = match_losses(published, entries)
    # Exchanging the two losses changes the sign of the statistic, but not p.
    raw: dict[tuple[Any, ...], tuple[float, float]] = {}
    for test in ranksum.to_dict("records"):
        p, statistic = float(test["p"]), float(test["statistic"])
        raw[test["class"], test["row"], test["column"]] = p, statistic
        raw[test["class"], test["column"], test["row"]] = p, -statistic
    rows = []
    for name in published.classes:
        pairs = [(row, column) for of_class, row, column in published.p_values if of_class == name]
        found = [raw.get((name, matched.get(row), matched.get(column)), (math.nan, math.nan)) for row, column in pairs]
        adjusted = map(float, adjust([p for p, _ in found]))
        for (row, column), ours, (_, statistic) in zip(pairs, adjusted, found, strict=True):
            printed = published.p_values[name, row, column]
            theirs = float(printed)
            signs = sign(published.scores[row, name, "dsc"].mean - published.scores[column, name, "dsc"].mean), sign(statistic)
            agree = _agree(theirs, ours, *signs)
            rows.append((name, row, column, printed, ours, mark(theirs), mark(ours), *signs, agree))
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _agree(theirs: float, ours: float, their_sign: str, our_sign: str) -> str:
    if math.isnan(ours):
        return ""
    opposite = ours < SIGNIFICANT and {their_sign, our_sign} == {"+", "-"}
    return "yes" if (ours < SIGNIFICANT) == (theirs < SIGNIFICANT) and not opposite else "no"
