"""The fold table of a dataset: which cases train, choose the weights, and are scored, in every fold."""

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
class Place:
    """The place of a case in the division of its dataset.

    With folds, `fold` (from 1) is the one that scores the case, and `part` is empty. With one fixed split, `fold` is 1 and `part`
    says what the case is for. `group` is what it belongs to, or empty.
    """

    fold: int
    part: Part = ""
    group: str = ""


@dataclass(frozen=True)
class Split:
    """The cases of one fold, each list sorted: those that train, those whose loss chooses the weights, those that are scored.

    With folds the last two are the same, as in the paper; with a fixed split no case is in two lists.
    """

    training: list[str]
    validation: list[str]
    test: list[str]


def write_folds(path: str | Path, places: Mapping[str, Place]) -> None:
    """Write the fold table as CSV `case,fold,part,group`, sorted by case."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows((case, place.fold, place.part, place.group) for case, place in sorted(places.items()))
    write_text(path, stream.getvalue())


def read_folds(path: str | Path) -> dict[str, Place]:
    """Read a fold table. Raises UserError when a case stands in it twice, or a column or number is not as it was written."""
    remedy = "Delete the file and run again."
    places: dict[str, Place] = {}
    with open(path, encoding="utf-8", newline="") as stream:
        for row in csv.DictReader(stream):
            try:
                case, part = row["case"], row["part"]
                place = Place(int(row["fold"]), part, row["group"])  # type: ignore[arg-type]  # looked at below
            except (KeyError, TypeError, ValueError) as error:
                raise UserError(f"{path}: the row {dict(row)} is no row of a fold table ({error}). {remedy}") from error
            if part not in get_args(Part):
                raise UserError(f"{path}: {case} has the part {part!r}, which is none. {remedy}")
            if case in places:
                raise UserError(f"{path}: a case stands in more than one row ({case}). {remedy}")
            places[case] = place
    return places


def split_cases(places: Mapping[str, Place], fold: int) -> Split:
    """Return the cases of one fold (from 1)."""
    by_part: dict[str, list[str]] = {"training": [], "validation": [], "test": []}
    for case in sorted(places):
        place = places[case]
        if place.part:
            by_part[place.part].append(case)
        elif place.fold == fold:
            by_part["validation"].append(case)
            by_part["test"].append(case)
        else:
            by_part["training"].append(case)
    return Split(**by_part)


def scored_in(places: Mapping[str, Place]) -> dict[str, int]:
    """Return the fold in which each case is scored; cases that are not scored are left out."""
    return {case: place.fold for case, place in places.items() if place.part in ("", "test")}
