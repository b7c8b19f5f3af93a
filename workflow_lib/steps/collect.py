"""Combine the scores of all losses and folds of a dataset in one table without missing or duplicate rows."""

from collections.abc import Mapping

import pandas as pd

from workflow_lib.base.errors import Faults
from workflow_lib.base.files import read_json
from workflow_lib.datasets.folds import read_folds, scored_in
from workflow_lib.evaluation.scores import (
    check_complete,
    check_references,
    empty_scores,
    metrics_of,
    read_scores,
    write_scores,
)
from workflow_lib.images.selection import read_cases
from workflow_lib.steps.command import Context, run, say
from workflow_lib.study.settings.collect import Settings


def work(context: Context[Settings]) -> None:
    """Write `scores`. Raises UserError that names missing, duplicate and contradicting rows.

    The parts are named <loss>/fold_<k>.csv, the summaries <loss>/fold_<k>/training.json. A loss with a diverged training on any
    fold is left out entirely: a mean over its other folds would be one over other cases, perhaps without the hard ones.
    """
    parts = {(path.parent.name, _fold(path.stem)): read_scores(path) for path in context.paths["parts"]}
    summaries = {(path.parent.parent.name, _fold(path.parent.name)): read_json(path) for path in context.paths["summaries"]}
    diverged = [training for training, summary in summaries.items() if summary["diverged"]]
    incomplete = {loss for loss, _ in diverged}
    whole = [part for (loss, _), part in parts.items() if loss not in incomplete]
    # Where every loss diverged in some fold, the table has no rows, and the report says so.
    metrics = _metrics(parts)
    frame = pd.concat(whole, ignore_index=True) if whole else empty_scores(metrics)
    labels = read_cases(context.path("cases")).labels
    folds = scored_in(read_folds(context.path("folds")))
    absent = [training for training in parts if training[0] in incomplete]
    check_complete(
        frame,
        context.settings.losses,
        folds,
        [*labels.names[1:], *labels.regions],
        absent,
    )
    check_references(frame)
    write_scores(context.path("scores"), frame, metrics)
    say(f"{len(frame)} scores of {frame['case'].nunique()} cases")
    for loss, fold in diverged:
        say(f"{loss} is omitted: its training on fold {fold} diverged")


def _metrics(parts: Mapping[tuple[str, int], pd.DataFrame]) -> list[str]:
    """Return the metrics, which all parts must share. Raises UserError if they differ."""
    found = {key: metrics_of(part) for key, part in parts.items()}
    first = next(iter(found.values()))
    other = [f"{loss}, fold {fold}" for (loss, fold), metrics in found.items() if metrics != first]
    if other:
        raise Faults("These scores have other metrics than the rest; delete them and run the workflow again:", other)
    return first


def _fold(name: str) -> int:
    return int(name.removeprefix("fold_"))


if __name__ == "__main__":
    run("collect", __doc__, work, Settings)
