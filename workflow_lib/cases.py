"""The vocabulary of the study: cases, classes and folds."""

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from workflow_lib.errors import UserError
from workflow_lib.files import write_text
from workflow_lib.seeds import generator


@dataclass(frozen=True)
class Case:
    """One image with its ground truth: an identifier, one file per channel, and the mask."""

    id: str
    images: tuple[Path, ...]
    mask: Path


@dataclass(frozen=True)
class LabelMap:
    """The classes of a dataset, background first, and the values that stand for them in its mask files.

    `values[c]` are the accepted raw values of class c; the first one is written to predictions.
    `regions` are unions of classes that are scored beside the classes, by class index.
    """

    names: tuple[str, ...]
    values: tuple[tuple[int, ...], ...]
    regions: Mapping[str, tuple[int, ...]] = field(default_factory=dict)

    @property
    def n_classes(self) -> int:
        """Number of classes, background included."""
        return len(self.names)

    def unknown_values(self, raw: np.ndarray) -> dict[float, int]:
        """Return the values in `raw` that no class declares, with their number of voxels."""
        present, counts = np.unique(raw, return_counts=True)
        known = {value for values in self.values for value in values}
        return {float(v): int(n) for v, n in zip(present, counts, strict=True) if float(v) not in known}

    def to_classes(self, raw: np.ndarray) -> np.ndarray:
        """Map raw mask values to class indices (uint8, same shape). Raises UserError on a value that is not declared."""
        classes = np.full(raw.shape, 255, dtype=np.uint8)
        for index, values in enumerate(self.values):
            for value in values:
                classes[raw == value] = index
        if np.any(classes == 255):
            unknown = ", ".join(f"{v:g} ({n} voxels)" for v, n in self.unknown_values(raw).items())
            declared = ", ".join(f"{'/'.join(map(str, v))} = {n}" for n, v in zip(self.names, self.values, strict=True))
            raise UserError(f"label values outside the declared set: {unknown}; declared: {declared}")
        return classes

    def to_raw(self, classes: np.ndarray) -> np.ndarray:
        """Map class indices to the raw values of the dataset's own masks (uint8, same shape)."""
        lookup = np.array([values[0] for values in self.values], dtype=np.uint8)
        raw: np.ndarray = lookup[classes]
        return raw

    def to_json(self) -> dict[str, object]:
        """Return plain data for a JSON file."""
        return {
            "names": list(self.names),
            "values": [list(values) for values in self.values],
            "regions": {name: list(classes) for name, classes in self.regions.items()},
        }

    @classmethod
    def from_json(cls, content: Mapping[str, object]) -> "LabelMap":
        """Read what `to_json` wrote."""
        names, values, regions = content["names"], content["values"], content["regions"]
        assert isinstance(names, list)
        assert isinstance(values, list)
        assert isinstance(regions, dict)
        return cls(tuple(names), tuple(tuple(v) for v in values), {name: tuple(c) for name, c in regions.items()})


def assign_folds(case_ids: Sequence[str], folds: int, seed: int) -> dict[str, int]:
    """Assign each case to a fold 1..`folds` by one random permutation; sizes differ by at most one.

    The assignment depends on the set of cases, not on their order. Raises UserError when there are more folds than cases.
    """
    if folds > len(case_ids):
        raise UserError(f"{folds} folds need at least {folds} cases, but only {len(case_ids)} are included. Ask for fewer folds.")
    ordered = sorted(case_ids)
    permutation = generator(seed, "folds").permutation(len(ordered))
    assignment = {ordered[position]: index % folds + 1 for index, position in enumerate(permutation)}
    return {case: assignment[case] for case in ordered}


def write_folds(path: str | Path, folds: Mapping[str, int]) -> None:
    """Write the fold table as CSV `case,fold`."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(["case", "fold"])
    writer.writerows(sorted(folds.items()))
    write_text(path, stream.getvalue())


def read_folds(path: str | Path) -> dict[str, int]:
    """Read a fold table. Raises UserError when a case stands in it twice."""
    with open(path, encoding="utf-8", newline="") as stream:
        rows = [(row["case"], int(row["fold"])) for row in csv.DictReader(stream)]
    folds = dict(rows)
    if len(folds) != len(rows):
        raise UserError(f"{path}: a case stands in more than one row. Delete the file and run again.")
    return folds


def split_cases(folds: Mapping[str, int], fold: int) -> tuple[list[str], list[str]]:
    """Return (training cases, validation cases) of one fold, each sorted."""
    training = sorted(case for case, number in folds.items() if number != fold)
    validation = sorted(case for case, number in folds.items() if number == fold)
    return training, validation


def csv_text(columns: Sequence[str], rows: Iterable[Mapping[str, object]]) -> str:
    """Return CSV text; floats in full precision, None and NaN as empty fields. Unknown columns are an error."""
    stream = io.StringIO()
    writer = csv.DictWriter(stream, columns, lineterminator="\n")
    writer.writeheader()
    for row in rows:
        writer.writerow({key: _csv_value(value) for key, value in row.items()})
    return stream.getvalue()


def _csv_value(value: object) -> object:
    if value is None or (isinstance(value, (float, np.floating)) and np.isnan(value)):
        return ""
    if isinstance(value, (float, np.floating)):
        return repr(float(value))
    return value
