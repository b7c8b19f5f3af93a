"""Whether the files, the records and the manifest say the same."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from workflow_lib.audit import folder as safe
from workflow_lib.errors import UserError
from workflow_lib.files import WRITING
from workflow_lib.provenance.manifest import MANIFEST, SUMS, build, sums

REPORT = "report.html"
LEFT_OUT = ("logs/", "checkpoints/", "code/", "report.pdf")
"""What holds no results: folders, and the report as it is printed on request."""


@dataclass(frozen=True)
class Finding:
    """One line of the audit: what was looked at, whether it holds, and what is wrong or was not looked at.

    `state` is "holds", "fails" or "not checked".
    """

    subject: str
    state: str
    text: str = ""


def check(folder: Path) -> Iterator[Finding]:
    """Yield what holds and what does not of the files as such; nothing is computed again."""
    listed = safe.read_sums(folder, SUMS)
    there = [name for name in safe.listing(folder) if not name.startswith(LEFT_OUT) and "/.snakemake" not in f"/{name}"]
    half = [name for name in there if f"/{WRITING}" in f"/{name}"]
    there = [name for name in there if name not in half]
    optional = {name for name in listed if name.startswith("preprocessed/") and name not in there}
    faults = list(_changed(folder, listed, optional))
    yield from faults
    strangers = [name for name in there if name not in listed and name != SUMS]
    yield from (Finding(name, "fails", f"is not in {SUMS}: no step of the study wrote it") for name in strangers)
    if not faults:
        yield Finding("every file", "holds", f"{len(listed) - len(optional)} files are as {SUMS} says")
    if half:
        yield Finding("half-written files", "not checked", f"{len(half)} left by a killed job, such as {half[0]}")
    if optional:
        yield Finding("preprocessed images", "not checked", f"{len(optional)} files are not in the folder")
    yield from _chain(folder, listed)


def _changed(folder: Path, listed: Mapping[str, str], optional: set[str]) -> Iterator[Finding]:
    for name, digest in listed.items():
        if name in optional:
            continue
        try:
            if safe.sha256(folder, name) != digest:
                yield Finding(name, "fails", "is not what was written: its SHA-256 is another one")
        except UserError as error:
            yield Finding(name, "fails", str(error))


def _chain(folder: Path, listed: Mapping[str, str]) -> Iterator[Finding]:
    """Compare records, manifest and report with each other, so that a forged list of checksums alone does not help."""
    try:
        manifest = safe.read_json(folder, MANIFEST)
        names = list(manifest["steps"])
        for name in [*names, "records/manifest.json", "records/report.json", *(n for n in listed if n.endswith(".json"))]:
            safe.read_json(folder, name)
        root = _root(folder)
        again = build(folder, names, root)
        differing = sorted(name for name in names if manifest["steps"][name] != again["steps"][name])
        of_records = sums(folder, [*names, "records/manifest.json", "records/report.json"], root)
    except (UserError, KeyError, TypeError, ValueError, AttributeError, RecursionError, OSError) as error:
        yield Finding("chain of records", "fails", str(error) if isinstance(error, UserError) else f"is broken ({error!r})")
        return
    yield from (Finding(name, "fails", f"{MANIFEST} says something else about this step") for name in differing)
    wrong = sorted(name for name in {*of_records, *listed} if of_records.get(name) != listed.get(name))
    yield from (Finding(name, "fails", f"the records and {SUMS} disagree about it") for name in wrong)
    digest = safe.sha256(folder, MANIFEST)
    shown = digest in safe.read_bytes(folder, REPORT).decode("utf-8", "replace")
    if not shown:
        yield Finding(REPORT, "fails", f"does not show the digest of {MANIFEST}, {digest}")
    if not (differing or wrong) and shown:
        yield Finding("chain of records", "holds", f"{len(names)} steps; the report shows the digest {digest}")


def _root(folder: Path) -> Path:
    """Return where the results lay when they were made, as the records name it."""
    (entry,) = safe.read_json(folder, "records/report.json")["outputs"]["page"]
    return Path(entry["path"]).parent
