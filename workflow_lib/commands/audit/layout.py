"""Whether every record is of the step that its name says, and reads and writes what that step does.

Only some steps are computed again. Who calls a step by another name, lets it write elsewhere, or lets another step claim its
files, would take a result out of what is looked at.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from workflow_lib.base.errors import UserError
from workflow_lib.commands.audit import records
from workflow_lib.commands.audit.findings import Finding
from workflow_lib.commands.audit.records import NAME, Record
from workflow_lib.figures import registry as figures
from workflow_lib.statistics import registry as statistics
from workflow_lib.tables import registry as tables

Groups = Mapping[str, Sequence[str]]

_TRAINING = "{dataset}/{loss}/fold_{number}"
_EVERY_TRAINING = "{dataset}/*/fold_*"
_CASES = ("data/{dataset}/cases.json",)
_FOLDS = ("data/{dataset}/folds.csv",)
_STORES = ("preprocessed/{dataset}/shard_*",)
_WEIGHTS = (f"training/{_TRAINING}/model.weights.h5",)
_SUMMARY = (f"training/{_TRAINING}/training.json",)
_PREDICTIONS = (f"predictions/{_TRAINING}",)
_STATISTICS = tuple(f"statistics/{{dataset}}/{name}.csv" for name in statistics.names())
_TABLES = (
    *(f"tables/{{dataset}}_{name}.csv" for name in tables.names()),
    *(f"tables/{{dataset}}_{name}.tex" for name in tables.latex_names()),
)
_OF = "_{dataset}"


def _drawn(of: str, names: Sequence[str]) -> tuple[str, ...]:
    return tuple(f"figures/{name}{of}.{suffix}" for name in names for suffix in ("svg", "png"))


def _texts(of: str, names: Sequence[str]) -> tuple[str, ...]:
    return tuple(f"figures/{name}{of}.json" for name in figures.with_text(names))


WRITES: Mapping[str, Groups] = {
    "obtain": {"files": ("data/{dataset}/files.json",)},
    "inspect": {"inspection": ("data/{dataset}/inspection.json",)},
    "cases_page": {"page": ("data/{dataset}/cases.html",)},
    "check": {"cases": _CASES, "table": ("data/{dataset}/cases.csv",)},
    "split": {"folds": _FOLDS},
    "preprocess": {"store": ("preprocessed/{dataset}/shard_{number}",)},
    "train": {"weights": _WEIGHTS, "history": (f"training/{_TRAINING}/history.csv",), "summary": _SUMMARY},
    "predict": {"predictions": _PREDICTIONS},
    "evaluate": {"scores": (f"scores/{_TRAINING}.csv",)},
    "collect": {"scores": ("scores/{dataset}.csv",)},
    "statistics": {"results": _STATISTICS},
    "tables": {"tables": _TABLES},
    "figures_losses": {"figures": _drawn("", figures.of_losses()), "texts": _texts("", figures.of_losses())},
    "figures_dataset": {"figures": _drawn(_OF, figures.of_dataset()), "texts": _texts(_OF, figures.of_dataset())},
    "figures_sweep": {"figures": _drawn(_OF, figures.of_sweep()), "texts": _texts(_OF, figures.of_sweep())},
    "manifest": {"manifest": ("manifest.json",)},
    "report_page": {"page": ("report.html",)},
}
"""What a step writes below the results, all of it, by the names of its outputs."""

READS: Mapping[str, Groups] = {
    "obtain": {},
    "inspect": {"files": ("data/{dataset}/files.json",)},
    "cases_page": {"inspection": ("data/{dataset}/inspection.json",)},
    "check": {"inspection": ("data/{dataset}/inspection.json",)},
    "split": {"cases": _CASES},
    "preprocess": {"cases": _CASES},
    "train": {"cases": _CASES, "folds": _FOLDS, "stores": _STORES},
    "predict": {"cases": _CASES, "folds": _FOLDS, "stores": _STORES, "weights": _WEIGHTS, "summary": _SUMMARY},
    "evaluate": {"cases": _CASES, "folds": _FOLDS, "predictions": _PREDICTIONS},
    "collect": {
        "cases": _CASES,
        "folds": _FOLDS,
        "parts": (f"scores/{_EVERY_TRAINING}.csv",),
        "summaries": (f"training/{_EVERY_TRAINING}/training.json",),
    },
    "statistics": {"scores": ("scores/{dataset}.csv",)},
    "tables": {"cases": _CASES, "results": _STATISTICS},
    "figures_losses": {},
    "figures_dataset": {
        "cases": _CASES,
        "table": ("data/{dataset}/cases.csv",),
        "scores": ("scores/{dataset}.csv",),
        "results": _STATISTICS,
        "histories": (f"training/{_EVERY_TRAINING}/history.csv",),
        "predictions": (f"predictions/{_EVERY_TRAINING}",),
    },
    "figures_sweep": {"cases": _CASES, "means": ("statistics/{dataset}/means.csv",)},
    "manifest": {"results": (".",)},
    "report_page": {"results": (".",)},
}
"""What a step reads below the results; * is any name or number."""

FROM_OUTSIDE = {"split": ("groups", "table"), "train": ("loss-files",), "tables": ("published",)}
"""Inputs that are no results."""

_NAMED_OTHERWISE = {"records/manifest.json": "manifest", records.REPORT_RECORD: "report_page"}


def check(study: Path) -> Iterator[Finding]:
    """Yield the records that are not of the step of their name, or read or write what it does not; `study` is the copy."""
    root, every = records.root_of(study), list(records.every(study))
    faults = [Finding(record.name, "fails", fault) for record in every if (fault := _fault(record, root))]
    yield from faults
    if not faults:
        yield Finding("steps", "holds", f"{len(every)} records read and write what their steps do")


def _fault(record: Record, root: Path) -> str:
    dataset, loss, number = record.about
    if record.step not in WRITES or record.name != _name(record):
        return f"is not where a record of the step {record.step[:80]!r} of its settings lies"
    if any(part and not NAME.fullmatch(part) for part in (dataset, loss)):
        return "names a dataset or a loss that cannot be one"
    names = {"dataset": dataset, "loss": loss, "number": str(number)}
    expected = {key: sorted(path.format(**names) for path in paths) for key, paths in WRITES[record.step].items()}
    if {key: sorted(_places(record.outputs[key], root)) for key in record.outputs} != expected:
        return f"names other results than this checkout's step {record.step} writes"
    for key, entries in record.inputs.items():
        if key in FROM_OUTSIDE.get(record.step, ()):
            continue
        allowed = "|".join(_pattern(path.format(**names)) for path in READS[record.step].get(key, ()))
        for place in _places(entries, root):
            if not re.fullmatch(allowed, place):
                return f"says that it read {place} as {key}, which this checkout's step {record.step} does not"
    return ""


def _name(record: Record) -> str:
    """Return where the record of a step of these settings lies."""
    return record_name(record.step, *record.about)


def record_name(step: str, dataset: str, loss: str, number: int | str) -> str:
    """Return where the record of a job lies; `number` is its fold or shard, 0 or "" where it has none."""
    if step in _NAMED_OTHERWISE.values():
        return next(name for name, other in _NAMED_OTHERWISE.items() if other == step)
    unit = "shard" if step == "preprocess" else "fold"
    return "/".join(["records", step, *filter(None, [dataset, loss, f"{unit}_{number}" if number else ""])]) + ".json"


def _pattern(template: str) -> str:
    return re.escape(template).replace(r"\*", NAME.pattern)


def _places(entries: Sequence[Mapping[str, str]], root: Path) -> list[str]:
    """Return the paths below the results; of a file that lies elsewhere, the path as it is named."""
    found = []
    for entry in entries:
        try:
            found.append(records.inside(entry["path"], root))
        except UserError:
            found.append(entry["path"])
    return found
