"""The interface of this family: each file defines a table, its columns and its computation."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import pandas as pd

from workflow_lib.tables.published import Published


@dataclass(frozen=True)
class Data:
    """The input of a table: the statistics of one dataset, its protocol, and other tables.

    `protocol` contains the sections of the dataset as plain data; its `losses` are a list of {name, label,
    loss, parameters} in the order of the tables. `classes` are the foreground classes without regions.
    `n_cases` is the number of scored cases. `tables` contains the tables in `NEEDS` of the member.
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
        """Loss -> label, in the order of the tables."""
        return {str(entry["name"]): str(entry["label"]) for entry in self.entries}

    @property
    def paper(self) -> Published:
        """The published numbers, for a member with `PUBLISHED = True`, which is computed only with them."""
        if self.published is None:
            raise ValueError("a table that compares with published numbers says PUBLISHED = True")
        return self.published


class Member(Protocol):
    """The attributes of a module of the family.

    `NAME` is the name of the file here and in the results. `TITLE` is the title of the table in the report,
    and `ORDER` its position. `KEYS` are the columns that identify a row. `COLUMNS` maps each column to its
    description, in the order of the file. Optional: `KEYS_NOTE` (text after the keys in the report), `NEEDS`
    (other tables of the family), `PUBLISHED` (True if the table needs published numbers and has no rows
    without them), and a function `latex(table, labels, classes)`, which returns the table for a manuscript.
    All attributes except the functions are literals, because they are read without importing the module.
    """

    NAME: str
    TITLE: str
    ORDER: int
    KEYS: tuple[str, ...]
    COLUMNS: Mapping[str, str]

    def compute(self, data: Data) -> pd.DataFrame:
        """Return the table."""


class LatexMember(Member, Protocol):
    """A member that is also available in LaTeX."""

    def latex(self, table: pd.DataFrame, labels: Mapping[str, str], classes: Sequence[str]) -> str:
        """Return the table in LaTeX; `labels` maps losses to labels in the order of the tables."""
