"""All statistics of one dataset."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from workflow_lib.base.frames import write_frame
from workflow_lib.evaluation.scores import class_names
from workflow_lib.statistics.friedman import friedman_tests
from workflow_lib.statistics.intervals import bootstrap_means, fold_means, means_table
from workflow_lib.statistics.paired import signed_rank_tests
from workflow_lib.statistics.ranking import ranking_table
from workflow_lib.statistics.ranksum import ranksum_tests
from workflow_lib.statistics.sensitivity import sensitivity_means, sensitivity_tests
from workflow_lib.statistics.surface import surface_table

STEMS = ("means", "fold_means", "ranksum", "signed_rank", "friedman", "ranking", "surface", "sensitivity", "sensitivity_means")
"""Names of the tables, and of their files without '.csv'."""


def compute(frame: pd.DataFrame, losses: Sequence[str], settings: Mapping[str, Any], seed: int) -> dict[str, pd.DataFrame]:
    """Return the tables `STEMS` of a table of scores.

    `losses` gives the order of the tables; losses of the scores that are not in it are left out. `settings` are `bootstrap`
    (number of samples), `confidence` (level of all intervals) and `interval_over` ("folds" as published, or "cases"). Classes and
    regions keep the order of the scores; else the order of the rows does not matter. What is missing (a training, a loss) shows
    in the counts; everything else is computed from what is there.
    """
    frame = frame[frame["loss"].isin(list(losses))]
    classes = class_names(frame)
    confidence = float(settings["confidence"])
    per_fold = fold_means(frame, losses, classes)
    samples = int(settings["bootstrap"])
    bootstrap = bootstrap_means(frame, losses, classes, samples, seed)
    means = means_table(frame, per_fold, bootstrap, losses, classes, confidence, settings.get("interval_over") == "cases")
    ranksum = ranksum_tests(frame, losses, classes)
    signed_rank = signed_rank_tests(frame, losses, classes, confidence)
    return {
        "means": means,
        "fold_means": per_fold,
        "ranksum": ranksum,
        "signed_rank": signed_rank,
        "friedman": friedman_tests(frame, losses, classes),
        "ranking": ranking_table(means, bootstrap, losses, classes),
        "surface": surface_table(frame, losses, classes, samples, confidence, seed),
        "sensitivity": sensitivity_tests(frame, ranksum, signed_rank, losses, classes),
        "sensitivity_means": sensitivity_means(frame, losses, classes),
    }


def write(folder: str | Path, tables: Mapping[str, pd.DataFrame]) -> None:
    """Write every table as `<folder>/<name>.csv`."""
    for name, table in tables.items():
        write_frame(Path(folder) / f"{name}.csv", table)
