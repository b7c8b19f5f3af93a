"""Files that earlier runs left behind, of losses, folds, shards, sweeps and datasets that the study no longer has.

The workflow keeps these files on purpose: a loss that is added again need not be trained again. They are identified by their
path and by comparison with the report's record and the manifest. None of them is read.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from workflow_lib.base.errors import UserError
from workflow_lib.commands.audit import folder as safe
from workflow_lib.commands.audit import records
from workflow_lib.commands.audit.records import NAME
from workflow_lib.provenance import layout
from workflow_lib.report.text import count

SHOWN = 6
"""Number of places that are named per kind."""

_NUMBER = "[1-9][0-9]{0,3}"
_PARTS = {"dataset": NAME.pattern, "loss": NAME.pattern, "fold": _NUMBER, "shard": _NUMBER}


@dataclass(frozen=True)
class _Dataset:
    losses: Collection[str]
    folds: int
    parts: int
    sweep: bool


@dataclass(frozen=True)
class _Study:
    """The present content of the study: the records in its manifest, and its datasets from the report's record."""

    records: Collection[str]
    datasets: Mapping[str, _Dataset]

    def lacks(self, step: str, dataset: str, loss: str, number: int) -> str:
        """Return the kind of the part that the study no longer has ("losses"), or an empty text if the study has this job."""
        if layout.record(step, dataset, loss, number) in self.records:
            return ""
        if dataset not in self.datasets:
            return "datasets"
        has = self.datasets[dataset]
        if loss and loss not in has.losses:
            return "losses"
        if loss and number > has.folds:
            return "folds"
        if step == "preprocess" and number > has.parts:
            return "parts"
        return "sweeps" if step == "figures_sweep" and not has.sweep else ""


def found(folder: Path, names: Collection[str], listed: Collection[str]) -> dict[str, tuple[str, str]]:
    """Return the files that were left behind, each with what the study no longer has ("losses") and a place for the message.

    `names` are the files in the folder, `listed` those with a checksum. A file of a job that the study still has is not
    included. If report and manifest are unusable, the result is empty.
    """
    matches = {name: places for name in names if name not in listed and (places := list(_places(name)))}
    if not matches:
        return {}
    try:
        study = _study(folder)
    except (UserError, KeyError, TypeError, ValueError, AttributeError, OverflowError):
        # The content is invalid. Then no unlisted file is excused.
        return {}
    left = {}
    for name, places in matches.items():
        kinds = [study.lacks(*place) for place in places]
        if all(kinds) and _is_file(folder, name):
            left[name] = (kinds[0], _under(name, kinds[0], places[0][2]))
    return left


def places_by_kind(left: Mapping[str, tuple[str, str]]) -> Iterator[tuple[str, str]]:
    """Yield each kind of left-over files, with their number and places."""
    kinds: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for kind, place in left.values():
        kinds[kind][place] += 1
    for kind, places in sorted(kinds.items()):
        shown = ", ".join(sorted(places)[:SHOWN]) + (f" and {len(places) - SHOWN} more places" if len(places) > SHOWN else "")
        yield f"{kind} that the study no longer has", f"{count(places.total(), 'file')} left by earlier runs under {shown}"


def _study(folder: Path) -> _Study:
    report = records.read(folder, records.REPORT_RECORD).settings
    datasets = {
        dataset["name"]: _Dataset(
            frozenset(loss["name"] for loss in dataset["losses"]),
            int(dataset["folds"]),
            int(report["config"]["datasets"][dataset["name"]]["preprocessing"]["shards"]),
            bool(dataset["sweep"]),
        )
        for dataset in report["datasets"]
    }
    if len(datasets) != len(report["datasets"]):
        raise ValueError("a dataset appears twice in the report")
    return _Study(frozenset(records.names_in_manifest(folder)), datasets)


def _places(name: str) -> Iterator[tuple[str, str, str, int]]:
    """Yield step, dataset, loss and number of every job that would write a file of this name."""
    for step, pattern in _PATTERNS:
        if match := pattern.fullmatch(name):
            of: dict[str, Any] = match.groupdict()
            yield step, of["dataset"], of.get("loss", ""), int(of.get("fold", of.get("shard", 0)))


def _patterns() -> Iterator[tuple[str, re.Pattern[str]]]:
    for step, this in layout.STEPS.items():
        if "dataset" not in this.of:
            continue
        yield step, _pattern(layout.record_template(step))
        for name, paths in this.writes.items():
            yield from ((step, _pattern(path, "/[^/]+" if name in this.folders else "")) for path in paths)


def _pattern(template: str, end: str = "") -> re.Pattern[str]:
    text = re.escape(template)
    for field, part in _PARTS.items():
        text = text.replace(rf"\{{{field}\}}", f"(?P<{field}>{part})")
    return re.compile(text + end)


_PATTERNS = tuple(_patterns())


def _under(name: str, kind: str, loss: str) -> str:
    """Return the folder of the loss, or else the folder that contains the file."""
    if kind == "losses":
        return f"{name.partition(f'/{loss}/')[0]}/{loss}"
    return name.rpartition("/")[0]


def _is_file(folder: Path, name: str) -> bool:
    try:
        safe.safe_path(folder, name)
    except UserError:
        return False
    return True
