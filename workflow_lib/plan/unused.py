"""Entries of the catalogues that the study does not use: validated like the others, but their faults are warnings.

An entry of config.yaml may not fit the sections that another study lays over it: its patch may have another number of axes. So of
an entry that the study's own files do not hold, only those faults count that it also has without these sections.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from workflow_lib.base.errors import Faults
from workflow_lib.plan.faults import faults_of
from workflow_lib.study.catalogue import used_datasets, used_losses, with_used_losses
from workflow_lib.study.config import SECTIONS, validate

STUDY = {"name": "unused", "title": "Unused"}
"""Placeholder for the section `study`, whose faults belong to the study itself."""

STAND_IN = "dice"
"""A loss in place of one whose file is missing."""


def warning(raw: Mapping[str, Any], own: Mapping[str, Any] | None = None) -> str:
    """Return the faults of the unused entries as one block of lines, "" if there are none. `own` as in `jobs.load`."""
    found = faults(raw, own)
    if not found:
        return ""
    head = f"Warning: {len(found)} fault(s) in entries that this study does not use, and which therefore do not stop it:"
    return "\n".join([head, *(f"  - {fault}" for fault in found)])


def faults(raw: Mapping[str, Any], own: Mapping[str, Any] | None = None) -> list[str]:
    """Return the faults of the unused entries. Files that they name may be missing."""
    return list(dict.fromkeys([*_of_datasets(raw, own), *_of_losses(raw)]))


def _of_datasets(raw: Mapping[str, Any], own: Mapping[str, Any] | None) -> Iterator[str]:
    catalogue, used = _catalogue(raw, "datasets"), used_datasets(raw)
    ours = catalogue if own is None else _catalogue(own, "datasets")
    for name in catalogue:
        if name not in used:
            found = _alone(raw, name)
            if name not in ours:
                without = _alone({key: value for key, value in raw.items() if key not in SECTIONS}, name)
                found = [fault for fault in found if fault in without]
            yield from found


def _alone(raw: Mapping[str, Any], name: str) -> list[str]:
    """Return the faults of a study of this dataset, and of the one whose folds it takes."""
    entry = _catalogue(raw, "datasets")[name]
    division = entry.get("cross_validation") if isinstance(entry, Mapping) else None
    like = division.get("like") if isinstance(division, Mapping) else None
    names = [name, like] if isinstance(like, str) and like != name and like in _catalogue(raw, "datasets") else [name]
    datasets = {other: _without_missing_files(_catalogue(raw, "datasets")[other]) for other in names}
    losses = {key: _with_a_stand_in(key, choice) for key, choice in _catalogue(raw, "losses").items()}
    study = with_used_losses({**raw, "study": STUDY | {"datasets": names}, "datasets": datasets, "losses": losses})
    return [fault.replace("study.datasets: ", "datasets: ") for fault in _faults_of_a_study(study)]


def _faults_of_a_study(raw: Mapping[str, Any]) -> list[str]:
    found, config = [], None
    try:
        config = validate(raw)
    except Faults as error:
        found += error.faults
    return found + faults_of(raw, config)


def _of_losses(raw: Mapping[str, Any]) -> Iterator[str]:
    used = used_losses(raw)
    unused = {name: _with_a_stand_in(name, entry) for name, entry in _catalogue(raw, "losses").items() if name not in used}
    # Without a dataset, because its faults are not those of the losses.
    for fault in _faults_of_a_study({"study": STUDY | {"datasets": []}, "losses": unused}):
        if fault.startswith("losses"):
            yield fault


def _without_missing_files(entry: Any) -> Any:
    """Return a dataset without the tables that it names and that do not exist."""
    if not isinstance(entry, Mapping):
        return entry
    kept = dict(entry)
    if _is_missing(kept.get("groups")):
        del kept["groups"]
    division = kept.get("cross_validation")
    if isinstance(division, Mapping) and _is_missing(division.get("table")):
        kept["cross_validation"] = {key: value for key, value in division.items() if key != "table"}
    return kept


def _with_a_stand_in(name: str, entry: Any) -> Any:
    """Return a loss with another in place of its file where that does not exist: its parameters cannot be validated then."""
    if not (isinstance(entry, Mapping) and isinstance(entry.get("loss"), str) and entry["loss"].endswith(".py")):
        return entry
    if not _is_missing(entry["loss"]):
        return entry
    return {"label": str(name), **entry, "loss": STAND_IN, "parameters": {}, "preset": None}


def _is_missing(file: Any) -> bool:
    return isinstance(file, str) and not Path(file).expanduser().exists()


def _catalogue(raw: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    section = raw.get(name)
    return section if isinstance(section, Mapping) else {}
