"""The list of all steps, with the files that each reads and writes.

The rules, the arguments of the steps, the plan, the audit and the report take names and paths from here. A test compares the
table of files in docs/architecture.md with it. Paths are relative to the results of a study and contain the keys of a job:
{dataset}, {loss}, {fold}, {shard}.
"""

import functools
import re
import string
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from workflow_lib.figures import registry as figures
from workflow_lib.statistics import registry as statistics
from workflow_lib.tables import registry as tables

WHOLE = "."
"""Input of a step that reads the results of all others. Its record names the files that it has read."""

_TRAINING = "{dataset}/{loss}/fold_{fold}"


@dataclass(frozen=True)
class Step:
    """A step of the chain.

    Parameters
    ----------
    of : tuple of str
        The keys of a job, of "dataset", "loss", "fold" and "shard". A study has a job for each combination.
    writes : mapping of str to tuple of str
        Name of an output to the paths of all its files.
    reads : mapping of str to str
        Name of an input to the output that it is, as ``"step.output"``. Where that step has more jobs than this one (``of``), all
        of them are read. ``"step.output:name.csv"`` is one file of an output.
    outside : tuple of str
        Inputs that are not results: files of the user, none or several.
    unrecorded : mapping of str to tuple of str
        Outputs that the record does not name, because they are written after it.
    state : mapping of str to str
        Further paths that the step writes and that are not results: states to resume from, and progress.
    after : tuple of str
        Outputs (as in `reads`) that must exist, for a step that reads the whole folder.
    folders : frozenset of str
        Outputs that are folders.
    numbers, texts : tuple of str
        Further arguments, which do not change results.
    """

    of: tuple[str, ...]
    writes: Mapping[str, tuple[str, ...]]
    reads: Mapping[str, str] = field(default_factory=dict)
    outside: tuple[str, ...] = ()
    unrecorded: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    state: Mapping[str, str] = field(default_factory=dict)
    after: tuple[str, ...] = ()
    folders: frozenset[str] = frozenset()
    numbers: tuple[str, ...] = ()
    texts: tuple[str, ...] = ()


def _drawn(names: Sequence[str], of: str = "") -> tuple[str, ...]:
    return tuple(f"figures/{name}{of}.{suffix}" for name in names for suffix in ("svg", "png"))


def _figures(names: Sequence[str], of: str = "") -> dict[str, tuple[str, ...]]:
    """Return the outputs of a step that draws figures. Some figures have a JSON file with their text."""
    texts = tuple(f"figures/{name}{of}.json" for name in figures.with_text(names))
    return {"figures": _drawn(names, of)} | ({"texts": texts} if texts else {})


_OF_DATASET = "_{dataset}"

STEPS: Mapping[str, Step] = {
    "obtain": Step(("dataset",), {"files": ("data/{dataset}/files.json",)}),
    "inspect": Step(
        ("dataset",),
        {"inspection": ("data/{dataset}/inspection.json",)},
        {"files": "obtain.files"},
        state={"earlier": "checkpoints/{dataset}.inspection.json"},
    ),
    "cases_page": Step(("dataset",), {"page": ("data/{dataset}/cases.html",)}, {"inspection": "inspect.inspection"}),
    "check": Step(
        ("dataset",),
        {"cases": ("data/{dataset}/cases.json",), "table": ("data/{dataset}/cases.csv",)},
        {"inspection": "inspect.inspection"},
    ),
    "split": Step(("dataset",), {"folds": ("data/{dataset}/folds.csv",)}, {"cases": "check.cases"}, outside=("groups", "table")),
    "preprocess": Step(
        ("dataset", "shard"),
        {"store": ("preprocessed/{dataset}/shard_{shard}",)},
        {"cases": "check.cases"},
        folders=frozenset({"store"}),
    ),
    "train": Step(
        ("dataset", "loss", "fold"),
        {
            "weights": (f"training/{_TRAINING}/model.weights.h5",),
            "history": (f"training/{_TRAINING}/history.csv",),
            "summary": (f"training/{_TRAINING}/training.json",),
        },
        {"cases": "check.cases", "folds": "split.folds", "stores": "preprocess.store"},
        outside=("loss-files",),
        state={"checkpoints": f"checkpoints/{_TRAINING}", "events": f"logs/tensorboard/{_TRAINING}"},
        numbers=("checkpoint-seconds", "batch-processes", "gpus", "keep-state"),
        texts=("lineage",),
    ),
    "predict": Step(
        ("dataset", "loss", "fold"),
        {"predictions": (f"predictions/{_TRAINING}",)},
        {
            "cases": "check.cases",
            "folds": "split.folds",
            "stores": "preprocess.store",
            "weights": "train.weights",
            "summary": "train.summary",
        },
        folders=frozenset({"predictions"}),
        numbers=("gpus",),
    ),
    "evaluate": Step(
        ("dataset", "loss", "fold"),
        {"scores": (f"scores/{_TRAINING}.csv",)},
        {"cases": "check.cases", "folds": "split.folds", "predictions": "predict.predictions"},
    ),
    "collect": Step(
        ("dataset",),
        {"scores": ("scores/{dataset}.csv",)},
        {"cases": "check.cases", "folds": "split.folds", "parts": "evaluate.scores", "summaries": "train.summary"},
    ),
    "statistics": Step(
        ("dataset",),
        {"results": tuple(f"statistics/{{dataset}}/{name}.csv" for name in statistics.names())},
        {"scores": "collect.scores"},
    ),
    "tables": Step(
        ("dataset",),
        {
            "tables": (
                *(f"tables/{{dataset}}_{name}.csv" for name in tables.names()),
                *(f"tables/{{dataset}}_{name}.tex" for name in tables.latex_names()),
            )
        },
        {"results": "statistics.results", "cases": "check.cases"},
    ),
    "figures_dataset": Step(
        ("dataset",),
        _figures(figures.of_dataset(), _OF_DATASET),
        {
            "cases": "check.cases",
            "table": "check.table",
            "scores": "collect.scores",
            "results": "statistics.results",
            "histories": "train.history",
            "predictions": "predict.predictions",
        },
    ),
    "figures_sweep": Step(
        ("dataset",),
        _figures(figures.of_sweep(), _OF_DATASET),
        {"cases": "check.cases", "means": "statistics.results:means.csv"},
    ),
    "figures_losses": Step((), _figures(figures.of_losses())),
    "manifest": Step((), {"manifest": ("manifest.json",)}, {"results": WHOLE}),
    "report_page": Step(
        (),
        {"page": ("report.html",)},
        {"results": WHOLE},
        unrecorded={"sums": ("SHA256SUMS",)},
        after=(
            *("check.cases", "check.table", "cases_page.page", "split.folds", "train.summary", "train.history", "collect.scores"),
            *("statistics.results", "tables.tables", "figures_losses.figures", "figures_dataset.figures"),
            *("figures_dataset.texts", "figures_sweep.figures", "figures_sweep.texts", "manifest.manifest"),
        ),
    ),
}
"""The steps in their order; each reads only outputs of earlier steps."""

MANIFEST = "manifest.manifest"
"""The output that combines all records except those of `LAST`."""

LAST = ("manifest", "report_page")
"""Steps that read the results of all others."""

_CALLED = {"report_page": "report"}
"""Steps whose record has another name than the step."""


def unit(step: str) -> str:
    """Return the kind of the number of a step's jobs: "fold", "shard", or "" if they have none."""
    return next((name for name in ("fold", "shard") if name in STEPS[step].of), "")


def record_template(step: str) -> str:
    """Return the path of the records of a step, with the keys of the job in braces."""
    return _beside("records", step, "json")


def log_template(step: str, suffix: str = "log") -> str:
    """Return the path of the logs of a step, with the keys of the job in braces."""
    return _beside("logs", step, suffix)


def _beside(folder: str, step: str, suffix: str) -> str:
    parts = ["{dataset}"] * ("dataset" in STEPS[step].of) + ["{loss}"] * ("loss" in STEPS[step].of)
    number = [f"{unit(step)}_{{{unit(step)}}}"] if unit(step) else []
    return "/".join([folder, _CALLED.get(step, step), *parts, *number]) + f".{suffix}"


def filled(template: str, dataset: str = "", loss: str = "", number: int | str = "") -> str:
    """Return a path with the keys of a job filled in; `number` is its fold or shard."""
    return template.format(dataset=dataset, loss=loss, fold=number, shard=number)


def record(step: str, dataset: str = "", loss: str = "", number: int | str = "") -> str:
    """Return the path of the record of a job."""
    return filled(record_template(step), dataset, loss, number)


def path(output: str, dataset: str = "", loss: str = "", number: int | str = "") -> str:
    """Return the path of an output (``"step.output"``) with one file."""
    (template,) = templates(output)
    return filled(template, dataset, loss, number)


def written(step: str, dataset: str = "", loss: str = "", number: int | str = "") -> list[str]:
    """Return all files and folders that a job writes as results, its record included."""
    this = STEPS[step]
    paths = [path for outputs in (this.writes, this.unrecorded) for paths in outputs.values() for path in paths]
    return [filled(path, dataset, loss, number) for path in [*paths, record_template(step)]]


def state(step: str, name: str, dataset: str, loss: str, number: int) -> str:
    """Return the path of a job's state."""
    return filled(STEPS[step].state[name], dataset, loss, number)


def maker(output: str) -> str:
    """Return the step that writes an output."""
    return output.split(".", 1)[0]


@functools.cache
def readers(step: str) -> tuple[str, ...]:
    """Return the steps that read an output of a step by name."""
    return tuple(
        name for name, this in STEPS.items() if step in {maker(output) for output in this.reads.values() if output != WHOLE}
    )


def templates(output: str) -> tuple[str, ...]:
    """Return the paths of an output as its step writes them; for ``"step.output:name"``, that of one file."""
    step, _, name = output.partition(".")
    name, _, file = name.partition(":")
    found = tuple(path for path in STEPS[step].writes[name] if not file or path.endswith(f"/{file}"))
    if not found:
        raise KeyError(output)
    return found


def several(step: str, name: str) -> bool:
    """Return whether an input or output of a step consists of several files."""
    this = STEPS[step]
    if name in this.outside:
        return True
    if name in this.state or name in this.unrecorded:
        return False
    output = f"{step}.{name}" if name in this.writes else this.reads[name]
    if output == WHOLE:
        return False
    return len(templates(output)) > 1 or not set(STEPS[maker(output)].of) <= set(this.of)


def pattern(template: str, step: str, dataset: str, loss: str, number: int | str, name: str) -> str:
    """Return a regular expression of the paths that a job reads. `name` matches the keys that its step does not have.

    Without a step (""), `name` matches all keys.
    """
    of = STEPS[step].of if step else ()
    own = {"dataset": dataset, "loss": loss} | ({unit(step): str(number)} if step and unit(step) else {})
    return "".join(
        re.escape(text) + ("" if key is None else re.escape(own[key]) if key in of else name)
        for text, key, _, _ in string.Formatter().parse(template)
    )
