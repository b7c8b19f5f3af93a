"""Fold means of the metrics."""

from collections.abc import Sequence

import pandas as pd

from workflow_lib.metrics.registry import PAPER as METRICS
from workflow_lib.statistics.interface import Data

NAME = "fold_means"
TITLE = "Means of the folds"
ORDER = 20
KEYS = ("loss", "class", "metric", "fold")
COLUMNS = {
    "loss": "loss",
    "class": "class or region",
    "metric": "metric",
    "fold": "fold",
    "mean": "mean over the fold's cases in which the metric is defined",
    "cases": "their number",
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
    return fold_means(data.scores, data.losses, data.classes)


def fold_means(frame: pd.DataFrame, losses: Sequence[str], classes: Sequence[str]) -> pd.DataFrame:
    """Return the mean of each metric of the paper per loss, class and fold, over the cases in which it is defined.

    Parameters
    ----------
    frame : pandas.DataFrame
        Scores of one dataset, one row per case and class (`loss`, `class`, `fold`, `case`, `dsc`, `precision`, `recall`).
    losses : sequence of str
        The losses in the order of the tables.
    classes : sequence of str
        Classes and regions in the order of the tables.

    Returns
    -------
    pandas.DataFrame
        Table with the columns `COLUMNS`. A loss has rows only for the folds in which it was scored. If the
        metric is undefined in all cases of a fold, the row has NaN and 0 cases.

    Examples
    --------
    >>> rows = [("dice", "kidney", fold, case, 0.5 + 0.1 * case, 0.5, 0.5, "") for fold in (1, 2) for case in (fold, fold + 2)]
    >>> columns = ["loss", "class", "fold", "case", "dsc", "precision", "recall", "note"]
    >>> scores = pd.DataFrame(rows, columns=columns)
    >>> table = fold_means(scores, ["dice"], ["kidney"])
    >>> table[table["metric"] == "dsc"][["fold", "mean", "cases"]].round(4).values.tolist()
    [[1.0, 0.7, 2.0], [2.0, 0.8, 2.0]]
    """
    grouped = frame.groupby(["loss", "class", "fold"], sort=True)[list(METRICS)]
    table = grouped.mean()
    means = dict(zip(table.index, table.to_numpy(), strict=True))
    counts = dict(zip(table.index, grouped.count().to_numpy(), strict=True))
    rows = [
        (loss, name, metric, fold, float(means[loss, name, fold][position]), int(counts[loss, name, fold][position]))
        for loss in losses
        for name in classes
        for position, metric in enumerate(METRICS)
        for fold in map(int, sorted(frame["fold"].unique()))
        if (loss, name, fold) in means
    ]
    return pd.DataFrame(rows, columns=list(COLUMNS))
