"""The fold table of a dataset: the training, validation and test cases of every fold."""

import csv
import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from workflow_lib.base.errors import UserError
from workflow_lib.base.files import write_text

Part = Literal["", "training", "validation", "test"]
COLUMNS = ("case", "fold", "part", "group")


@dataclass(frozen=True)
class Assignment:
    """The place of a case in the division of its dataset.

    With folds, `fold` (from 1) is the fold that scores the case, and `part` is empty. With a fixed split, `fold` is 1, and
    `part`
    is the part of the case. `group` is the group of the case, or empty.
    """

    fold: int
    part: Part = ""
    group: str = ""


@dataclass(frozen=True)
class Split:
    """The sorted cases of one fold: for training, for selecting the weights (validation), and for scoring (test).

    With folds the last two are equal, as in the paper. With a fixed split the three lists are disjoint.
    """

    training: list[str]
    validation: list[str]
    test: list[str]


def write_folds(path: str | Path, assignments: Mapping[str, Assignment]) -> None:
    """Write the fold table as CSV `case,fold,part,group`, sorted by case."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows((case, its.fold, its.part, its.group) for case, its in sorted(assignments.items()))
    write_text(path, stream.getvalue())


def read_folds(path: str | Path) -> dict[str, Assignment]:
    """Read a fold table. Raises UserError if a case is listed twice, or if a row is invalid."""
    remedy = "Delete the file and run again."
    assignments: dict[str, Assignment] = {}
    with open(path, encoding="utf-8", newline="") as stream:
        for row in csv.DictReader(stream):
            try:
                case, part = row["case"], row["part"]
                assignment = Assignment(int(row["fold"]), part, row["group"])  # type: ignore[arg-type]  # looked at below
            except (KeyError, TypeError, ValueError) as error:
                raise UserError(f"{path}: the row {dict(row)} is not a row of a fold table ({error}). {remedy}") from error
            if part not in get_args(Part):
                raise UserError(f"{path}: {case} has the part {part!r}, which is not a part. {remedy}")
            if case in assignments:
                raise UserError(f"{path}: a case is in more than one row ({case}). {remedy}")
            assignments[case] = assignment
    return assignments


def split_cases(assignments: Mapping[str, Assignment], fold: int) -> Split:
    """Return the cases of one fold (from 1)."""
    by_part: dict[str, list[str]] = {"training": [], "validation": [], "test": []}
    for case in sorted(assignments):
        assignment = assignments[case]
        if assignment.part:
            by_part[assignment.part].append(case)
        elif assignment.fold == fold:
            by_part["validation"].append(case)
            by_part["test"].append(case)
        else:
            by_part["training"].append(case)
    return Split(**by_part)


def scored_in(assignments: Mapping[str, Assignment]) -> dict[str, int]:
    """Return the fold in which each case is scored. Cases that are not scored are omitted."""
    return {case: assignment.fold for case, assignment in assignments.items() if assignment.part in ("", "test")}
