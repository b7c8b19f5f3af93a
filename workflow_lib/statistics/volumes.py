"""Medians of ASSD and volume differences over the cases, with bootstrap intervals."""

import math
from collections.abc import Sequence

import numpy as np
import pandas as pd

from workflow_lib.base.seeds import generator
from workflow_lib.evaluation.scores import class_names
from workflow_lib.metrics.interface import BOTH_EMPTY
from workflow_lib.statistics.interface import Data

NAME = "volumes"
TITLE = "ASSD and volume differences"
ORDER = 75
KEYS = ("loss", "class", "metric")
COLUMNS = {
    "loss": "loss",
    "class": "class or region",
    "metric": "metric",
    "cases": "cases in which at least one of the two masks is not empty",
    "failures": "cases of these in which the metric is undefined; it counts as infinite",
    "median": "median over the cases",
    "low": "lower bound of its bootstrap interval",
    "high": "upper bound of its bootstrap interval",
}

METRICS = ("assd", "volume_difference", "relative_volume_difference")


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
    return volume_table(data.scores, data.losses, data.samples, data.confidence, data.seed)


def volume_table(frame: pd.DataFrame, losses: Sequence[str], samples: int, confidence: float, seed: int) -> pd.DataFrame:
    """Return the median of ASSD and of both volume differences, one row per loss, class and metric.

    Cases with two empty masks are excluded. A case in which one mask is empty and the metric is undefined is
    a failure. In failures the metric counts as infinite, because there is no distance to an empty mask and no
    finite ratio to a volume of 0. An infinite median or bound is given as NaN.

    Parameters
    ----------
    frame : pandas.DataFrame
        The scores of a dataset.
    losses : sequence of str
        The losses in the order of the table. A loss without scores of a class has 0 cases and NaN.
    samples : int
        Number of bootstrap samples. In each, the cases of every fold are drawn from it with replacement.
    confidence : float
        Level of the intervals, such as 0.95. Bounds are percentiles of the medians of the samples.
    seed : int
        Seed of the draws. Losses with the same numbers of cases per fold have the same draws.

    Returns
    -------
    pandas.DataFrame
        Table with the columns `COLUMNS`. Metrics that are not in the scores have no row, nor have surface
        distances that were not computed. Bounds are NaN if no fold has two cases.

    Examples
    --------
    >>> rows = [("dice", 1, case, "kidney", "", value) for case, value in (("a", 0.5), ("b", 1.5), ("c", 4.0))]
    >>> scores = pd.DataFrame(rows, columns=["loss", "fold", "case", "class", "note", "volume_difference"])
    >>> volume_table(scores, ["dice"], samples=100, confidence=0.95, seed=1)[["metric", "cases", "median"]].to_dict("records")
    [{'metric': 'volume_difference', 'cases': 3, 'median': 1.5}]
    """
    measured = [metric for metric in METRICS if metric in frame.columns and frame[metric].notna().any()]
    rows = []
    for loss in losses:
        for name in class_names(frame):
            found = frame[(frame["loss"] == loss) & (frame["class"] == name) & (frame["note"] != BOTH_EMPTY)]
            found = found.sort_values(["fold", "case"])
            draws = _draws(found["fold"], samples, seed)
            rows += [(loss, name, metric, *_median(found[metric].to_numpy(float), draws, confidence)) for metric in measured]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _median(values: np.ndarray, draws: np.ndarray | None, confidence: float) -> tuple[int, int, float, float, float]:
    """Return the number of cases, failures, median and bounds of one loss, class and metric."""
    failures = int(np.isnan(values).sum())
    if not len(values):
        return 0, 0, math.nan, math.nan, math.nan
    far = np.where(np.isnan(values), np.inf, values)
    low = high = math.nan
    if draws is not None:
        ends = [100 * (1 - confidence) / 2, 100 * (1 + confidence) / 2]
        # Without interpolation, because it is undefined between a finite value and infinity.
        low, high = np.percentile(np.median(far[draws], axis=1), ends, method="nearest")
    median, low, high = (float(value) if math.isfinite(value) else math.nan for value in (np.median(far), low, high))
    return len(values), failures, median, low, high


def _draws(folds: pd.Series, samples: int, seed: int) -> np.ndarray | None:
    """Return positions of cases, shape (samples, cases), drawn from each fold with replacement.

    `folds` must be sorted. The result is None if no fold has two cases: every sample would be equal to the
    data.
    """
    counts = folds.value_counts().sort_index()
    if counts.empty or counts.max() < 2:
        return None
    starts = np.cumsum(counts) - counts
    parts = [
        start + generator(seed, "volumes", int(str(fold))).integers(0, count, size=(samples, count))
        for fold, start, count in zip(counts.index, starts, counts, strict=True)
    ]
    return np.concatenate(parts, axis=1)
