"""Recompute everything that needs no images: selection of cases, folds, scores, statistics, tables, figures and the page.

The code works on a private copy of the small files, so that they cannot change between check and use. It runs the code of the
steps themselves. If packages have other versions here, the finding says that this may explain a difference.
"""

from collections.abc import Callable, Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

from workflow_lib.base.errors import UserError
from workflow_lib.base.files import sha256_file, write_text
from workflow_lib.base.version import VERSION
from workflow_lib.commands.audit import agreement, code, integrity, places, records
from workflow_lib.commands.audit import folder as safe
from workflow_lib.commands.audit.bounded import guarded
from workflow_lib.commands.audit.findings import NEED_IMAGES, Finding
from workflow_lib.commands.audit.integrity import REPORT
from workflow_lib.commands.audit.records import NAME, Record
from workflow_lib.evaluation.scores import read_scores, reference_faults
from workflow_lib.provenance import layout
from workflow_lib.provenance.manifest import MANIFEST
from workflow_lib.provenance.records import versions
from workflow_lib.report.assemble import build
from workflow_lib.report.study import read_study
from workflow_lib.report.text import count
from workflow_lib.steps import cases_page, collect, figures_dataset, figures_losses, figures_sweep, split, statistics, tables
from workflow_lib.steps import check as check_step
from workflow_lib.steps.command import Context
from workflow_lib.tables import published

WORKS: Mapping[str, Callable[[Context[Any]], None]] = {
    "check": check_step.work,
    "cases_page": cases_page.work,
    "split": split.work,
    "collect": collect.work,
    "statistics": statistics.work,
    "tables": tables.work,
    "figures_losses": figures_losses.work,
    "figures_dataset": figures_dataset.draw_numbers,
    "figures_sweep": figures_sweep.work,
}
"""Steps that need no images, in the order in which they run."""

VERSIONED = ("jinja2", "matplotlib", "numpy", "pandas", "scipy", "statsmodels")
"""Packages whose version may change the bytes of results."""


def check(study: Path, steps: Collection[str] = (*WORKS, "report")) -> Iterator[Finding | str]:
    """Check the records and recompute the results of `steps`; yield the findings. `study` is the private copy."""
    yield from guarded("chain of records", integrity.chain, study, before="is broken")
    yield from guarded("steps", places.check, study, before="cannot be compared")
    yield from guarded("records", agreement.check, study, before="cannot be compared")
    yield from guarded("code", code.check, study, before="cannot be compared")
    try:
        every = list(records.every(study))
    except UserError as error:
        yield Finding("results", "fails", f"cannot be computed again: {error}")
        return
    for step, work in WORKS.items():
        for record in (record for record in every if record.step == step and step in steps):
            yield f"{record} again"
            yield from guarded(str(record), _step, study, work, record)
            if step == "collect":
                yield from guarded(str(record), _references, study, record)
    if "report" in steps:
        yield "the report again"
        yield from guarded(REPORT, _report, study)


def _step(study: Path, work: Callable[[Context[Any]], None], record: Record) -> Iterator[Finding]:
    dataset, root = record.about[0], records.root_of(study)
    if dataset and not (NAME.fullmatch(dataset) and dataset == Path(record.name).stem):
        raise UserError("the settings name another dataset")
    known_publication(record.settings.get("published"))
    if any(record.inputs.get(name) for name in ("groups", "table") if record.step == "split"):
        yield Finding(str(record), "not checked", "it follows a table of the user's own, which is not part of the results")
        return
    again = study.parent / "again"
    outside = {"published", "predictions"}
    inputs = {
        name: [study / records.inside(entry["path"], root) for entry in entries]
        for name, entries in record.inputs.items()
        if name not in outside
    }
    names = {name: [records.inside(entry["path"], root) for entry in entries] for name, entries in record.outputs.items()}
    for path in [path for group in names.values() for path in group]:
        (again / path).parent.mkdir(parents=True, exist_ok=True)
    outputs = {name: [again / path for path in group] for name, group in names.items()}
    work(Context(records.settings_of(record), record.fingerprint, 1, inputs | outputs, {}))
    every = [path for group in names.values() for path in group]
    yield from compared(study, again, every, record)


def _references(study: Path, record: Record) -> Iterator[Finding]:
    """Yield the cases of a table of scores whose reference voxels are not the same for all losses."""
    (entry,) = record.outputs["scores"]
    path = records.inside(entry["path"], records.root_of(study))
    for fault in reference_faults(read_scores(study / path)):
        yield Finding(path, "fails", f"losses were scored with different masks (reference voxels, tp + fn): {fault}")


def compared(study: Path, again: Path, paths: list[str], record: Record) -> Iterator[Finding]:
    """Compare files with their recomputed versions and yield the findings.

    Files that were not recomputed get their own finding.
    """
    made = [path for path in paths if (again / path).is_file()]
    found = [
        Finding(
            path, "fails", f"is not what {record.step} computes from its inputs: {_difference(study, again, path)}" + why(record)
        )
        for path in made
        if not (study / path).is_file() or sha256_file(again / path) != sha256_file(study / path)
    ]
    yield from found
    if made and not found:
        yield Finding(str(record), "holds", f"computed again, the same byte for byte: {count(len(made), 'file')}")
    left = [path for path in paths if path not in made]
    if left:
        yield Finding(f"{record}, figures of images", "not checked", f"{len(left)} {NEED_IMAGES}")


def why(record: Record) -> str:
    """Return the differing versions that may explain a difference, in words, or "" if there are none."""
    here = versions()
    other = [
        f"{name} {record.versions.get(name)}, here {here[name]}" for name in VERSIONED if record.versions.get(name) != here[name]
    ]
    return f" (made with {'; '.join(other)}: that alone may be why)" if other else ""


def known_publication(name: object) -> None:
    """Raise UserError unless `name` is None or a publication of this checkout. The name is used in a path."""
    if name is not None and name not in published.names():
        raise UserError(f"the published numbers {str(name)[:80]!r} are none of this checkout's")


def _difference(study: Path, again: Path, path: str) -> str:
    """Return the first line in which two texts differ."""
    if not (study / path).is_file():
        return "it is missing"
    if path.endswith(".png"):
        return "other pixels or other compression"
    ours, theirs = ((place / path).read_text(encoding="utf-8", errors="replace").split("\n") for place in (again, study))
    for number, (mine, given) in enumerate(zip(ours, theirs, strict=False), start=1):
        if mine != given:
            column = next((i for i, (a, b) in enumerate(zip(mine, given, strict=False)) if a != b), min(len(mine), len(given)))
            start = max(0, column - 30)
            return f"line {number} holds {given[start : start + 80]!r}, computed {mine[start : start + 80]!r}"
    return f"{len(theirs)} lines, computed {len(ours)}"


def _report(study: Path) -> Iterator[Finding]:
    record = records.read(study, records.REPORT_RECORD)
    content = records.settings_of(record).model_dump(mode="json")
    for dataset in content["datasets"]:
        if not NAME.fullmatch(dataset["name"]) or not all(NAME.fullmatch(loss["name"]) for loss in dataset["losses"]):
            raise UserError(f"{record.name} names a dataset or a loss that cannot be one")
        known_publication(dataset["published"])
    names = [dataset["name"] for dataset in content["datasets"]]
    cases = {name: safe.read_json(study, layout.path("check.cases", name)) for name in names}
    commit, digest = safe.read_json(study, record.name)["facts"]["commit"], sha256_file(study / MANIFEST)
    shown = read_study(content, cases, version=VERSION, commit=commit, digest=digest)
    again = study.parent / "again"
    write_text(again / REPORT, build(shown, study))
    if sha256_file(again / REPORT) == sha256_file(study / REPORT):
        yield Finding(REPORT, "holds", "assembled again, the same byte for byte")
    else:
        yield Finding(REPORT, "fails", f"is not what its files give: {_difference(study, again, REPORT)}{why(record)}")
