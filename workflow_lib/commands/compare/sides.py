"""Read one of the two folders of a comparison."""

import csv
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from workflow_lib.base.errors import Faults, UserError
from workflow_lib.commands.audit import folder as safe
from workflow_lib.commands.audit import records
from workflow_lib.commands.audit.agreement import made_with, tables_of_code
from workflow_lib.commands.audit.records import NAME, Record
from workflow_lib.datasets.folds import read_folds, scored_in
from workflow_lib.datasets.identity import contents, data_digest
from workflow_lib.metrics.registry import PAPER as METRICS
from workflow_lib.provenance.manifest import MANIFEST

Row = Mapping[str, str]


@dataclass(frozen=True)
class Data:
    """The results of one dataset.

    `cases`: digests of each case's files by their role. `folds`: the fold in which each case is scored. `scores`: the metrics of
    every (loss, class, case), NaN if undefined. `means`, `p_values`, `surface`: rows of the tables as text. `digest`: that of the
    files of all cases.
    """

    name: str
    cases: dict[str, Mapping[str, tuple[str, ...]]]
    folds: dict[str, int]
    scores: dict[tuple[str, str, str], tuple[float, ...]]
    means: list[Row]
    p_values: list[Row]
    surface: list[Row]
    digest: str = ""


@dataclass(frozen=True)
class Side:
    """The content of one folder: digest of its manifest, settings, code by step, versions, devices, and numbers."""

    folder: str
    title: str
    digest: str
    commit: str
    config: dict[str, Any]
    code: dict[str, dict[str, str]]
    versions: dict[str, str]
    devices: str
    data: dict[str, Data]


def read(folder: Path) -> Side:
    """Read a folder of results. Raises UserError if it is not one, or if a file in it is invalid."""
    if not folder.is_dir():
        raise UserError(f"{folder} is not a folder. Give the folder of a study's results.")
    if not (folder / MANIFEST).is_file():
        raise UserError(f"{folder} holds no finished study: {MANIFEST} is missing. Give the folder of a study's results.")
    with tempfile.TemporaryDirectory(prefix="compare-") as private:
        study = Path(private)
        faults = safe.copy(folder, [name for name in safe.listing(folder) if _is_read(name)], study)
        if faults:
            raise Faults(f"{folder} cannot be compared:", faults)
        try:
            return _read(folder, study)
        except UserError as error:
            raise UserError(f"{folder} cannot be compared: {error}") from None
        except FileNotFoundError as error:
            raise UserError(f"{folder} cannot be compared: {_below(error.filename, study)} is missing") from None
        except Exception as error:  # the content is untrusted
            raise UserError(f"{folder} cannot be compared: a file in it is invalid ({repr(error)[:300]})") from None


def _below(path: object, study: Path) -> str:
    """Return a path of the private copy relative to the results."""
    return str(path).removeprefix(f"{study}/")


def _is_read(name: str) -> bool:
    return safe.is_copied(name) and name.endswith((".json", ".csv")) and not name.startswith("preprocessed/")


def _read(folder: Path, study: Path) -> Side:
    every = list(records.every(study))
    settings = records.read(study, records.REPORT_RECORD).settings
    facts = [safe.read_json(study, record.name).get("facts", {}) for record in every]
    names = [dataset["name"] for dataset in settings["datasets"]]
    if not all(isinstance(name, str) and NAME.fullmatch(name) for name in names):
        raise UserError(f"{records.REPORT_RECORD}: a dataset has an invalid name")
    return Side(
        str(folder),
        str(settings["title"]),
        safe.sha256(study, MANIFEST),
        str(facts[-1].get("commit") or "unknown"),
        settings["config"],
        _code(every, tables_of_code(study)),
        _joined([record.versions for record in every]),
        ", ".join(sorted({str(fact.get("device")) for fact in facts if fact.get("device")})),
        {name: _data(study, name) for name in names},
    )


def _code(every: list[Record], tables: Mapping[str, dict[str, str]]) -> dict[str, dict[str, str]]:
    """Return the modules of every step with their digests.

    If its jobs were made with several versions, all digests are joined.
    """
    found: dict[str, dict[str, set[str]]] = {}
    for record in every:
        for module, digest in (made_with(record, tables) or {}).items():
            found.setdefault(record.step, {}).setdefault(module, set()).add(digest)
    return {step: {module: " ".join(sorted(all_of)) for module, all_of in table.items()} for step, table in found.items()}


def _joined(versions: list[dict[str, str]]) -> dict[str, str]:
    packages = sorted({package for found in versions for package in found})
    return {package: ", ".join(sorted({str(found[package]) for found in versions if package in found})) for package in packages}


def _data(study: Path, name: str) -> Data:
    cases = safe.read_json(study, f"data/{name}/cases.json")["cases"]
    return Data(
        name,
        {str(case["id"]): contents(case) for case in cases},
        scored_in(read_folds(study / f"data/{name}/folds.csv")),
        {
            (row["loss"], row["class"], row["case"]): tuple(number(row[metric]) for metric in METRICS)
            for row in _rows(study / f"scores/{name}.csv")
        },
        _rows(study / f"statistics/{name}/means.csv"),
        _rows(study / f"tables/{name}_pvalues.csv"),
        _rows(study / f"statistics/{name}/surface.csv"),
        data_digest(cases),
    )


def number(text: str) -> float:
    """Return the number in a field, or NaN if the field is empty."""
    return float(text) if text else float("nan")


def _rows(path: Path) -> list[Row]:
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))
