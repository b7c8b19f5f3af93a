"""Check how every training ended: its training.json, history, predictions and scores must agree.

A loss with a diverged training is excluded from the comparison. A false statement about divergence would therefore remove
a loss from the report, and other false statements would put invented epochs or loss values on the page.
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
"""Characters of a value that are shown."""


@dataclass(frozen=True)
class History:
    """Summary of a history: number of epochs, best epoch and its validation loss (0, 0 and None if there is no epoch)."""

    epochs: int
    best_epoch: int
    best_validation_loss: float | None


def check(study: Path, every: Sequence[Record]) -> Iterator[Finding]:
    """Yield the contradictions between the files of each training about its end. `study` is the private copy."""
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
    statement = f"and {name} says that its training {'diverged' if diverged else 'did not diverge'}"
    (predictions,) = after["predict", *record.about].outputs["predictions"]
    files = set(predictions.get("files", {}))
    if diverged != (files == {DIVERGED}):
        yield Finding(records.inside(predictions["path"], root), "fails", f"holds {count(len(files), 'file')}, {statement}")
    (scores,) = after["evaluate", *record.about].outputs["scores"]
    table = records.inside(scores["path"], root)
    rows = len(safe.read_csv(study, table))
    if diverged == bool(rows):
        yield Finding(table, "fails", f"has {count(rows, 'row')}, {statement}")


def read_history(study: Path, name: str) -> History:
    """Return the summary of a history. Raises UserError if the file is not a history as a training writes it."""
    best_epoch, lowest, rows = 0, None, safe.read_csv(study, name)
    for number, row in enumerate(rows, start=1):
        try:
            epoch, loss, best = int(row["epoch"]), float(row["validation_loss"]), row["best"]
        except (KeyError, ValueError):
            raise UserError(f"{name}: line {number + 1} is not a column of a history") from None
        if epoch != number or not isfinite(loss):
            raise UserError(f"{name}: line {number + 1} is not of epoch {number}, or its validation loss is not a finite number")
        if lowest is None or loss < lowest:
            best_epoch, lowest = epoch, loss
        if best != str(int(best_epoch == epoch)):
            raise UserError(f"{name}: says of epoch {epoch} that it was {'' if best == '1' else 'not '}the best so far")
    return History(len(rows), best_epoch, lowest)


def _faults(content: Mapping[str, Any], history: History, training: Mapping[str, Any]) -> Iterator[str]:
    """Yield where training.json contradicts the history, and an end of the training that the settings do not explain."""
    diverged, asked, patience = content.get("diverged"), training["epochs"], training.get("early_stop")
    expected = {
        "epochs": history.epochs,
        "best_epoch": history.best_epoch,
        "best_validation_loss": history.best_validation_loss,
        "stopped_early": not diverged and history.epochs < asked,
    }
    for key, value in expected.items():
        stated = content.get(key)
        # In Python True == 1, but the page shows them differently, so the types are compared, too.
        if (type(stated), stated) != (type(value), value):
            yield f"says that {key} is {str(stated)[:SHOWN]}, and by its history it is {value}"
    if history.epochs + bool(diverged) > asked:
        yield f"is of more epochs than the {asked} that its training was to have"
    if diverged:
        # The epoch in which a training diverges has no line in the history.
        if not isinstance(diverged, dict) or diverged.get("epoch") != history.epochs + 1:
            yield f"does not say that it diverged in epoch {history.epochs + 1}, the one after its history's last"
    elif history.epochs < asked and (patience is None or history.epochs - history.best_epoch < patience):
        yield f"is of {history.epochs} of {asked} epochs, and neither diverged nor had reason to stop early"
