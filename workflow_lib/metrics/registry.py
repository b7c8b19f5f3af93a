"""The registry of metrics: each file of this folder is one.

A file defines NAME, LABEL, UNIT, BETTER, RANGE, MEASURED, EMPTY, CITATION, EQUATION (LaTeX) and a function with
the name of the metric (see `interface.Metric`). NOTES is optional. To add a metric, add a file; no other file
changes. The metric gets a column in the scores and a section in docs/metrics.md.
"""

from collections.abc import Callable
from typing import Any, cast, get_args

from workflow_lib.base.errors import UserError
from workflow_lib.base.families import Family
from workflow_lib.metrics.interface import EMPTY_NOTES, Better, Measured, Metric

FAMILY = Family("metrics", "metric", frozenset({"paper"}))

PAPER = ("dsc", "precision", "recall")
"""The metrics of the paper, in which statistics, tables and figures compare the losses."""

FIRST = (*PAPER, "hd95", "nsd")
"""The first metrics in the columns of the scores; all others follow in alphabetical order."""

NEEDED = ("NAME", "LABEL", "UNIT", "BETTER", "RANGE", "MEASURED", "EMPTY", "CITATION", "EQUATION")


def names() -> tuple[str, ...]:
    """Return the names of all metrics without importing them.

    Returns
    -------
    tuple of str
        The names in the order of the columns of scores.
    """
    return (*FIRST, *(name for name in FAMILY.names() if name not in FIRST))


def module(name: str) -> str:
    """Return the name of the Python module of a metric.

    Parameters
    ----------
    name : str
        Name of the metric.

    Returns
    -------
    str
        The dotted name of the module.
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
        The module with the attributes of a metric.

    Raises
    ------
    UserError
        If there is no metric of that name (the message contains the closest name), or its file is incomplete
        or invalid.
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
        Function of `Counts` or `Surfaces`, according to `MEASURED`, that returns a float.

    Raises
    ------
    UserError
        In the same cases as `get`.

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
        The `LABEL` of the metric.

    Raises
    ------
    UserError
        In the same cases as `get`.
    """
    return get(name).LABEL


def notes(name: str) -> tuple[str, ...]:
    """Return the notes on a metric.

    Parameters
    ----------
    name : str
        Name of the metric.

    Returns
    -------
    tuple of str
        The notes as sentences.
    """
    return tuple(getattr(get(name), "NOTES", ()))
