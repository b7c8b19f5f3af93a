"""Means with intervals as published, and means over the cases with bootstrap intervals."""

import math
from collections.abc import Sequence

import pandas as pd

from workflow_lib.metrics.interface import EMPTY_PREDICTION
from workflow_lib.statistics.interface import Data
from workflow_lib.statistics.intervals import Bootstrap, keys_of, t_interval

NAME = "means"
TITLE = "Means with intervals"
ORDER = 10
KEYS = ("loss", "class", "metric")
NEEDS = ("fold_means",)
COLUMNS = {
    "loss": "loss",
    "class": "class or region",
    "metric": "metric",
    "mean": "mean of the fold means; of one fixed split, of its cases",
    "ci95": "half width of its t-interval, as published",
    "sd": "standard deviation of the fold means, or of the cases",
    "folds": "folds with a mean",
    "cases": "cases in which the metric is defined",
    "excluded": "scored cases in which it is undefined",
    "empty_predictions": "cases in which the prediction of the class is empty and the reference is not",
    "case_mean": "mean over all cases",
    "case_mean_low": "lower bound of its bootstrap interval",
    "case_mean_high": "upper bound of its bootstrap interval",
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
    per_fold, over_cases = data.tables["fold_means"], data.over_cases
    return means_table(data.scores, per_fold, data.bootstrap, data.losses, data.classes, data.confidence, over_cases)


def means_table(
    frame: pd.DataFrame,
    per_fold: pd.DataFrame,
    bootstrap: Bootstrap,
    losses: Sequence[str],
    classes: Sequence[str],
    confidence: float,
    over_cases: bool = False,
) -> pd.DataFrame:
    """Return, for every loss, class and metric, the mean and interval as published, and the mean over cases.

    Parameters
    ----------
    frame : pandas.DataFrame
        Scores of one dataset, one row per case and class (`loss`, `class`, `fold`, `case`, `dsc`, `precision`, `recall`, `note`).
    per_fold : pandas.DataFrame
        The table `fold_means`.
    bootstrap : Bootstrap
        Bootstrap means of the same scores.
    losses : sequence of str
        The losses in the order of the tables.
    classes : sequence of str
        Classes and regions in the order of the tables.
    confidence : float
        Level of the intervals, such as 0.95.
    over_cases : bool
        Whether `mean`, `ci95` and `sd` are computed over the cases, for a study with one fixed split,
        instead of over the folds as published.

    Returns
    -------
    pandas.DataFrame
        Table with the columns `COLUMNS`. A loss without scores has a row of NaN and zeros.

    Examples
    --------
    For the fold means 0.7 and 0.8, the half width is t(0.975, 1) · 0.0707 / √2.

    >>> from workflow_lib.statistics.fold_means import fold_means
    >>> from workflow_lib.statistics.intervals import bootstrap_means
    >>> rows = [("dice", "kidney", fold, case, 0.5 + 0.1 * case, 0.5, 0.5, "") for fold in (1, 2) for case in (fold, fold + 2)]
    >>> columns = ["loss", "class", "fold", "case", "dsc", "precision", "recall", "note"]
    >>> scores = pd.DataFrame(rows, columns=columns)
    >>> given = (fold_means(scores, ["dice"], ["kidney"]), bootstrap_means(scores, ["dice"], ["kidney"], 100, 1))
    >>> means_table(scores, *given, ["dice"], ["kidney"], 0.95)[["metric", "mean", "ci95"]].round(4).values.tolist()[0]
    ['dsc', 0.75, 0.6353]
    """
    by_key = dict(list(per_fold.groupby(["loss", "class", "metric"])["mean"]))
    scores = dict(list(frame.groupby(["loss", "class"])))
    rows = []
    for loss, name, metric in keys_of(losses, classes):
        found = scores.get((loss, name), frame.iloc[:0])
        values = found[metric].dropna()
        of_folds = by_key.get((loss, name, metric), pd.Series(dtype=float))
        mean, half, sd = t_interval((values if over_cases else of_folds).to_numpy(), confidence)
        case_mean = float(values.mean()) if len(values) else math.nan
        empty = int((found["note"] == EMPTY_PREDICTION).sum())
        low, high = bootstrap.interval((loss, name, metric), confidence)
        counts = (int(of_folds.notna().sum()), len(values), len(found) - len(values), empty)
        rows.append((loss, name, metric, mean, half, sd, *counts, case_mean, low, high))
    return pd.DataFrame(rows, columns=list(COLUMNS))
