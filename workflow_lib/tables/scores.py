"""The scores of every loss (Tables 1 and 3)."""

import math
from collections.abc import Mapping, Sequence

import pandas as pd

from workflow_lib.metrics.registry import PAPER as METRICS
from workflow_lib.tables.display import METRIC_NAMES, best, number
from workflow_lib.tables.interface import Data
from workflow_lib.tables.latex import NOTHING, escape

NAME = "scores"
TITLE = "Scores of every loss"
ORDER = 10
KEYS = ("loss",)
KEYS_NOTE = "; columns <metric>_<class> and <metric>_<class>_ci95"
COLUMNS = {
    "loss": "loss",
    "label": "its name as printed",
    "<metric>_<class>": "mean, for every class and metric",
    "<metric>_<class>_ci95": "half width of its interval",
    "best": "columns in which the loss has the highest mean as printed, joined by `;`",
}


def compute(data: Data) -> pd.DataFrame:
    """Return the table of a dataset."""
    return scores_table(data.statistics["means"], data.labels, data.classes)


def latex(table: pd.DataFrame, labels: Mapping[str, str], classes: Sequence[str]) -> str:
    """Return the table as LaTeX."""
    return scores_latex(table, classes)


def scores_table(means: pd.DataFrame, labels: Mapping[str, str], classes: Sequence[str]) -> pd.DataFrame:
    """Return one row per loss with the mean and half width of DSC, precision and recall for each class.

    `means` is the table of that name in the statistics, and `labels` maps losses to labels in the order of the
    table. `best` lists the columns in which the loss has the highest mean after rounding to three decimals,
    separated by ';'. All tied losses count as highest. Losses without scores have empty fields.
    """
    known = means.set_index(["class", "metric", "loss"])
    table: dict[str, list[object]] = {"loss": list(labels), "label": list(labels.values())}
    winners: list[list[str]] = [[] for _ in labels]
    for name in classes:
        for metric in METRICS:
            column = f"{metric}_{name}"
            # Select all losses at once; absent losses give NaN.
            found = known.reindex(pd.MultiIndex.from_product([[name], [metric], list(labels)]))
            table[column] = found["mean"].tolist()
            table[f"{column}_ci95"] = found["ci95"].tolist()
            for columns, is_best in zip(winners, best(found["mean"].tolist()), strict=True):
                if is_best:
                    columns.append(column)
    table["best"] = [";".join(columns) for columns in winners]
    return pd.DataFrame(table)


def scores_latex(table: pd.DataFrame, classes: Sequence[str]) -> str:
    """Return the table as a LaTeX tabular (package booktabs).

    There is one row per loss, with the metrics below each class. The best values are in bold.
    """
    width = len(METRICS)
    spans = [(2 + width * position, 1 + width * (position + 1)) for position in range(len(classes))]
    lines = [
        rf"\begin{{tabular}}{{l{'c' * (width * len(classes))}}}",
        r"\toprule",
        " & ".join(["", *(rf"\multicolumn{{{width}}}{{c}}{{{escape(name)}}}" for name in classes)]).lstrip() + r" \\",
        " ".join(rf"\cmidrule(lr){{{first}-{last}}}" for first, last in spans),
        " & ".join(["Loss", *(METRIC_NAMES[metric] for _ in classes for metric in METRICS)]) + r" \\",
        r"\midrule",
    ]
    for row in table.to_dict("records"):
        best = str(row["best"]).split(";")
        columns = [f"{metric}_{name}" for name in classes for metric in METRICS]
        cells = [_mean_ci(float(row[column]), float(row[f"{column}_ci95"]), column in best) for column in columns]
        lines.append(" & ".join([escape(str(row["label"])), *cells]) + r" \\")
    return "\n".join([*lines, r"\bottomrule", r"\end{tabular}", ""])


def _mean_ci(mean: float, half: float, bold: bool) -> str:
    if math.isnan(mean):
        return NOTHING
    text = number(mean) if math.isnan(half) else rf"{number(mean)} $\pm$ {number(half)}"
    return rf"\textbf{{{text}}}" if bold else text
