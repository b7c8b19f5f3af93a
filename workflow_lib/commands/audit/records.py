"""Read the records of an untrusted folder, and refuse any that a step could not have written."""

import importlib
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from pydantic import ValidationError

from workflow_lib.base.errors import UserError
from workflow_lib.base.files import canonical_json, sha256_text
from workflow_lib.commands.audit import folder as safe
from workflow_lib.provenance import layout
from workflow_lib.provenance.manifest import MANIFEST

NAME = re.compile(r"[A-Za-z0-9_-]{1,100}")
"""Valid names of datasets and losses."""

REPORT_RECORD = "records/report.json"
LAST = ("records/manifest.json", REPORT_RECORD)
"""Records of the steps that run after the manifest is written or write it."""

_DIGEST = re.compile(r"[0-9a-f]{64}")
_RECORD = re.compile(r"records/[A-Za-z0-9_/-]{1,300}\.json")


@dataclass(frozen=True)
class Record:
    """The record of a job. `name` is the path of its file in the results folder."""

    name: str
    step: str
    settings: dict[str, Any]
    fingerprint: str
    inputs: dict[str, list[dict[str, Any]]]
    outputs: dict[str, list[dict[str, Any]]]
    versions: dict[str, str]

    @property
    def about(self) -> tuple[str, str, int]:
        """Dataset, loss and fold (or shard) in the settings; "" or 0 if the step has none."""
        loss = self.settings.get("loss", "")
        loss = loss.get("name", "") if isinstance(loss, dict) else loss
        number = self.settings.get("fold", self.settings.get("shard", 0))
        return str(self.settings.get("dataset", "")), str(loss), number if isinstance(number, int) else 0

    def __str__(self) -> str:
        """Return the record in words: "train of toy, dice, fold 1"."""
        dataset, loss, number = self.about
        unit = "part" if self.step == "preprocess" else "fold"
        return ", ".join([f"{self.step} of {dataset}" if dataset else self.step, *filter(None, [loss])]) + (
            f", {unit} {number}" if number else ""
        )


def settings_of(record: Record) -> Any:
    """Return the settings of a record as its step reads them. Raises UserError if they are invalid for that step."""
    if record.step not in layout.STEPS:
        raise UserError(f"{record.name}: there is no step {record.step[:80]!r}")
    module = importlib.import_module(f"workflow_lib.study.settings.{record.step}")
    try:
        return module.Settings.model_validate(record.settings)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise UserError(f"{record.name}: its settings are none of the step {record.step}: {where}: {first['msg']}") from None


def read(folder: Path, name: str) -> Record:
    """Read a record. Raises UserError with the reason if it is invalid."""
    if not _RECORD.fullmatch(name):
        raise UserError(f"{name!r}: is not the name of a record")
    content = safe.read_json(folder, name)
    try:
        step, settings, fingerprint, versions = (content[key] for key in ("step", "settings", "fingerprint", "versions"))
        sides = {side: _entries(name, content[side]) for side in ("inputs", "outputs")}
    except (KeyError, TypeError, AttributeError):
        raise UserError(f"{name}: is not a record of a step") from None
    if not (isinstance(step, str) and isinstance(settings, dict) and isinstance(fingerprint, str) and isinstance(versions, dict)):
        raise UserError(f"{name}: is not a record of a step")
    return Record(name, step, settings, fingerprint, sides["inputs"], sides["outputs"], versions)


def _entries(name: str, group: Mapping[str, Any]) -> dict[str, list[dict[str, Any]]]:
    found = {}
    for key, entries in group.items():
        for entry in entries:
            path, digest, files = entry["path"], entry["sha256"], entry.get("files", {})
            if isinstance(files, int):
                raise UserError(
                    f"{name}: was written by an earlier version, which did not name the files in {path}; make that step's "
                    f"results anew (--forcerun {name.split('/')[1]})"
                )
            if not (
                isinstance(path, str) and path and "\0" not in path and isinstance(digest, str) and _DIGEST.fullmatch(digest)
            ):
                raise UserError(f"{name}: {key} is not named by path and SHA-256")
            if entry.get("index", "index.json") != "index.json":
                raise UserError(f"{name}: {path} has no index of a store")
            for file, of_file in files.items():
                parts = PurePosixPath(file).parts
                if not parts or parts[0] == "/" or ".." in parts or not _DIGEST.fullmatch(of_file):
                    raise UserError(f"{name}: {file!r} in {path} leads out of it, or has no SHA-256")
            # The manifest only holds the digest of a folder, so the listed files must give that digest.
            if "files" in entry and sha256_text(canonical_json(files)) != digest:
                raise UserError(f"{name}: the files that it names in {path} are not those of the folder's SHA-256")
        found[key] = list(entries)
    return found


def names_in_manifest(folder: Path) -> list[str]:
    """Return the names of the records in the manifest. Raises UserError if there are none."""
    steps = safe.read_json(folder, MANIFEST).get("steps")
    if not isinstance(steps, dict) or not steps:
        raise UserError(f"{MANIFEST}: names no steps")
    return sorted(steps)


def every(folder: Path) -> Iterator[Record]:
    """Yield the records in the manifest and the last two."""
    for name in [*names_in_manifest(folder), *LAST]:
        yield read(folder, name)


def root_of(folder: Path) -> Path:
    """Return the folder of the results at the time of the run, according to the record of the report."""
    entries = read(folder, REPORT_RECORD).outputs.get("page", [])
    if len(entries) != 1:
        raise UserError(f"{REPORT_RECORD}: names no page")
    return Path(entries[0]["path"]).parent


def inside(recorded: str, root: Path) -> str:
    """Return a recorded path relative to the results folder. Raises UserError if it is outside that folder."""
    relative = Path(os.path.relpath(recorded, root)).as_posix()
    if relative.startswith(".."):
        raise UserError(f"{recorded}: lies outside the results, so it cannot be checked")
    return relative
