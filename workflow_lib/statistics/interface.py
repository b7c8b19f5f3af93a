"""The interface of this family: each file defines a table of statistics, its columns and its computation."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import pandas as pd

from workflow_lib.statistics.intervals import Bootstrap


@dataclass(frozen=True)
class Data:
    """The input of a table of statistics: the scores of one dataset, and other tables.

    `losses` and `classes` (with regions) define the order in the tables. `confidence` is the level of all
    intervals, and `samples` the number of bootstrap samples. With `over_cases` (one fixed split), the
    interval of a mean is computed over the cases, else over the folds. The cases of `bootstrap` are drawn
    once for all tables. `tables` contains the tables in `NEEDS` of the member.
    """

    scores: pd.DataFrame
    losses: Sequence[str]
    classes: Sequence[str]
    confidence: float
    samples: int
    over_cases: bool
    seed: int
    bootstrap: Bootstrap
    tables: Mapping[str, pd.DataFrame]


class Member(Protocol):
    """The attributes of a module of the family. `NEEDS` (names of other tables) is optional.

    `NAME` is the name of the file here and in the results. `TITLE` is the title of the table in the report,
    and `ORDER` its position. `KEYS` are the columns that identify a row. `COLUMNS` maps each column to its
    description, in the order of the file. All of them are literals, because they are read without importing
    the module.
    """

    NAME: str
    TITLE: str
    ORDER: int
    KEYS: tuple[str, ...]
    COLUMNS: Mapping[str, str]

    def compute(self, data: Data) -> pd.DataFrame:
        """Return the table."""
