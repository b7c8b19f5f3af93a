"""The scores of a class as one column per loss, and the pairs of losses that are compared."""

from collections.abc import Sequence

import numpy as np
import pandas as pd


def score_table(frame: pd.DataFrame, losses: Sequence[str], name: str, metric: str = "dsc") -> pd.DataFrame:
    """Return the metric of class `name` with a row per case (sorted) and a column per loss, NaN where undefined or absent.

    A loss without any scores is a column of NaN. A case that a loss scored twice is an error (ValueError).
    """
    part = frame[frame["class"] == name]
    table = part.pivot(index="case", columns="loss", values=metric).sort_index()
    return table.reindex(columns=list(losses)).astype(float)


def pairs(losses: Sequence[str]) -> list[tuple[str, str]]:
    """Return (row, column) of the lower triangle, row by row: a loss against each that stands before it."""
    return [(row, column) for index, row in enumerate(losses) for column in losses[:index]]


def defined(values: pd.Series) -> np.ndarray:
    """Return the values that are not NaN."""
    return values.dropna().to_numpy(dtype=float)
