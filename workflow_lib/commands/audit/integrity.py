"""Check that the files, the records and the manifest agree."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from workflow_lib.base.errors import Faults, UserError
from workflow_lib.base.files import WRITING
from workflow_lib.commands.audit import folder as safe
from workflow_lib.commands.audit import left_out, left_over, records
from workflow_lib.commands.audit.findings import Finding
from workflow_lib.provenance.left_out import BUNDLE
from workflow_lib.provenance.manifest import MANIFEST, SUMS, build, sums

REPORT = "report.html"
BESIDE = ("workflow/", "report.pdf", "ro-crate-metadata.json")
"""Files that a command writes next to the results (code, printed report, crate). No record contains their digest."""

LEFT_OUT = ("logs/", "checkpoints/", "code/", BUNDLE, *BESIDE)
"""Paths that hold no results: files, and folders with a trailing slash."""

PREPROCESSED = "preprocessed/"
"""Folder that may be absent: it is large and can be recomputed from the images."""


def check(folder: Path) -> Iterator[Finding]:
    """Compare each file with the list of checksums, and report files that are not on it.

    Files that earlier runs left behind, for example of a loss that was removed from the study, are not faults.
    """
    listed = safe.read_sums(folder, SUMS)
    every = safe.listing(folder)
    there = [name for name in every if not _is_of(name, LEFT_OUT) and "/.snakemake" not in f"/{name}"]
    half = [name for name in there if f"/{WRITING}" in f"/{name}"]
    there = [name for name in there if name not in half]
    declared = left_out.declared(folder)
    optional = {name for name in set(listed) - set(there) if name.startswith(PREPROCESSED) or name in declared}
    faults = list(_changed(folder, listed, optional))
    yield from faults
    left = left_over.found(folder, there, listed)
    unlisted = [name for name in there if name not in listed and name not in left and name != SUMS]
    yield from (Finding(name, "fails", f"is not in {SUMS}: no step of the study wrote it") for name in unlisted)
    if not faults:
        yield Finding("every file", "holds", f"{len(listed) - len(optional)} files are as {SUMS} says")
    if half:
        yield Finding("half-written files", "not checked", f"{len(half)} left by a killed job, such as {half[0]}")
    yield from (Finding(kind, "not checked", text) for kind, text in left_over.places_by_kind(left))
    yield from (Finding(kind, "not checked", text) for kind, text in left_out.by_kind(optional, declared))
    yield from (
        Finding(beside, "not checked", "was written beside the results on request, and is compared with nothing")
        for beside in BESIDE
        if any(_is_of(name, [beside]) for name in every)
    )


def require(folder: Path, done: str) -> None:
    """Raise UserError with all faults of the files, and say that they are therefore not `done` (for example "packed")."""
    if not (folder / SUMS).is_file():
        raise UserError(f"{folder} holds no finished study: {SUMS} is missing. Run the study to its report first.")
    faults = [f"{f.subject}: {f.text}" for f in check(folder) if f.state == "fails"]
    if faults:
        raise Faults(f"{folder} does not hold, so it is not {done} (whichloss audit {folder} says more):", faults)


def _is_of(name: str, places: Sequence[str]) -> bool:
    return any(name.startswith(place) if place.endswith("/") else name == place for place in places)


def _changed(folder: Path, listed: Mapping[str, str], optional: set[str]) -> Iterator[Finding]:
    for name, digest in listed.items():
        if name in optional:
            continue
        try:
            if safe.sha256(folder, name) != digest:
                yield Finding(name, "fails", "is not what was written: its SHA-256 is another one")
        except UserError as error:
            yield Finding(name, "fails", str(error))


def chain(study: Path) -> Iterator[Finding]:
    """Compare records, manifest and report with each other, so that forging the list of checksums alone has no effect.

    `study` is the private copy. Raises UserError if a record is invalid.
    """
    listed = safe.read_sums(study, SUMS)
    names = records.names_in_manifest(study)
    every = list(records.every(study))
    root = records.root_of(study)
    manifest = safe.read_json(study, MANIFEST)
    again = build(study, names, root)
    differing = [name for name in names if manifest["steps"][name] != again["steps"][name]]
    yield from (Finding(name, "fails", f"{MANIFEST} describes this step differently") for name in differing)
    # Without the index of the store, the files that it lists cannot be checked.
    absent = [record.name for record in every if record.step == "preprocess" and not _has_index(study, record, root)]
    of_records = sums(study, [record.name for record in every if record.name not in absent], root)
    compared = {name for name in {*of_records, *listed} if not (absent and name.startswith((PREPROCESSED, *absent)))}
    wrong = sorted(name for name in compared if of_records.get(name) != listed.get(name))
    yield from (Finding(name, "fails", f"the records and {SUMS} disagree about it") for name in wrong)
    digest = safe.sha256(study, MANIFEST)
    shown = digest in safe.read_bytes(study, REPORT).decode("utf-8", "replace")
    if not shown:
        yield Finding(REPORT, "fails", f"does not show the digest of {MANIFEST}, {digest}")
    if not (differing or wrong) and shown:
        yield Finding("chain of records", "holds", f"{len(names)} steps; the report shows the digest {digest}")


def _has_index(study: Path, record: records.Record, root: Path) -> bool:
    entries = record.outputs.get("store", [])
    return bool(entries) and all((study / records.inside(entry["path"], root) / "index.json").is_file() for entry in entries)
