"""What a member of this family is: one file that names a table, says what its columns hold, and computes it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import pandas as pd

from workflow_lib.tables.published import Published


@dataclass(frozen=True)
class Data:
    """What a table is computed from: the statistics of one dataset, its protocol, and tables computed before it.

    `protocol` holds the sections of the dataset as plain data with `losses` as a list of {name, label, loss, parameters} in the
    order of the tables; `classes` are the foreground classes, regions left out; `n_cases` is the number of cases scored;
    `tables` holds what the member's `NEEDS` names.
    """

    statistics: Mapping[str, pd.DataFrame]
    protocol: Mapping[str, Any]
    classes: Sequence[str]
    n_cases: int
    synthetic: bool
    published: Published | None
    tables: Mapping[str, pd.DataFrame]

    @property
    def entries(self) -> Sequence[Mapping[str, Any]]:
        """The losses, each {name, label, loss, parameters}."""
        entries: Sequence[Mapping[str, Any]] = self.protocol["losses"]
        return entries

    @property
    def labels(self) -> dict[str, str]:
        """Loss -> its printed name, in the order of the tables."""
        return {str(entry["name"]): str(entry["label"]) for entry in self.entries}

    @property
    def paper(self) -> Published:
        """The published numbers, for a member that says `PUBLISHED`; it is not computed without them."""
        if self.published is None:
            raise ValueError("a table that compares with published numbers says PUBLISHED = True")
        return self.published


class Member(Protocol):
    """What a module of the family holds.

    `NAME` is the file's name, here and of the results; `TITLE` what the report calls the table; `ORDER` its place among the
    others; `KEYS` the columns that find a row; `COLUMNS` maps each column to what it holds, in the order of the file. These may
    be absent: `KEYS_NOTE` (what the report adds to the keys), `NEEDS` (other tables of the family), `PUBLISHED` (True where
    there is nothing to compute without published numbers: then the table has no rows), and a function
    `latex(table, labels, classes)`, which returns the table for a manuscript. All but the functions are literals, because they
    are read without importing the module.
    """

    NAME: str
    TITLE: str
    ORDER: int
    KEYS: tuple[str, ...]
    COLUMNS: Mapping[str, str]

    def compute(self, data: Data) -> pd.DataFrame:
        """Return the table."""


class LatexMember(Member, Protocol):
    """A member that has a form in LaTeX."""

    def latex(self, table: pd.DataFrame, labels: Mapping[str, str], classes: Sequence[str]) -> str:
        """Return the table in LaTeX; `labels` maps losses to printed names in the order of the tables."""
