"""The sensitivity analysis: the tests with other choices than the published ones.

Each variant changes one choice and keeps the others:

- `published`: rank-sum tests of the cases of all folds, Holm per class, without cases with two empty masks;
- `folds`: rank-sum tests of the fold means; with five and five folds, p is never below 0.009, and Holm can
  only increase it;
- `paired`: signed-rank tests of the differences per case;
- `all_classes`: Holm over all classes of the dataset together; `uncorrected`: no correction;
- `both_empty_one`: cases with two empty masks are included with a DSC of 1;
- `without_missed`: cases with an empty prediction are excluded instead of counting as 0.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from workflow_lib.statistics._variants import both_empty_one, without_missed
from workflow_lib.statistics.holm import adjust, mark
from workflow_lib.statistics.interface import Data
from workflow_lib.statistics.ranksum import ranksum_tests

NAME = "sensitivity"
TITLE = "Sensitivity analysis: tests"
ORDER = 80
KEYS = ("variant", "class", "row", "column")
NEEDS = ("ranksum", "signed_rank")
COLUMNS = {
    "variant": "the choice that is changed",
    "class": "class or region",
    "row": "loss in the row of the triangle",
    "column": "loss in its column, which comes before it in the tables",
    "sign": "`+` where the row's loss scored higher by the test, `-` lower, `0` neither, empty without a test",
    "p": "two-sided p-value",
    "p_holm": "p adjusted as the variant says",
    "mark": "mark of significance of p_holm",
}

VARIANTS = ("published", "folds", "paired", "all_classes", "uncorrected", "both_empty_one", "without_missed")


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
    tests = data.tables["ranksum"], data.tables["signed_rank"]
    return sensitivity_tests(data.scores, *tests, data.losses, data.classes)


def sensitivity_tests(
    frame: pd.DataFrame, ranksum: pd.DataFrame, signed_rank: pd.DataFrame, losses: Sequence[str], classes: Sequence[str]
) -> pd.DataFrame:
    """Return the test of every pair of losses in each variant, one row per test.

    With fewer than two folds there is no variant `folds`. Regions overlap the classes; therefore
    `all_classes` corrects them as in `published`.

    Parameters
    ----------
    frame : pandas.DataFrame
        Scores of one dataset, one row per case and class (`loss`, `class`, `kind`, `fold`, `case`, `dsc`, `note`).
    ranksum, signed_rank : pandas.DataFrame
        The tables of these names.
    losses : sequence of str
        The losses in the order of the tables.
    classes : sequence of str
        Classes and regions in the order of the tables.

    Returns
    -------
    pandas.DataFrame
        Table with the columns `COLUMNS`. `sign` is '+' if the loss of the row scored higher according to the
        test, '-' if lower, '0' if neither, and empty without a test.

    Examples
    --------
    >>> from workflow_lib.statistics.signed_rank import signed_rank_tests
    >>> dsc = {"dice": (0.9, 0.8, 0.7), "focal": (0.6, 0.5, 0.4)}
    >>> rows = [(loss, "kidney", "class", 1, case, value, "") for loss in dsc for case, value in enumerate(dsc[loss])]
    >>> scores = pd.DataFrame(rows, columns=["loss", "class", "kind", "fold", "case", "dsc", "note"])
    >>> tests = ranksum_tests(scores, list(dsc), ["kidney"]), signed_rank_tests(scores, list(dsc), ["kidney"], 0.95)
    >>> table = sensitivity_tests(scores, *tests, list(dsc), ["kidney"])
    >>> table["variant"].tolist(), set(table["sign"])
    (['published', 'paired', 'all_classes', 'uncorrected', 'both_empty_one', 'without_missed'], {'-'})
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
        "both_empty_one": ranksum_tests(both_empty_one(frame), losses, classes),
        "without_missed": ranksum_tests(without_missed(frame), losses, classes),
    }
    rows = []
    for variant in VARIANTS:
        for test in tables[variant].to_dict("records"):
            p = float(test["p_holm"])
            sign = "" if np.isnan(test["statistic"]) else {1.0: "+", -1.0: "-"}.get(float(np.sign(test["statistic"])), "0")
            rows.append((variant, test["class"], test["row"], test["column"], sign, float(test["p"]), p, mark(p)))
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _fold_tests(frame: pd.DataFrame, losses: Sequence[str], classes: Sequence[str]) -> pd.DataFrame:
    """Return the rank-sum tests of the fold means instead of the cases."""
    folds = frame.groupby(["loss", "class", "fold"])["dsc"].mean().reset_index().rename(columns={"fold": "case"})
    if folds["case"].nunique() < 2:
        return pd.DataFrame(columns=["class", "row", "column", "statistic", "p", "p_holm"])
    return ranksum_tests(folds, losses, classes)


def _direction(signed_rank: pd.DataFrame) -> pd.Series:
    """Return the sign of the shift in the signed-rank test: that of the rank-biserial correlation."""
    return signed_rank["rank_biserial"].astype(float).map(np.sign)
