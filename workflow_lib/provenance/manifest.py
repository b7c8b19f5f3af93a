"""The manifest, which combines the records of a study, and the checksums of all files of a run.

`manifest.json` holds what is the same in every run: the settings, the fingerprint, and the digests of inputs and outputs of each
step. Its own SHA-256 is the digest of the study. `SHA256SUMS` holds the checksums of the files of this run, including records and
report, in the format of `sha256sum --check`. The report cannot be in the manifest, because it shows the manifest's digest.
"""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from workflow_lib.base.errors import Faults, UserError
from workflow_lib.base.files import canonical_json, read_json, sha256_file, sha256_text, write_text

MANIFEST = "manifest.json"
SUMS = "SHA256SUMS"

RUN_FACTS = frozenset({"attempts", "seconds", "gpu_seconds", "waiting_seconds", "peak_memory_mib", "versions"})
"""Keys of a training.json that differ between runs or describe the installation; the others are results."""


def build(folder: Path, records: Sequence[str], root: Path | None = None) -> dict[str, Any]:
    """Return the manifest of the records (paths below the results folder) as plain data without facts of the run.

    `root`: the folder's path when the records were written, if it has been moved since.
    Raises Faults that names each file whose digest differs between the step that wrote it and a step that read it.
    """
    root = root or folder
    content = {name: read_json(folder / name) for name in sorted(records)}
    made = {
        relative(entry["path"], root): (name, entry["sha256"])
        for name, record in content.items()
        for entry in _entries(record["outputs"])
    }
    faults = [
        f"{path}: {made[path][0]} says that it was written as {made[path][1][:12]}…, {name} read {entry['sha256'][:12]}…"
        for name, record in content.items()
        for entry in _entries(record["inputs"])
        for path in [relative(entry["path"], root)]
        if path in made and made[path][1] != entry["sha256"]
    ]
    if faults:
        raise Faults("These results were changed after a later step used them; run that step again (--forcerun):", faults)
    return {"steps": {name: _step(record, folder, root) for name, record in content.items()}}


def _step(record: Mapping[str, Any], folder: Path, root: Path) -> dict[str, Any]:
    kept = {key: record[key] for key in ("step", "settings", "fingerprint")}
    return kept | {side: _portable(record[side], folder, root) for side in ("inputs", "outputs")}


def _portable(group: Mapping[str, Any], folder: Path, root: Path) -> dict[str, Any]:
    """Return the entries with paths relative to the results folder; of files outside it, only the name is kept."""
    found: dict[str, Any] = {}
    for name, entries in group.items():
        found[name] = []
        for entry in entries:
            path = relative(entry["path"], root)
            digest = portable_digest(folder / path) if Path(path).name in _PORTABLE else entry["sha256"]
            found[name].append({"path": path, "sha256": digest})
    return found


def portable_digest(file: Path) -> str:
    """Return the SHA-256 of a training.json or an inspection.json without the parts that differ between runs."""
    return sha256_text(canonical_json(_PORTABLE[file.name](read_json(file))))


def _of_training(content: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in content.items() if key not in RUN_FACTS}


def _of_inspection(content: Mapping[str, Any]) -> dict[str, Any]:
    """Return an inspection without the dates and inodes of the files."""
    cases = [
        case | {"found": {key: value for key, value in case["found"].items() if key != "states"}} for case in content["cases"]
    ]
    return {**content, "cases": cases}


_PORTABLE = {"training.json": _of_training, "inspection.json": _of_inspection}


def _entries(group: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [entry for entries in group.values() for entry in entries]


def relative(path: str, folder: Path) -> str:
    """Return a path relative to `folder`, or the name of a file outside it."""
    below = os.path.relpath(path, folder)
    return Path(below).as_posix() if not below.startswith("..") else Path(path).name


def sums(folder: Path, records: Sequence[str], root: Path | None = None) -> dict[str, str]:
    """Return the SHA-256 of every file of this run, by its path below the results folder.

    The digests of results are taken from the records. Only the records themselves and the indexes of stores are read.
    """
    found = {name: sha256_file(folder / name) for name in records}
    for name in records:
        for entry in _entries(read_json(folder / name)["outputs"]):
            found |= _files_of(name, entry, folder, root or folder)
    return found


def _files_of(record: str, entry: Mapping[str, Any], folder: Path, root: Path) -> dict[str, str]:
    """Return the files of an output of a step. Raises UserError where its record does not name them."""
    path = relative(entry["path"], root)
    if "index" in entry:
        index = f"{path}/{entry['index']}"
        arrays = {
            f"{path}/{case}.{kind}.npy": digest
            for case, stored in read_json(folder / index).items()
            for kind, digest in stored["sha256"].items()
        }
        return {index: entry["sha256"]} | arrays
    if isinstance(entry.get("files"), dict):
        return {f"{path}/{name}": digest for name, digest in entry["files"].items()}
    if (folder / path).is_dir():
        step = record.split("/")[1]
        raise UserError(
            f"{record} was written by an earlier version, which did not name the files in {path}. Make these results again: "
            f"run again with --forcerun {step}"
        )
    return {path: entry["sha256"]}


def write_sums(path: Path, digests: Mapping[str, str]) -> None:
    """Write the digests in the format of `sha256sum`, sorted by path."""
    write_text(path, sums_text(digests))


def sums_text(digests: Mapping[str, str]) -> str:
    """Return the content of the list of checksums."""
    return "".join(f"{digest}  {name}\n" for name, digest in sorted(digests.items()))
