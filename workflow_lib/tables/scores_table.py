"""The scores of every loss (Tables 1 and 3)."""

from collections.abc import Mapping, Sequence

import pandas as pd

from workflow_lib.metrics.registry import PAPER as METRICS
from workflow_lib.tables.display import best


def value_columns(classes: Sequence[str]) -> list[str]:
    """Return the columns that hold means, class by class: `dsc_kidney`, `precision_kidney`, ..."""
    return [f"{metric}_{name}" for name in classes for metric in METRICS]


def scores_table(means: pd.DataFrame, labels: Mapping[str, str], classes: Sequence[str]) -> pd.DataFrame:
    """Return one row per loss with mean and half width of DSC, precision and recall of each class.

    `means` is the table of that name of the statistics, `labels` loss -> printed name in the order of the table. `best` lists,
    joined by ';', the columns where the loss has the highest mean after rounding to three decimals, ties all of them.
    Losses without scores have empty fields.
    """
    known = means.set_index(["class", "metric", "loss"])
    table: dict[str, list[object]] = {"loss": list(labels), "label": list(labels.values())}
    winners: list[list[str]] = [[] for _ in labels]
    for name in classes:
        for metric in METRICS:
            column = f"{metric}_{name}"
            # pandas looks a (class, metric, loss) up in one step, absent ones become NaN.
            found = known.reindex(pd.MultiIndex.from_product([[name], [metric], list(labels)]))
            table[column] = found["mean"].tolist()
            table[f"{column}_ci95"] = found["ci95"].tolist()
            for columns, is_best in zip(winners, best(found["mean"].tolist()), strict=True):
                if is_best:
                    columns.append(column)
    table["best"] = [";".join(columns) for columns in winners]
    return pd.DataFrame(table)
