"""How every training ended: its training.json, its history, its predictions and its scores must tell the same.

A loss with a training that diverged is left out of the comparison. So a training that is only called so takes a loss out of the
report, and an epoch or a loss that no training had stands on the page.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from typing import Any

from workflow_lib.base.errors import UserError
from workflow_lib.commands.audit import folder as safe
from workflow_lib.commands.audit import records
from workflow_lib.commands.audit.findings import Finding
from workflow_lib.commands.audit.records import Record
from workflow_lib.images.casefiles import DIVERGED
from workflow_lib.report.text import count

SHOWN = 80
"""Characters of a value in a file that are shown."""


@dataclass(frozen=True)
class History:
    """What a history comes to: its epochs, which was best, and its validation loss; 0 and None where there is no epoch."""

    epochs: int
    best_epoch: int
    best_validation_loss: float | None


def check(study: Path, every: Sequence[Record]) -> Iterator[Finding]:
    """Yield where the files of a training contradict each other about its end; `study` is the private copy."""
    root = records.root_of(study)
    after = {(record.step, *record.about): record for record in every if record.step in ("predict", "evaluate")}
    for record in every:
        if record.step == "train":
            try:
                yield from _of_training(study, root, record, after)
            except UserError as error:
                yield Finding(record.name, "fails", f"how it ended cannot be compared: {error}")


def _of_training(study: Path, root: Path, record: Record, after: Mapping[tuple[Any, ...], Record]) -> Iterator[Finding]:
    name, place = (records.inside(record.outputs[key][0]["path"], root) for key in ("summary", "history"))
    content, history = safe.read_json(study, name), read_history(study, place)
    yield from (Finding(name, "fails", fault) for fault in _faults(content, history, record.settings["training"]))
    if not {("predict", *record.about), ("evaluate", *record.about)} <= set(after):
        yield Finding(record.name, "fails", "no record says that its network predicted and was scored")
        return
    diverged = bool(content.get("diverged"))
    said = f"and {name} says that its training {'diverged' if diverged else 'did not diverge'}"
    (predictions,) = after["predict", *record.about].outputs["predictions"]
    files = set(predictions.get("files", {}))
    if diverged != (files == {DIVERGED}):
        yield Finding(records.inside(predictions["path"], root), "fails", f"holds {count(len(files), 'file')}, {said}")
    (scores,) = after["evaluate", *record.about].outputs["scores"]
    table = records.inside(scores["path"], root)
    rows = len(safe.read_csv(study, table))
    if diverged == bool(rows):
        yield Finding(table, "fails", f"has {count(rows, 'row')}, {said}")


def read_history(study: Path, name: str) -> History:
    """Return what a history comes to. Raises UserError where it is not as a training writes it."""
    best_epoch, lowest, rows = 0, None, safe.read_csv(study, name)
    for number, row in enumerate(rows, start=1):
        try:
            epoch, loss, best = int(row["epoch"]), float(row["validation_loss"]), row["best"]
        except (KeyError, ValueError):
            raise UserError(f"{name}: line {number + 1} is none of a history") from None
        if epoch != number or not isfinite(loss):
            raise UserError(f"{name}: line {number + 1} is not of epoch {number}, or its validation loss is no finite number")
        if lowest is None or loss < lowest:
            best_epoch, lowest = epoch, loss
        if best != str(int(best_epoch == epoch)):
            raise UserError(f"{name}: says of epoch {epoch} that it was {'' if best == '1' else 'not '}the best so far")
    return History(len(rows), best_epoch, lowest)


def _faults(content: Mapping[str, Any], history: History, training: Mapping[str, Any]) -> Iterator[str]:
    """Yield what training.json tells otherwise than the history, and an end that the settings do not explain."""
    diverged, asked, patience = content.get("diverged"), training["epochs"], training.get("early_stop")
    expected = {
        "epochs": history.epochs,
        "best_epoch": history.best_epoch,
        "best_validation_loss": history.best_validation_loss,
        "stopped_early": not diverged and history.epochs < asked,
    }
    for key, value in expected.items():
        stated = content.get(key)
        # Of Python's values True is 1, and the page shows them as they are.
        if (type(stated), stated) != (type(value), value):
            yield f"says that {key} is {str(stated)[:SHOWN]}, and by its history it is {value}"
    if history.epochs + bool(diverged) > asked:
        yield f"is of more epochs than the {asked} that its training was to have"
    if diverged:
        # The epoch in which a training breaks off is no line of its history.
        if not isinstance(diverged, dict) or diverged.get("epoch") != history.epochs + 1:
            yield f"does not say that it diverged in epoch {history.epochs + 1}, the one after its history's last"
    elif history.epochs < asked and (patience is None or history.epochs - history.best_epoch < patience):
        yield f"is of {history.epochs} of {asked} epochs, and neither diverged nor had reason to stop early"
