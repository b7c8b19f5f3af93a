"""Holm-adjusted p-values of the rank-sum tests (Tables 2 and 4)."""

import math
from collections.abc import Hashable, Mapping, Sequence

import numpy as np
import pandas as pd

from workflow_lib.tables.display import p_value, scientific
from workflow_lib.tables.interface import Data
from workflow_lib.tables.latex import NOTHING, escape

NAME = "pvalues"
TITLE = "Adjusted p-values"
ORDER = 30
KEYS = ("class", "row", "column")
KEYS_NOTE = " (names of losses)"
COLUMNS = {
    "class": "class",
    "row": "loss in the row of the triangle",
    "column": "loss in its column",
    "p_holm": "p of the rank-sum test, adjusted over the pairs of the class",
    "mark": "mark of significance: `*`, `**`, `‡`",
    "sign": "sign of the rank-sum statistic: `+` where the row's loss scored higher, `-` lower, `0` neither",
}

_MARKS = {"*": "$^{*}$", "**": "$^{**}$", "‡": r"$^{\ddagger}$"}
_SIGNS = {"+": r"$\uparrow$", "-": r"$\downarrow$"}


def compute(data: Data) -> pd.DataFrame:
    """Return the table of a dataset."""
    return pvalue_table(data.statistics["ranksum"], data.classes)


def latex(table: pd.DataFrame, labels: Mapping[str, str], classes: Sequence[str]) -> str:
    """Return the table as LaTeX."""
    return pvalues_latex(table, labels, classes)


def sign(value: float) -> str:
    """Return '+', '-' or '0', or an empty string for NaN."""
    return {1.0: "+", -1.0: "-", 0.0: "0"}.get(float(np.sign(value)), "")


def pvalue_table(ranksum: pd.DataFrame, classes: Sequence[str]) -> pd.DataFrame:
    """Return the lower triangle of each class, one row per pair of losses.

    `sign` is the sign of the rank-sum statistic: '+' if the loss of the row scored higher, '-' if lower, '0'
    for a statistic of exactly 0, and empty without a statistic.
    """
    table = ranksum[ranksum["class"].isin(list(classes))].copy()
    table["sign"] = [sign(statistic) for statistic in table["statistic"]]
    order = {name: position for position, name in enumerate(classes)}
    return table.sort_values("class", key=lambda column: column.map(order), kind="stable")[list(COLUMNS)].reset_index(drop=True)


def pvalues_latex(table: pd.DataFrame, labels: Mapping[str, str], classes: Sequence[str]) -> str:
    r"""Return the lower triangle as one LaTeX tabular (package booktabs), with one line per loss and class.

    Marks are superscripts. An upward arrow means that the loss of the row scored higher, and a downward arrow
    that it scored lower. With one class there is no column of classes.
    """
    cells = {(row["class"], row["row"], row["column"]): row for row in table.to_dict("records")}
    several = len(classes) > 1
    lines = [
        rf"\begin{{tabular}}{{l{'l' if several else ''}{'c' * len(labels)}}}",
        r"\toprule",
        " & ".join(["Loss", *(["Class"] if several else []), *map(escape, labels.values())]) + r" \\",
        r"\midrule",
    ]
    for position, (row, label) in enumerate(labels.items()):
        if several and position:
            lines.append(r"\addlinespace")
        for line, name in enumerate(classes):
            texts = [escape(label) if line == 0 else "", *([escape(name)] if several else [])]
            for place, column in enumerate(labels):
                cell = cells.get((name, row, column))
                texts.append("-" if place == position else _p(cell) if place < position and cell is not None else "")
            lines.append(" & ".join(texts) + r" \\")
    return "\n".join([*lines, r"\bottomrule", r"\end{tabular}", ""])


def _p(cell: Mapping[Hashable, object]) -> str:
    p = float(str(cell["p_holm"]))
    if math.isnan(p):
        return NOTHING
    text = p_value(p)
    if 0 < p < 1e-3:
        mantissa, exponent = scientific(p)
        text = rf"${mantissa} \times 10^{{{exponent}}}$"
    return f"{text}{_MARKS.get(str(cell['mark']), '')} {_SIGNS.get(str(cell['sign']), '')}".rstrip()
