"""The registry of the tables of statistics, which are found by the names of their files."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from graphlib import TopologicalSorter
from typing import TYPE_CHECKING, Any, cast

from workflow_lib.base.families import Family, Listed

if TYPE_CHECKING:
    import pandas as pd

    from workflow_lib.statistics.interface import Member

FAMILY = Family("statistics", "table of statistics", frozenset({"across_networks", "holm", "intervals", "pairs", "sweeps"}))


def names() -> tuple[str, ...]:
    """Return the names of the tables, which are the names of their result files without '.csv'.

    Returns
    -------
    tuple of str
        The names in the order of the report.
    """
    return FAMILY.ordered()


def files() -> list[Listed]:
    """Return the entries of the tables in the report's list of files.

    Returns
    -------
    list of Listed
        The entries in the order of the report.
    """
    facts = {name: FAMILY.facts(name) for name in names()}
    return [Listed(own["TITLE"], f"statistics/{{}}/{name}.csv", ", ".join(own["KEYS"])) for name, own in facts.items()]


def columns(name: str) -> Mapping[str, str]:
    """Return the columns of a table.

    Parameters
    ----------
    name : str
        Name of the table.

    Returns
    -------
    mapping of str to str
        The description of each column, in the order of the file.

    Examples
    --------
    >>> columns("friedman")["n"]
    'cases in which every loss has a defined DSC'
    """
    return dict(FAMILY.facts(name)["COLUMNS"])


def get(name: str) -> Member:
    """Return the module of a table.

    Parameters
    ----------
    name : str
        Name of the table.

    Returns
    -------
    Member
        The module with the attributes of a member.

    Raises
    ------
    UserError
        If there is no table of that name; the message contains the closest name and all names.
    """
    return cast("Member", FAMILY.get(name))


def compute(scores: pd.DataFrame, losses: Sequence[str], settings: Mapping[str, Any], seed: int) -> dict[str, pd.DataFrame]:
    """Return all tables of a dataset. Each table is computed after the tables that it needs.

    Missing results (of a training or a loss) show in the counts; everything else is computed from the
    available scores. Classes and regions keep the order of the scores. The order of the rows has no other
    effect.

    Parameters
    ----------
    scores : pd.DataFrame
        The scores of every case.
    losses : sequence of str
        The losses in the order of the tables. Other losses in the scores are excluded.
    settings : mapping
        `bootstrap` (number of samples), `confidence` (level of all intervals), and `interval_over` ("folds" as published, or
        "cases").
    seed : int
        Seed of the bootstrap.

    Returns
    -------
    dict of str to pd.DataFrame
        The tables by name, in the order of `names`.
    """
    from workflow_lib.evaluation.scores import class_names
    from workflow_lib.statistics.interface import Data
    from workflow_lib.statistics.intervals import bootstrap_means

    scores = scores[scores["loss"].isin(list(losses))]
    classes, samples = class_names(scores), int(settings["bootstrap"])
    bootstrap = bootstrap_means(scores, losses, classes, samples, seed)
    over_cases, confidence = settings.get("interval_over") == "cases", float(settings["confidence"])
    data = Data(scores, losses, classes, confidence, samples, over_cases, seed, bootstrap, {})
    needs = {name: FAMILY.facts(name).get("NEEDS", ()) for name in names()}
    done: dict[str, pd.DataFrame] = {}
    for name in TopologicalSorter(needs).static_order():
        # Pass only the tables in NEEDS. Otherwise a table could be used without being listed, and its
        # computation before this one would not be guaranteed.
        given = {need: done[need] for need in needs[name]}
        done[name] = get(name).compute(dataclasses.replace(data, tables=given))
    return {name: done[name] for name in names()}
