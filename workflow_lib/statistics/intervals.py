"""Means with intervals: t-intervals over the folds as published, and bootstrap intervals over the cases."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats

from workflow_lib.base.products import product
from workflow_lib.base.seeds import generator
from workflow_lib.metrics.registry import PAPER as METRICS

Key = tuple[str, str, str]
"""(loss, class, metric)."""


@dataclass(frozen=True)
class Bootstrap:
    """Means of bootstrap samples, conditional on the trained models: cases are resampled, not trainings.

    `case_means` (means over all cases) and `table_means` (means of fold means) have the shape (samples, keys);
    each column belongs to the key at the same position in `keys`. In each sample, the cases of each fold are
    drawn from that fold with replacement. The draws are the same for all losses, classes and metrics, so
    that the columns are paired.
    """

    keys: list[Key]
    case_means: np.ndarray
    table_means: np.ndarray
    varies: bool
    """False if no fold has two cases: every sample is then equal to the data, and bounds have no meaning."""

    def interval(self, key: Key, confidence: float) -> tuple[float, float]:
        """Return the percentile bounds of the case mean; NaN if they are undefined."""
        values = self.case_means[:, self.keys.index(key)]
        values = values[~np.isnan(values)]
        if not self.varies or values.size == 0:
            return math.nan, math.nan
        low, high = np.quantile(values, [(1 - confidence) / 2, (1 + confidence) / 2])
        return float(low), float(high)


def t_interval(values: Sequence[float] | np.ndarray, confidence: float) -> tuple[float, float, float]:
    """Return the mean, the half width of the t-interval, and the standard deviation of values.

    The half width of k values is t((1 + confidence) / 2, k - 1) s / sqrt(k).

    Parameters
    ----------
    values : sequence of float
        The values. NaN is excluded.
    confidence : float
        Level of the interval, such as 0.95.

    Returns
    -------
    (float, float, float)
        Mean, half width and s. With one value, half width and s are NaN; without values, all three are.

    Examples
    --------
    >>> [round(value, 4) for value in t_interval([1.0, 2.0, 3.0], 0.95)]
    [2.0, 2.4841, 1.0]
    """
    array = np.asarray(values, dtype=float)
    array = array[~np.isnan(array)]
    if array.size == 0:
        return math.nan, math.nan, math.nan
    mean = float(array.mean())
    if array.size == 1:
        return mean, math.nan, math.nan
    sd = float(array.std(ddof=1))
    return mean, float(stats.t.ppf((1 + confidence) / 2, array.size - 1)) * sd / math.sqrt(array.size), sd


def bootstrap_means(frame: pd.DataFrame, losses: Sequence[str], classes: Sequence[str], samples: int, seed: int) -> Bootstrap:
    """Return bootstrap means of every loss, class and metric, reproducible from the scores and the seed.

    Parameters
    ----------
    frame : pandas.DataFrame
        Scores of one dataset, one row per case and class (`loss`, `class`, `fold`, `case`, `dsc`, `precision`, `recall`).
    losses : sequence of str
        The losses in the order of the tables.
    classes : sequence of str
        Classes and regions in the order of the tables.
    samples : int
        Number of bootstrap samples.
    seed : int
        Seed of the draws.

    Returns
    -------
    Bootstrap
        The means of all samples.

    References
    ----------
    B. Efron, Bootstrap Methods: Another Look at the Jackknife, The Annals of Statistics 7(1), 1979.

    Examples
    --------
    >>> rows = [("dice", "kidney", fold, case, 0.5 + 0.1 * case, 0.5, 0.5, "") for fold in (1, 2) for case in (fold, fold + 2)]
    >>> columns = ["loss", "class", "fold", "case", "dsc", "precision", "recall", "note"]
    >>> scores = pd.DataFrame(rows, columns=columns)
    >>> bootstrap_means(scores, ["dice"], ["kidney"], 200, 1).interval(("dice", "kidney", "precision"), 0.95)
    (0.5, 0.5)
    """
    keys = keys_of(losses, classes)
    total = np.zeros((samples, len(keys)))
    number = np.zeros((samples, len(keys)))
    sum_of_folds = np.zeros((samples, len(keys)))
    number_of_folds = np.zeros((samples, len(keys)))
    varies = False
    for fold, values in _values_by_fold(frame, keys):
        cases = values.shape[0]
        varies = varies or cases > 1
        draws = generator(seed, "bootstrap", fold).integers(0, cases, size=(samples, cases))
        cells = draws + cases * np.arange(samples)[:, None]
        times = np.bincount(cells.ravel(), minlength=samples * cases).reshape(samples, cases).astype(float)
        defined = ~np.isnan(values)
        sums, counts = product(times, np.where(defined, values, 0.0)), product(times, defined.astype(float))
        total += sums
        number += counts
        sum_of_folds += np.where(counts > 0, sums / np.maximum(counts, 1), 0.0)
        number_of_folds += counts > 0
    return Bootstrap(keys, _ratio(total, number), _ratio(sum_of_folds, number_of_folds), varies)


def _values_by_fold(frame: pd.DataFrame, keys: list[Key]) -> Iterator[tuple[int, np.ndarray]]:
    """Yield each fold and its values of shape (cases, keys), with the cases sorted by name.

    Undefined and absent values are NaN.
    """
    for fold, part in frame.groupby("fold", sort=True):
        wide = part.pivot(index="case", columns=["loss", "class"], values=list(METRICS)).sort_index()
        columns = [(metric, loss, name) for loss, name, metric in keys]
        yield int(str(fold)), wide.reindex(columns=pd.MultiIndex.from_tuples(columns)).to_numpy(dtype=float)


def _ratio(sums: np.ndarray, counts: np.ndarray) -> np.ndarray:
    return np.where(counts > 0, sums / np.maximum(counts, 1), np.nan)


def keys_of(losses: Sequence[str], classes: Sequence[str]) -> list[Key]:
    """Return the keys of all means, ordered by loss, class and metric.

    Parameters
    ----------
    losses : sequence of str
        The losses in the order of the tables.
    classes : sequence of str
        Classes and regions in the order of the tables.

    Returns
    -------
    list of (str, str, str)
        Loss, class and metric.

    Examples
    --------
    >>> keys_of(["dice"], ["kidney"])
    [('dice', 'kidney', 'dsc'), ('dice', 'kidney', 'precision'), ('dice', 'kidney', 'recall')]
    """
    return [(loss, name, metric) for loss in losses for name in classes for metric in METRICS]
