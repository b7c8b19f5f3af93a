"""Show all trainings of a study: state, epoch, losses, pace, remaining time, restarts.

    whichloss trainings                                       the study of config.yaml
    whichloss trainings --configfile studies/demo.yaml        another one, as for snakemake
    whichloss trainings --watch                               repeat every 30 seconds

Everything is read from the files of the trainings, so the command works wherever the results can be read, also while a cluster
works on them. Nothing is changed.
"""

import argparse
import csv
import datetime
import math
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from workflow_lib.base.checkout import require_study_folder
from workflow_lib.base.durations import duration
from workflow_lib.base.errors import UserError
from workflow_lib.base.files import read_json
from workflow_lib.datasets.folds import read_folds, split_cases
from workflow_lib.plan import jobs as planning
from workflow_lib.study.config import merge
from workflow_lib.study.reading import read_study_file
from workflow_lib.training import attempts

SUMMARY = "show all trainings: state, losses, time left"
EXAMPLE = "whichloss trainings --watch"

HEADS = ("dataset", "loss", "fold", "state", "epoch", "validation", "lowest", "steps/s", "waited", "left", "starts")
WATCH_SECONDS = 30.0

SILENT_SECONDS = 300.0
"""A training updates its record every 30 s, or after a step that takes longer. Older records are shown with their age."""


@dataclass(frozen=True)
class Training:
    """One training according to its files. Unknown numbers are NaN.

    `state` is "waiting", "running", "silent" (no update for a while: killed, or in a very long step), "interrupted", "failed",
    "out of memory", "diverged", "finished" or "unreadable" (at this moment; try again). `seconds_left` is estimated from the
    pace
    of the present attempt.
    """

    dataset: str
    loss: str
    fold: int
    state: str
    epoch: int = 0
    epochs: int = 0
    validation_loss: float = math.nan
    lowest: float = math.nan
    pace: float = math.nan
    waited: float = math.nan
    seconds_left: float = math.nan
    starts: int = 0
    silent_for: float = 0.0


def trainings(plan: planning.Plan, now: float) -> Iterator[Training]:
    """Yield all trainings of a study in the order of its tables. `now` is the time in seconds since 1970."""
    results = Path(plan.results)
    for dataset in plan.datasets:
        epochs = plan.dataset(dataset).training.epochs
        for loss in plan.losses(dataset):
            for fold in plan.folds(dataset):
                place = f"{dataset}/{loss}/fold_{fold}"
                head = Training(dataset, loss, fold, "waiting", epochs=epochs)
                summary = results / "training" / place / "training.json"
                try:
                    if summary.is_file():
                        found = _finished(head, read_json(summary), summary.with_name("history.csv"))
                    else:
                        found = _under_way(head, plan, results / "checkpoints" / place, now)
                except (OSError, UserError):
                    # The files cannot be read, or were moved or deleted in the meantime.
                    found = replace(head, state="unreadable")
                yield found


def _finished(head: Training, summary: Mapping[str, Any], history: Path) -> Training:
    record = summary["attempts"]
    seconds = float(summary["seconds"])
    validation, lowest = _losses(history)
    return replace(
        head,
        state="diverged" if summary.get("diverged") else "finished",
        epoch=int(summary["epochs"]),
        validation_loss=validation,
        lowest=lowest,
        pace=_ratio(sum(attempt["steps"] for attempt in record), seconds),
        waited=_ratio(summary["waiting_seconds"], seconds),
        starts=len(record),
    )


def _under_way(head: Training, plan: planning.Plan, folder: Path, now: float) -> Training:
    """Return a training that has not ended, from the newest record in its checkpoint folder."""
    record = attempts.newest(folder)
    found = read_json(record) if record else []
    if not record or not found:
        return head
    last = found[-1]
    age = now - record.stat().st_mtime
    silent = last["ended"] == attempts.RUNNING and age > SILENT_SECONDS
    validation, lowest = _losses(record.with_name("history.csv"))
    pace = _ratio(last["steps"], last["seconds"])
    return replace(
        head,
        state="silent" if silent else str(last["ended"]),
        epoch=int(last["last_epoch"]),
        validation_loss=validation,
        lowest=lowest,
        pace=pace,
        waited=_ratio(last["waiting_seconds"], last["seconds"]),
        seconds_left=_ratio(_steps_left(last, plan, head), pace),
        starts=len(found),
        silent_for=age if silent else 0.0,
    )


def _ratio(amount: float, of: float) -> float:
    return float(amount) / of if of > 0 else math.nan


def _steps_left(attempt: Mapping[str, Any], plan: planning.Plan, head: Training) -> float:
    """Return the number of steps until the end of the last epoch."""
    training = plan.dataset(head.dataset).training
    per_epoch = training.iterations
    if per_epoch is None:
        places = read_folds(Path(plan.results) / "data" / head.dataset / "folds.csv")
        per_epoch = math.ceil(len(split_cases(places, head.fold).training) / training.batch_size)
    return float(per_epoch * (head.epochs - attempt["last_epoch"] + 1) - attempt["last_step"])


def _losses(history: Path) -> tuple[float, float]:
    """Return the last and the lowest validation loss."""
    if not history.is_file():
        return math.nan, math.nan
    with open(history, newline="", encoding="utf-8") as stream:
        losses = [float(row["validation_loss"]) for row in csv.DictReader(stream)]
    return (losses[-1], min(losses)) if losses else (math.nan, math.nan)


def table(found: Sequence[Training]) -> str:
    """Return the trainings as a text table, followed by a line that counts their states."""
    rows = [HEADS, *(_row(training) for training in found)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEADS))]
    lines = ["  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    states = [training.state for training in found]
    counts = ", ".join(f"{states.count(state)} {state}" for state in dict.fromkeys(states))
    return "\n".join([*lines, "", f"{len(found)} trainings: {counts}"])


def _row(training: Training) -> tuple[str, ...]:
    state = training.state
    if state == "silent":
        state = f"silent for {duration(training.silent_for)}"
    return (
        training.dataset,
        training.loss,
        str(training.fold),
        state,
        f"{training.epoch}/{training.epochs}" if training.starts else "",
        _number(training.validation_loss, ".4g"),
        _number(training.lowest, ".4g"),
        _number(training.pace, ".3g"),
        _number(training.waited, ".0%"),
        duration(training.seconds_left) if training.seconds_left > 0 and state == "running" else "",
        str(training.starts) if training.starts else "",
    )


def _number(value: float, form: str) -> str:
    return format(value, form) if math.isfinite(value) else ""


def read_plan(files: Sequence[Path]) -> planning.Plan:
    """Return the plan of config.yaml in the working directory, overridden by `files` like snakemake's --configfile."""
    raw, own = read_study(files)
    return planning.load(raw, " + ".join(["config.yaml", *map(str, files)]), own)


def read_study(files: Sequence[Path]) -> tuple[dict[str, Any], dict[str, Any] | None]:
    """Return the configuration, and what the `files` alone say of it (None where there are none)."""
    own: dict[str, Any] = {}
    for file in files:
        own = merge(own, read_study_file(file))
    return merge(read_study_file(Path("config.yaml")), own), own if files else None


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("--configfile", type=Path, nargs="*", default=[], metavar="FILE", help="study files, as for snakemake")
    parser.add_argument("--watch", action="store_true", help=f"repeat every {WATCH_SECONDS:.0f} s until interrupted")


def run(arguments: argparse.Namespace) -> int:
    """Show the trainings of the given study."""
    require_study_folder("trainings")
    plan = read_plan(arguments.configfile)
    while True:
        text = table(list(trainings(plan, time.time())))
        if not arguments.watch:
            print(text)
            return 0
        print(f"\033[2J\033[H{datetime.datetime.now():%H:%M:%S}  {plan.results}\n\n{text}", flush=True)
        try:
            time.sleep(WATCH_SECONDS)
        except KeyboardInterrupt:
            print()
            return 0
