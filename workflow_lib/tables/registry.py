"""The registry of tables, which are found by the names of their files."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from graphlib import TopologicalSorter
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from workflow_lib.base.families import Family, Listed

if TYPE_CHECKING:
    import pandas as pd

    from workflow_lib.tables.interface import LatexMember, Member
    from workflow_lib.tables.published import Published

FAMILY = Family("tables", "table", frozenset({"display", "latex", "protocol", "published"}))


def names() -> tuple[str, ...]:
    """Return the names of the tables in the order of the report. The files are `<dataset>_<name>.csv`."""
    return FAMILY.ordered()


def latex_names() -> tuple[str, ...]:
    """Return the names of the tables that are also available in LaTeX."""
    return tuple(name for name in names() if FAMILY.defines(name, "latex"))


def published_names() -> tuple[str, ...]:
    """Return the names of the tables that have rows only with published numbers."""
    return tuple(name for name in names() if FAMILY.facts(name).get("PUBLISHED", False))


def files() -> list[Listed]:
    """Return the entries of the tables in the report's list of files."""
    facts = {name: FAMILY.facts(name) for name in names()}
    return [
        Listed(
            own["TITLE"],
            f"tables/{{}}_{name}.csv",
            ", ".join(own["KEYS"]) + own.get("KEYS_NOTE", ""),
            published=name in published_names(),
        )
        for name, own in facts.items()
    ]


def columns(name: str) -> Mapping[str, str]:
    """Return the columns of a table with their descriptions."""
    return dict(FAMILY.facts(name)["COLUMNS"])


def get(name: str) -> Member:
    """Return the module of a table."""
    return cast("Member", FAMILY.get(name))


def build(
    statistics: Mapping[str, pd.DataFrame],
    protocol: Mapping[str, Any],
    classes: Sequence[str],
    n_cases: int,
    synthetic: bool,
    published: Published | None,
) -> dict[str, pd.DataFrame]:
    """Return all tables of a dataset. Each table is computed after the tables that it needs.

    The parameters are those of `interface.Data`. Without published numbers, the tables that compare with them
    have no rows.
    """
    import pandas as pd

    from workflow_lib.tables.interface import Data

    data = Data(statistics, protocol, classes, n_cases, synthetic, published, {})
    needs = {name: FAMILY.facts(name).get("NEEDS", ()) for name in names()}
    done: dict[str, pd.DataFrame] = {}
    for name in TopologicalSorter(needs).static_order():
        if published is None and name in published_names():
            done[name] = pd.DataFrame(columns=list(columns(name)))
            continue
        # Pass only the tables in NEEDS. Otherwise a table could be used without being listed, and its
        # computation before this one would not be guaranteed.
        done[name] = get(name).compute(dataclasses.replace(data, tables={need: done[need] for need in needs[name]}))
    return {name: done[name] for name in names()}


def write(folder: str | Path, dataset: str, tables: Mapping[str, pd.DataFrame]) -> None:
    """Write every table as `<folder>/<dataset>_<name>.csv`."""
    from workflow_lib.base.frames import write_frame

    for name, table in tables.items():
        write_frame(Path(folder) / f"{dataset}_{name}.csv", table)


def write_latex(
    folder: str | Path, dataset: str, tables: Mapping[str, pd.DataFrame], labels: Mapping[str, str], classes: Sequence[str]
) -> None:
    """Write `<folder>/<dataset>_<name>.tex` for the tables in LaTeX, each as a tabular (package booktabs)."""
    from workflow_lib.base.files import write_text

    for name in latex_names():
        member = cast("LatexMember", FAMILY.get(name))
        write_text(Path(folder) / f"{dataset}_{name}.tex", member.latex(tables[name], labels, classes))
