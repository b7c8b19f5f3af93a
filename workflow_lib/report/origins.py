"""The origin of the numbers on the page: file, row, job, fingerprint, command, and whether they are stale."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from workflow_lib.provenance import layout
from workflow_lib.provenance.fingerprints import SHORT
from workflow_lib.report.data import read_optional_json
from workflow_lib.report.details import expected_folds
from workflow_lib.report.sources import Sources, anchor
from workflow_lib.report.study import Dataset, Study
from workflow_lib.statistics import registry as statistics
from workflow_lib.tables import registry as tables

OF_A_TRAINING = tuple(step for step in layout.STEPS if layout.unit(step) == "fold")
"""Steps that run once for every loss and fold."""

_SHOWN_ONLY = ("cases_page", "figures_dataset", "figures_sweep")
OF_A_DATASET = tuple(
    step for step, this in layout.STEPS.items() if "dataset" in this.of and "loss" not in this.of and step not in _SHOWN_ONLY
)
"""Steps on which all numbers of a dataset depend."""

FILES = (
    *((file.title, file.path, file.keys, "tables") for file in tables.files()),
    *((file.title, file.path, file.keys, "statistics") for file in statistics.files()),
    ("Scores of every case", "scores/{}.csv", "loss, fold, case, class", "collect"),
    ("Cases and voxels of each class", "data/{}/cases.csv", "case", "check"),
    ("Folds", "data/{}/folds.csv", "case", "split"),
    ("Figures (figures/*_<dataset>)", "figures/segmentations_{}.svg", "the files above", "figures_dataset"),
    ("Figure over a parameter", "figures/sweep_{}.svg", "loss", "figures_sweep"),
)
"""Title, path, key columns and step of every file with numbers."""

AGAINST_A_PAPER = {file.path for file in tables.files() if file.published}
"""Files that are empty if a dataset is not compared with a publication."""

OF_THE_LOSSES = ("Figures of the losses", "figures/loss_families.svg", "they contain no measured numbers", "figures_losses")
"""The same for the figures that do not belong to a dataset."""


@dataclass(frozen=True)
class Made:
    """One job: the path of its record, its fingerprint ("" without a record), and why it is stale, or ""."""

    record: str
    fingerprint: str
    stale: str


Jobs = dict[str, list[Made]]
"""Step, or step/loss, to its jobs, one for every fold or shard."""

Line = tuple[str, str, str, str]
"""As in `FILES`."""


def command(study: Study, targets: Sequence[str]) -> str:
    """Return the command that makes files of the results (paths in its folder) in a clone prepared according to the recipe."""
    files = [f"results/{study.name}/{target}" for target in targets]
    return shlex.join(["snakemake", "--cores", "1", "--configfile", f"{study.name}.yaml", *files])


def describe(sources: Sources, study: Study, dataset: Dataset) -> dict[str, Any]:
    """Return the origin of a dataset's numbers.

    `files`: a line per file; `losses`: loss -> its jobs, with `id` (anchor) and `stale` (reasons in words, or ""); `stale`:
    reasons
    why all numbers of the dataset are stale; `reasons`: all reasons, job by job. A study without `fingerprints` cannot be
    compared.
    """
    name = dataset.name
    jobs = _jobs(sources, study, dataset)
    everywhere = [made.stale for step in OF_A_DATASET for made in jobs.get(step, []) if made.stale]
    shown = [step for step in jobs if "/" not in step and step not in OF_A_DATASET]
    drawn = [made.stale for step in shown for made in jobs[step] if made.stale]
    held = [line for line in FILES if dataset.published is not None or line[1] not in AGAINST_A_PAPER]
    lines = ((title, pattern.format(name), rows, step) for title, pattern, rows, step in held)
    files = _files(sources, study, lines, jobs)
    places = _lines_of_losses(sources, name)
    losses = {}
    for loss in dataset.losses:
        own = [jobs[f"{step}/{loss.name}"] for step in OF_A_TRAINING]
        targets = [f"scores/{name}/{loss.name}/fold_{fold}.csv" for fold in range(1, expected_folds(dataset) + 1)]
        reasons = [made.stale for made in [*own[0], *own[1], *own[2]] if made.stale]
        losses[loss.name] = {
            "id": anchor(f"{name}/{loss.name}", "made"),
            "label": loss.label,
            "name": loss.name,
            "lines": places.get(loss.name, ""),
            "folds": [list(made) for made in zip(*own, strict=True)],
            "stale": "; ".join(shortened([*reasons, *everywhere])),
            "command": command(study, targets),
        }
    found = [*everywhere, *(made.stale for loss in losses.values() for fold in loss["folds"] for made in fold if made.stale)]
    return {"files": files, "losses": losses, "stale": "; ".join(shortened(everywhere)), "reasons": [*found, *drawn]}


def of_the_losses(sources: Sources, study: Study) -> dict[str, Any]:
    """Return `files` and `reasons` as in `describe`, for the figures that show the losses and do not belong to a dataset."""
    jobs = _made(sources, "", {OF_THE_LOSSES[-1]: ["?"]} | _expected(study, ""))
    reasons = [made.stale for every in jobs.values() for made in every if made.stale]
    return {"files": _files(sources, study, [OF_THE_LOSSES], jobs), "reasons": reasons}


def of_figure(origin: Mapping[str, Any], step: str) -> str:
    """Return the anchor of the line on the origin of a step's figures, or "" if there is none."""
    return next((str(file["id"]) for file in origin["files"] if file["step"] == step), "")


def _files(sources: Sources, study: Study, lines: Iterable[Line], jobs: Jobs) -> list[dict[str, Any]]:
    """Return title, path, digest, anchor, columns, step, job and command of the existing files."""
    found = []
    for title, path, rows, step in lines:
        if step in jobs and (source := sources.source(path)) is not None:
            made = {"made": jobs[step][0], "step": step, "command": command(study, [path])}
            found.append({"title": title, **source, "rows": rows, **made})
    return found


def _lines_of_losses(sources: Sources, name: str) -> dict[str, str]:
    """Return loss -> the line numbers of its cases in scores/<dataset>.csv, counted from 1 with the header."""
    found: dict[str, list[int]] = {}
    for line, row in enumerate(sources.rows(f"scores/{name}.csv") or [], start=2):
        found.setdefault(row["loss"], []).append(line)
    return {loss: f"lines {min(lines)} to {max(lines)}" for loss, lines in found.items()}


def _jobs(sources: Sources, study: Study, dataset: Dataset) -> Jobs:
    """Return "step" or "step/loss" -> its jobs, one for every fold or shard."""
    folds = ["?"] * expected_folds(dataset)
    known = {f"{step}/{loss.name}": folds for loss in dataset.losses for step in OF_A_TRAINING}
    once = [step for step in (*OF_A_DATASET, "figures_dataset") if step != "preprocess"]
    known |= {step: ["?"] for step in [*once, *(["figures_sweep"] if dataset.sweep else [])]}
    return _made(sources, dataset.name, known | _expected(study, dataset.name))


def _expected(study: Study, dataset: str) -> dict[str, Sequence[str]]:
    """Return the current fingerprints of a dataset's jobs ("": jobs without a dataset).

    Empty for studies of earlier versions.
    """
    return dict(study.fingerprints.get(dataset, {}))


def _made(sources: Sources, name: str, known: Mapping[str, Sequence[str]]) -> Jobs:
    """Return the jobs of `known`, which contains the current fingerprint of each, "?" if it is unknown."""
    numbered = [
        (key, _record(name, key, number), now)
        for key, fingerprints in known.items()
        for number, now in enumerate(fingerprints, 1)
    ]
    # Not read through `sources`, because records contain times and machines.
    records = {path: read_optional_json(sources.folder / path) or {} for _, path, _ in numbered}
    written = {entry["path"]: entry["sha256"] for record in records.values() for entry in _entries(record, "outputs")}
    found: Jobs = {}
    for key, path, now in numbered:
        fingerprint = str(records[path].get("fingerprint", ""))
        reason = "; ".join(_reasons(records[path], fingerprint, now, written))
        found.setdefault(key, []).append(Made(path, fingerprint, f"{path}: {reason}" if reason else ""))
    return found


def _reasons(record: Mapping[str, Any], fingerprint: str, now: str, written: Mapping[str, str]) -> Iterator[str]:
    """Yield the reasons why a result is stale. `now` is "?" if the current fingerprint is unknown."""
    if now != "?" and fingerprint[:SHORT] != now:
        yield f"made with fingerprint {fingerprint[:SHORT]}, the study now has {now}" if fingerprint else "has no record"
    for entry in _entries(record, "inputs"):
        if written.get(entry["path"], entry["sha256"]) != entry["sha256"]:
            yield "one of its inputs was produced again afterwards"
            return


def _entries(record: Mapping[str, Any], side: str) -> list[Mapping[str, Any]]:
    return [entry for entries in record.get(side, {}).values() for entry in entries]


def _record(dataset: str, key: str, number: int) -> str:
    """Return the path of a job's record in the results. The number is ignored for a step that runs once."""
    step, _, loss = key.partition("/")
    return layout.record(step, dataset, loss, number)


def shortened(reasons: Sequence[str], most: int = 3) -> list[str]:
    """Return the first reasons, and the number of further ones."""
    more = len(reasons) - most
    return [*reasons[:most], *([f"and {more} more"] if more > 0 else [])]
