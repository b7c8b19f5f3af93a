"""HD95 and NSD over the cases, with bootstrap intervals and the number of failures."""

import math
from collections.abc import Sequence

import numpy as np
import pandas as pd

from workflow_lib.base.seeds import generator
from workflow_lib.metrics.interface import BOTH_EMPTY
from workflow_lib.statistics.interface import Data

NAME = "surface"
TITLE = "Surface distances"
ORDER = 70
KEYS = ("loss", "class")
COLUMNS = {
    "loss": "loss",
    "class": "class or region",
    "cases": "cases in which at least one of the two masks is not empty",
    "failures": "cases of these in which one of the two masks is empty; their HD95 counts as infinite",
    "hd95_median": "median HD95",
    "hd95_low": "lower bound of its bootstrap interval",
    "hd95_high": "upper bound of its bootstrap interval",
    "nsd_mean": "mean NSD",
    "nsd_low": "lower bound of its bootstrap interval",
    "nsd_high": "upper bound of its bootstrap interval",
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
    return surface_table(data.scores, data.losses, data.classes, data.samples, data.confidence, data.seed)


def surface_table(
    frame: pd.DataFrame, losses: Sequence[str], classes: Sequence[str], samples: int, confidence: float, seed: int
) -> pd.DataFrame:
    """Return HD95 and NSD of every loss and class over the cases, with bootstrap intervals.

    Intervals are percentiles of the bootstrap samples, in which every fold keeps its number of cases. Losses
    with the same numbers of cases per fold have the same draws.

    Parameters
    ----------
    frame : pandas.DataFrame
        Scores of one dataset, one row per case and class (`loss`, `class`, `fold`, `case`, `hd95`, `nsd`, `note`).
    losses : sequence of str
        The losses in the order of the tables.
    classes : sequence of str
        Classes and regions in the order of the tables.
    samples : int
        Number of bootstrap samples.
    confidence : float
        Level of the intervals, such as 0.95.
    seed : int
        Seed of the draws.

    Returns
    -------
    pandas.DataFrame
        Table with the columns `COLUMNS`; it has no rows if the scores contain no surface distances. `cases` is
        the number of cases in which at least one mask is not empty, and `failures` the number of these in
        which the other mask is empty. In failures HD95 counts as infinite and NSD as 0. The median of HD95 is
        NaN if half of the cases or more are failures, and a bound is NaN if it is infinite. Without
        scores, `cases` is 0 and all numbers are NaN. Bounds are NaN if no fold has two cases.

    Examples
    --------
    >>> rows = [("dice", "kidney", 1, case, 2.0 * case, 1 / case, "") for case in (1, 2, 4)]
    >>> scores = pd.DataFrame(rows, columns=["loss", "class", "fold", "case", "hd95", "nsd", "note"])
    >>> table = surface_table(scores, ["dice"], ["kidney"], samples=100, confidence=0.95, seed=1)
    >>> table[["cases", "failures", "hd95_median", "nsd_mean"]].round(4).values.tolist()
    [[3.0, 0.0, 4.0, 0.5833]]
    """
    if frame["nsd"].isna().all():
        return pd.DataFrame(columns=list(COLUMNS))
    rows = []
    ends = 100 * np.array([(1 - confidence) / 2, (1 + confidence) / 2])
    for loss in losses:
        for name in classes:
            found = frame[(frame["loss"] == loss) & (frame["class"] == name) & (frame["note"] != BOTH_EMPTY)]
            found = found.sort_values(["fold", "case"])
            nsd = found["nsd"].to_numpy(float)
            far = np.where(found["hd95"].isna(), np.inf, found["hd95"].to_numpy(float))
            if not len(found) or np.isnan(nsd).any():
                rows.append((loss, name, 0, 0, *[math.nan] * 6))
                continue
            low = high = nsd_low = nsd_high = math.nan
            by_fold = found["fold"].value_counts().sort_index()
            if by_fold.max() > 1:  # otherwise every sample is equal to the data
                draws = _draws(by_fold, samples, seed)
                # Without interpolation, because it is undefined between a finite value and infinity.
                low, high = np.percentile(np.median(far[draws], axis=1), ends, method="nearest")
                nsd_low, nsd_high = np.percentile(nsd[draws].mean(axis=1), ends)
            distances = [_finite(value) for value in (np.median(far), low, high)]
            failures = int(np.isinf(far).sum())
            rows.append((loss, name, len(found), failures, *distances, float(nsd.mean()), float(nsd_low), float(nsd_high)))
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _draws(cases: pd.Series, samples: int, seed: int) -> np.ndarray:
    """Return positions of cases, shape (samples, all cases), drawn from each fold with replacement.

    `cases` is the number of cases per fold, in the order of the positions.
    """
    starts = np.cumsum(cases) - cases
    parts = [
        start + generator(seed, "surface", int(fold)).integers(0, count, size=(samples, count))
        for fold, start, count in zip(cases.index, starts, cases, strict=True)
    ]
    return np.concatenate(parts, axis=1)


def _finite(value: float) -> float:
    return float(value) if math.isfinite(value) else math.nan
