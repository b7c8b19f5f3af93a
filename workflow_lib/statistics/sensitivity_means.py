"""The sensitivity analysis of the means, for those variants of `sensitivity` that change the means."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from workflow_lib.statistics._variants import both_empty_one, without_missed
from workflow_lib.statistics.interface import Data

NAME = "sensitivity_means"
TITLE = "Sensitivity analysis: means"
ORDER = 90
KEYS = ("variant", "class", "loss")
COLUMNS = {
    "variant": "the choice that is changed",
    "class": "class or region",
    "loss": "loss",
    "mean": "mean DSC",
    "cases": "number of cases",
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
    return sensitivity_means(data.scores, data.losses, data.classes)


def sensitivity_means(frame: pd.DataFrame, losses: Sequence[str], classes: Sequence[str]) -> pd.DataFrame:
    """Return the mean DSC of every loss and class for the variants that change it.

    The mean is the mean of the fold means, except for `paired`, where it is the mean over all cases.

    Parameters
    ----------
    frame : pandas.DataFrame
        Scores of one dataset, one row per case and class (`loss`, `class`, `fold`, `case`, `dsc`, `note`).
    losses : sequence of str
        The losses in the order of the tables.
    classes : sequence of str
        Classes and regions in the order of the tables.

    Returns
    -------
    pandas.DataFrame
        Table with the columns `COLUMNS`. A loss without scores has no row.

    Examples
    --------
    >>> rows = [("dice", "kidney", 1, "a", 0.5, ""), ("dice", "kidney", 1, "b", np.nan, "both empty")]
    >>> scores = pd.DataFrame(rows, columns=["loss", "class", "fold", "case", "dsc", "note"])
    >>> sensitivity_means(scores, ["dice"], ["kidney"])[["variant", "mean", "cases"]].values.tolist()
    [['published', 0.5, 1], ['paired', 0.5, 1], ['both_empty_one', 0.75, 2], ['without_missed', 0.5, 1]]
    """
    rows = []
    for variant, changed in {
        "published": frame,
        "paired": frame,
        "both_empty_one": both_empty_one(frame),
        "without_missed": without_missed(frame),
    }.items():
        folds = changed.groupby(["class", "loss", "fold"])["dsc"].mean()
        per_fold: dict[Any, float] = {key: float(values.mean()) for key, values in folds.groupby(level=["class", "loss"])}
        pooled = {key: (float(values.mean()), values.count()) for key, values in changed.groupby(["class", "loss"])["dsc"]}
        for name in classes:
            for loss in losses:
                mean, cases = pooled.get((name, loss), (np.nan, 0))
                if cases:
                    rows.append((variant, name, loss, mean if variant == "paired" else per_fold[name, loss], int(cases)))
    return pd.DataFrame(rows, columns=list(COLUMNS))
