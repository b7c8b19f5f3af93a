"""The metrics by name: every file of this folder is one.

A file holds NAME, LABEL, UNIT, BETTER, RANGE, MEASURED, EMPTY, CITATION, EQUATION (LaTeX) and a function of the metric's own
name (`interface.Metric` says what each is), and NOTES if there is more to say. Adding a metric adds a file; nothing else changes:
it gets a column in the scores and a section in docs/metrics.md.
"""

from collections.abc import Callable
from typing import Any, cast, get_args

from workflow_lib.base.errors import UserError
from workflow_lib.base.families import Family
from workflow_lib.metrics.interface import EMPTY_NOTES, Better, Measured, Metric

FAMILY = Family("metrics", "metric", frozenset({"paper"}))

PAPER = ("dsc", "precision", "recall")
"""The metrics of the paper: statistics, tables and figures compare the losses in these."""

FIRST = (*PAPER, "hd95", "nsd")
"""The metrics that every table of scores has, in the order of its columns; all others follow by name."""

NEEDED = ("NAME", "LABEL", "UNIT", "BETTER", "RANGE", "MEASURED", "EMPTY", "CITATION", "EQUATION")


def names() -> tuple[str, ...]:
    """Return the names of all metrics. Imports none of them.

    Returns
    -------
    tuple of str
        In the order of the columns of scores.
    """
    return (*FIRST, *(name for name in FAMILY.names() if name not in FIRST))


def module(name: str) -> str:
    """Return the Python module that holds a metric.

    Parameters
    ----------
    name : str
        Name of the metric.

    Returns
    -------
    str
        Its dotted name.
    """
    return FAMILY.module(name)


def get(name: str) -> Metric:
    """Return the module of a metric.

    Parameters
    ----------
    name : str
        Name of the metric.

    Returns
    -------
    Metric
        What the metric's file holds.

    Raises
    ------
    UserError
        If there is none of that name (with the nearest one), or its file is not complete.
    """
    found = FAMILY.get(name)
    where = f"The metric file workflow_lib/metrics/{name}.py"
    missing = [key for key in (*NEEDED, name) if not hasattr(found, key)]
    if missing:
        raise UserError(f"{where} does not define {', '.join(missing)}.")
    metric = cast(Metric, found)
    if name != metric.NAME:
        raise UserError(f"{where} has NAME = {metric.NAME!r}; it must be {name!r}.")
    for key, allowed in (("BETTER", get_args(Better)), ("MEASURED", get_args(Measured))):
        if getattr(metric, key) not in allowed:
            raise UserError(f"{where} has {key} = {getattr(metric, key)!r}; use {', '.join(allowed)}.")
    if not set(metric.EMPTY) <= set(EMPTY_NOTES):
        raise UserError(f"{where}: the keys of EMPTY must be among {', '.join(map(repr, EMPTY_NOTES))}.")
    return metric


def function(name: str) -> Callable[[Any], float]:
    """Return the function of a metric.

    Parameters
    ----------
    name : str
        Name of the metric.

    Returns
    -------
    callable
        Of `Counts` or of `Surfaces`, as its `MEASURED` says, to a float.

    Raises
    ------
    UserError
        As `get` does.

    Examples
    --------
    >>> from workflow_lib.metrics.interface import Counts
    >>> function("recall")(Counts(tp=3, fp=0, fn=1))
    0.75
    """
    return cast(Callable[[Any], float], getattr(get(name), name))


def label(name: str) -> str:
    """Return the name of a metric in tables and figures.

    Parameters
    ----------
    name : str
        Name of the metric.

    Returns
    -------
    str
        Its `LABEL`.

    Raises
    ------
    UserError
        As `get` does.
    """
    return get(name).LABEL


def notes(name: str) -> tuple[str, ...]:
    """Return what else a reader should know about a metric.

    Parameters
    ----------
    name : str
        Name of the metric.

    Returns
    -------
    tuple of str
        Sentences.
    """
    return tuple(getattr(get(name), "NOTES", ()))
