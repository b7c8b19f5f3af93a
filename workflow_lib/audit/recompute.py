"""What can be computed again without images: the collected scores, the statistics, the tables, and the page.

Works on a private copy of the small files, so that nothing read here can change between the look at it and its use.
"""

import contextlib
import io
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from workflow_lib.audit import folder as safe
from workflow_lib.audit.integrity import REPORT, Finding
from workflow_lib.errors import UserError
from workflow_lib.files import sha256_file, write_text
from workflow_lib.provenance.manifest import MANIFEST
from workflow_lib.report.assemble import build, with_cases
from workflow_lib.steps import collect, statistics, tables
from workflow_lib.steps._command import Context
from workflow_lib.version import VERSION

NAME = re.compile(r"[A-Za-z0-9_-]{1,100}")
COPIED = (".json", ".csv", ".tex", ".svg", ".png", ".html")
NOT_COPIED = ("preprocessed/", "predictions/")


def copy(folder: Path, names: Sequence[str], target: Path) -> None:
    """Copy the small files of a study into a folder of our own."""
    for name in names:
        if name.endswith(COPIED) and not name.startswith(NOT_COPIED):
            path = target / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(safe.read_bytes(folder, name))


def check(study: Path) -> Iterator[Finding]:
    """Yield what holds of the results computed again; `study` is the private copy."""
    works: Mapping[str, Callable[[Context], None]] = {
        "collect": collect.work,
        "statistics": statistics.work,
        "tables": tables.work,
    }
    for step, work in works.items():
        for record in sorted((study / "records" / step).glob("*.json")):
            yield from _guarded(f"{step} of {record.stem}", lambda s=step, w=work, r=record: _step(study, s, w, r))  # type: ignore[misc]
    yield from _guarded(REPORT, lambda: _report(study))


def _guarded(subject: str, look: Callable[[], list[Finding]]) -> list[Finding]:
    """Return what `look` finds; content that no step would have written is a finding and no crash."""
    try:
        # What a step says of its progress is no part of the audit's table.
        with contextlib.redirect_stdout(io.StringIO()):
            return look()
    except UserError as error:
        return [Finding(subject, "fails", f"cannot be computed again: {error}")]
    except Exception as error:  # what is read was made by a stranger
        return [Finding(subject, "fails", f"cannot be computed again ({error!r})")]


def _step(study: Path, step: str, work: Callable[[Context], None], record: Path) -> list[Finding]:
    dataset = record.stem
    content = safe.read_json(study, f"records/{step}/{dataset}.json")
    settings = content["settings"]
    if not NAME.fullmatch(dataset) or settings["dataset"] != dataset:
        return [Finding(record.name, "fails", "the settings name another dataset")]
    paths = {
        side: {name: [_inside(study, entry["path"]) for entry in entries] for name, entries in content[side].items()}
        for side in ("inputs", "outputs")
    }
    if step == "tables":
        paths["inputs"].pop("published", None)
    again = study.parent / "again"
    outputs = {name: [again / path for path in group] for name, group in paths["outputs"].items()}
    inputs = {name: [study / path for path in group] for name, group in paths["inputs"].items()}
    work(Context(settings, content["fingerprint"], 1, inputs | outputs, {}))
    found = [
        Finding(path, "fails", f"is not what {step} computes from its inputs: {_difference(study, again, path)}")
        for group in paths["outputs"].values()
        for path in group
        if sha256_file(again / path) != sha256_file(study / path)
    ]
    return found or [Finding(f"{step} of {dataset}", "holds", "computed again, the same byte for byte")]


def _inside(study: Path, recorded: str) -> str:
    """Return the path below the results folder that a record names, wherever the folder lay then."""
    (entry,) = safe.read_json(study, "records/report.json")["outputs"]["page"]
    root = Path(entry["path"]).parent
    relative = Path(recorded).relative_to(root).as_posix()
    safe.safe_path(study, relative)
    return relative


def _difference(study: Path, again: Path, path: str) -> str:
    """Return the first line in which two texts differ."""
    ours, theirs = ((place / path).read_text(encoding="utf-8", errors="replace").split("\n") for place in (again, study))
    for number, (mine, given) in enumerate(zip(ours, theirs, strict=False), start=1):
        if mine != given:
            column = next((i for i, (a, b) in enumerate(zip(mine, given, strict=False)) if a != b), min(len(mine), len(given)))
            start = max(0, column - 30)
            return f"line {number} holds {given[start : start + 80]!r}, computed {mine[start : start + 80]!r}"
    return f"{len(theirs)} lines, computed {len(ours)}"


def _report(study: Path) -> list[Finding]:
    record = safe.read_json(study, "records/report.json")
    settings: dict[str, Any] = record["settings"]
    digest = sha256_file(study / MANIFEST)
    content = settings | {"version": VERSION, "commit": record["facts"]["commit"], "digest": digest}
    for dataset in content["datasets"]:
        if not NAME.fullmatch(dataset["name"]) or not all(NAME.fullmatch(loss["name"]) for loss in dataset["losses"]):
            return [Finding("records/report.json", "fails", "names a dataset or a loss that cannot be one")]
    content["datasets"] = [
        with_cases(dataset, safe.read_json(study, f"data/{dataset['name']}/cases.json")) for dataset in content["datasets"]
    ]
    again = study.parent / "again"
    write_text(again / REPORT, build(content, study))
    if sha256_file(again / REPORT) == sha256_file(study / REPORT):
        return [Finding(REPORT, "holds", "assembled again, the same byte for byte")]
    return [Finding(REPORT, "fails", f"is not what its files give: {_difference(study, again, REPORT)}")]
