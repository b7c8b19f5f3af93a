"""Put the scores of all losses and folds of a dataset into one table, and see that none is missing or double."""

import pandas as pd

from workflow_lib.errors import UserError
from workflow_lib.evaluation.scores import check_complete, read_scores, write_scores
from workflow_lib.folds import read_folds, scored_in
from workflow_lib.steps._command import Context, run, say
from workflow_lib.steps._study import read_cases


def work(context: Context) -> None:
    """Write `scores`. Raises UserError that names what is missing or double.

    A part <loss>/fold_<k>.csv without a row is that of a training that diverged.
    """
    parts = {(path.parent.name, int(path.stem.removeprefix("fold_"))): read_scores(path) for path in context.paths["parts"]}
    diverged = [training for training, part in parts.items() if part.empty]
    if len(diverged) == len(parts):
        raise UserError("All trainings of the dataset diverged, so there is nothing to compare. Their training.json say where.")
    frame = pd.concat([part for part in parts.values() if not part.empty], ignore_index=True)
    labels = read_cases(context.path("cases")).labels
    folds = scored_in(read_folds(context.path("folds")))
    check_complete(frame, context.settings["losses"], folds, [*labels.names[1:], *labels.regions], diverged)
    write_scores(context.path("scores"), frame)
    say(f"{len(frame)} scores of {frame['case'].nunique()} cases")
    for loss, fold in diverged:
        say(f"no scores of {loss}, fold {fold}: its training diverged")


if __name__ == "__main__":
    run("collect", __doc__, work, inputs=["cases", "folds", "parts+"], outputs=["scores"])
