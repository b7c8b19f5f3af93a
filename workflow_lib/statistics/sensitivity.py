"""The same comparison under other choices than the published ones, to see whether what came out depends on them.

Each variant changes one choice and keeps the others:

- `published`: rank-sum tests on the cases of all folds, Holm within each class, cases with both masks empty left out;
- `folds`: rank-sum tests on the fold means; five against five cannot reach p = 0.009, and Holm only raises it;
- `paired`: signed-rank tests on the differences of each case;
- `all_classes`: Holm over all classes of the dataset at once; `uncorrected`: no correction;
- `both_empty_one`: both masks empty counts as a DSC of 1 instead of being left out;
- `without_missed`: cases with an empty prediction are left out instead of counting as 0.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from workflow_lib.metrics.interface import BOTH_EMPTY, EMPTY_PREDICTION
from workflow_lib.statistics.holm import adjust, mark
from workflow_lib.statistics.ranksum import ranksum_tests

VARIANTS = ("published", "folds", "paired", "all_classes", "uncorrected", "both_empty_one", "without_missed")
COLUMNS = ("variant", "class", "row", "column", "sign", "p", "p_holm", "mark")
MEAN_COLUMNS = ("variant", "class", "loss", "mean", "cases")


def sensitivity_tests(
    frame: pd.DataFrame, ranksum: pd.DataFrame, signed_rank: pd.DataFrame, losses: Sequence[str], classes: Sequence[str]
) -> pd.DataFrame:
    """Return the test of every pair of losses under each variant, one row each.

    `ranksum` and `signed_rank` are the tables of these names. `sign` is '+' where the row's loss scored higher by the test, '-'
    lower, '0' neither, empty without a test. With fewer than two folds there is no variant `folds`; regions, which overlap the
    classes, are corrected as in `published` also in `all_classes`.
    """
    kinds = frame.drop_duplicates("class").set_index("class")["kind"]
    single = ranksum["class"].map(kinds) != "region"
    together = ranksum.copy()
    together.loc[single, "p_holm"] = adjust(ranksum.loc[single, "p"].to_numpy())
    shifted = signed_rank.assign(statistic=_direction(signed_rank))
    tables = {
        "published": ranksum,
        "folds": _fold_tests(frame, losses, classes),
        "paired": shifted,
        "all_classes": together,
        "uncorrected": ranksum.assign(p_holm=ranksum["p"]),
        "both_empty_one": ranksum_tests(_both_empty_one(frame), losses, classes),
        "without_missed": ranksum_tests(_without_missed(frame), losses, classes),
    }
    rows = []
    for variant in VARIANTS:
        for test in tables[variant].to_dict("records"):
            p = float(test["p_holm"])
            sign = "" if np.isnan(test["statistic"]) else {1.0: "+", -1.0: "-"}.get(float(np.sign(test["statistic"])), "0")
            rows.append((variant, test["class"], test["row"], test["column"], sign, float(test["p"]), p, mark(p)))
    return pd.DataFrame(rows, columns=list(COLUMNS))


def sensitivity_means(frame: pd.DataFrame, losses: Sequence[str], classes: Sequence[str]) -> pd.DataFrame:
    """Return the mean DSC of every loss and class under the variants that change it, with the number of cases behind it.

    The mean is that of the fold means; `paired` has the mean over all cases. A loss without scores has no row.
    """
    rows = []
    for variant, changed in {
        "published": frame,
        "paired": frame,
        "both_empty_one": _both_empty_one(frame),
        "without_missed": _without_missed(frame),
    }.items():
        folds = changed.groupby(["class", "loss", "fold"])["dsc"].mean()
        per_fold: dict[Any, float] = {key: float(values.mean()) for key, values in folds.groupby(level=["class", "loss"])}
        pooled = {key: (float(values.mean()), values.count()) for key, values in changed.groupby(["class", "loss"])["dsc"]}
        for name in classes:
            for loss in losses:
                mean, cases = pooled.get((name, loss), (np.nan, 0))
                if cases:
                    rows.append((variant, name, loss, mean if variant == "paired" else per_fold[name, loss], int(cases)))
    return pd.DataFrame(rows, columns=list(MEAN_COLUMNS))


def _fold_tests(frame: pd.DataFrame, losses: Sequence[str], classes: Sequence[str]) -> pd.DataFrame:
    """Return the rank-sum tests with the fold means in the place of the cases."""
    folds = frame.groupby(["loss", "class", "fold"])["dsc"].mean().reset_index().rename(columns={"fold": "case"})
    if folds["case"].nunique() < 2:
        return pd.DataFrame(columns=["class", "row", "column", "statistic", "p", "p_holm"])
    return ranksum_tests(folds, losses, classes)


def _direction(signed_rank: pd.DataFrame) -> pd.Series:
    """Return the sign of the shift that the signed-rank test saw: that of the rank-biserial correlation."""
    return signed_rank["rank_biserial"].astype(float).map(np.sign)


def _both_empty_one(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.assign(dsc=frame["dsc"].mask(frame["note"] == BOTH_EMPTY, 1.0))


def _without_missed(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.assign(dsc=frame["dsc"].mask(frame["note"] == EMPTY_PREDICTION))
