"""The ranking of the losses, and its variation over bootstrap samples of the cases."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy import stats

from workflow_lib.statistics.interface import Data
from workflow_lib.statistics.intervals import Bootstrap

NAME = "ranking"
TITLE = "Ranking under the bootstrap"
ORDER = 60
KEYS = ("class", "loss")
NEEDS = ("means",)
COLUMNS = {
    "class": "class or region",
    "loss": "loss",
    "rank": "rank by the mean DSC of the table, 1 the highest",
    "mean_rank": "mean rank over the bootstrap samples",
    "share_rank_<r>": "share of the bootstrap samples in which the loss has rank r, for every r",
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
        Table with the columns `COLUMNS`, with one `share_rank_<r>` for every rank r.
    """
    return ranking_table(data.tables["means"], data.bootstrap, data.losses, data.classes)


def ranking_table(means: pd.DataFrame, bootstrap: Bootstrap, losses: Sequence[str], classes: Sequence[str]) -> pd.DataFrame:
    """Return the rank of every loss by its mean DSC (mean of fold means), and its ranks in the bootstrap.

    Parameters
    ----------
    means : pandas.DataFrame
        The table `means` (`loss`, `class`, `metric`, `mean`).
    bootstrap : Bootstrap
        Bootstrap means of the same scores.
    losses : sequence of str
        The losses in the order of the tables.
    classes : sequence of str
        Classes and regions in the order of the tables.

    Returns
    -------
    pandas.DataFrame
        The columns `class`, `loss`, `rank`, `mean_rank`, and `share_rank_<r>` for r = 1..k: the share of the
        bootstrap samples in which the loss has rank r. `mean_rank` is the mean rank over the samples. Rank
        1 is the highest, and tied losses have the better rank. Losses without scores have no row.

    Examples
    --------
    The first loss has the higher mean in three of four samples.

    >>> means = pd.DataFrame({"loss": ["a", "b"], "class": "kidney", "metric": "dsc", "mean": [0.8, 0.7]})
    >>> samples = np.array([[0.8, 0.7], [0.9, 0.6], [0.8, 0.6], [0.6, 0.7]])
    >>> bootstrap = Bootstrap([("a", "kidney", "dsc"), ("b", "kidney", "dsc")], samples, samples, True)
    >>> ranking_table(means, bootstrap, ["a", "b"], ["kidney"])[["rank", "mean_rank", "share_rank_1"]].values.tolist()
    [[1.0, 1.25, 0.75], [2.0, 1.75, 0.25]]
    """
    rows = []
    k = len(losses)
    for name in classes:
        of_class = means[(means["class"] == name) & (means["metric"] == "dsc")].set_index("loss")["mean"]
        present = [loss for loss in losses if not np.isnan(of_class[loss])]
        if not present:
            continue
        rank = ranks(of_class[present].to_numpy(dtype=float)[None, :])[0]
        columns = [bootstrap.keys.index((loss, name, "dsc")) for loss in present]
        samples = bootstrap.table_means[:, columns]
        drawn = ranks(samples[~np.isnan(samples).any(axis=1)])
        for position, loss in enumerate(present):
            shares = np.bincount(drawn[:, position], minlength=k + 1)[1:] / len(drawn) if len(drawn) else np.full(k, np.nan)
            mean_rank = float(drawn[:, position].mean()) if len(drawn) else np.nan
            rows.append((name, loss, int(rank[position]), mean_rank, *map(float, shares)))
    return pd.DataFrame(rows, columns=["class", "loss", "rank", "mean_rank", *(f"share_rank_{r}" for r in range(1, k + 1))])


def ranks(values: np.ndarray) -> np.ndarray:
    """Return the ranks within each row. The highest value has rank 1, and tied values have the better rank.

    Values are rounded to twelve decimals first, because means of the same scores in another order can differ
    in the last digits.

    Parameters
    ----------
    values : numpy.ndarray
        Array of shape (rows, values).

    Returns
    -------
    numpy.ndarray of int
        Ranks, an array of the same shape.

    Examples
    --------
    >>> ranks(np.array([[0.9, 0.7, 0.9]])).tolist()
    [[1, 3, 1]]
    """
    return np.asarray(stats.rankdata(-np.round(values, 12), method="min", axis=1), dtype=int)
