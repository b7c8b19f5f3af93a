"""The scores of a class with one column per loss, and the pairs of losses that are compared."""

from collections.abc import Sequence

import numpy as np
import pandas as pd


def score_table(frame: pd.DataFrame, losses: Sequence[str], name: str, metric: str = "dsc") -> pd.DataFrame:
    """Return the values of a metric for one class as a table of cases and losses.

    Parameters
    ----------
    frame : pandas.DataFrame
        Scores of one dataset, one row per case and class (`loss`, `class`, `case`).
    losses : sequence of str
        The losses in the order of the tables.
    name : str
        The class.
    metric : str
        The column of the scores.

    Returns
    -------
    pandas.DataFrame
        One row per case (sorted) and one column per loss. Undefined and absent values are NaN; the column of
        a loss without scores contains only NaN.

    Raises
    ------
    ValueError
        If there are two scores of a loss for one case.

    Examples
    --------
    >>> dsc = {"dice": (0.9, 0.8, 0.7), "focal": (0.6, 0.5, 0.4)}
    >>> rows = [(loss, "kidney", case, value) for loss in dsc for case, value in enumerate(dsc[loss])]
    >>> scores = pd.DataFrame(rows, columns=["loss", "class", "case", "dsc"])
    >>> score_table(scores, ["focal", "dice"], "kidney").values.tolist()
    [[0.6, 0.9], [0.5, 0.8], [0.4, 0.7]]
    """
    part = frame[frame["class"] == name]
    table = part.pivot(index="case", columns="loss", values=metric).sort_index()
    return table.reindex(columns=list(losses)).astype(float)


def pairs(losses: Sequence[str]) -> list[tuple[str, str]]:
    """Return the pairs of the lower triangle, row by row: each loss with all losses before it.

    Parameters
    ----------
    losses : sequence of str
        The losses in the order of the tables.

    Returns
    -------
    list of (str, str)
        The losses of row and column.

    Examples
    --------
    >>> pairs(["a", "b", "c"])
    [('b', 'a'), ('c', 'a'), ('c', 'b')]
    """
    return [(row, column) for index, row in enumerate(losses) for column in losses[:index]]


def defined(values: pd.Series) -> np.ndarray:
    """Return the values that are not NaN.

    Parameters
    ----------
    values : pandas.Series
        Numbers.

    Returns
    -------
    numpy.ndarray
        The values in the same order.

    Examples
    --------
    >>> defined(pd.Series([0.5, np.nan])).tolist()
    [0.5]
    """
    return values.dropna().to_numpy(dtype=float)
