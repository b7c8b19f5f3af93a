"""What a member of this family is: one file that names a table of statistics, says what its columns hold, and computes it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import pandas as pd

from workflow_lib.statistics.intervals import Bootstrap


@dataclass(frozen=True)
class Data:
    """What a table of statistics is computed from: the scores of one dataset, and tables computed before it.

    `losses` gives the order of the tables and `classes` that of classes and regions; `confidence` is the level of all intervals,
    `samples` the number of bootstrap samples. With `over_cases` (one fixed split) the interval of a mean is taken over its cases,
    else over the folds. The cases of `bootstrap` are drawn once, for all tables. `tables` holds what the member's `NEEDS` names.
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
    """What a module of the family holds. `NEEDS` (names of other tables) may be absent.

    `NAME` is the file's name, here and of the results; `TITLE` what the report calls the table; `ORDER` its place among the
    others; `KEYS` the columns that find a row; `COLUMNS` maps each column to what it holds, in the order of the file. All of
    them are literals, because they are read without importing the module.
    """

    NAME: str
    TITLE: str
    ORDER: int
    KEYS: tuple[str, ...]
    COLUMNS: Mapping[str, str]

    def compute(self, data: Data) -> pd.DataFrame:
        """Return the table."""
