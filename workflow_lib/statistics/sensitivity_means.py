"""The means under other choices than the published ones (see `sensitivity`), where the choice changes them."""

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
    """Return the table of a dataset."""
    return sensitivity_means(data.scores, data.losses, data.classes)


def sensitivity_means(frame: pd.DataFrame, losses: Sequence[str], classes: Sequence[str]) -> pd.DataFrame:
    """Return the mean DSC of every loss and class under the variants that change it, with the number of cases behind it.

    The mean is that of the fold means; `paired` has the mean over all cases. A loss without scores has no row.
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
