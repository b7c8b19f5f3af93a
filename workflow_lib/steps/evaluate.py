"""Score the predictions of one loss and fold against the ground truth, on the original grids."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from workflow_lib.base.errors import Faults, UserError
from workflow_lib.datasets.folds import read_folds, split_cases
from workflow_lib.evaluation.case import score_case
from workflow_lib.evaluation.scores import write_scores
from workflow_lib.images import inspected
from workflow_lib.images.casefiles import DIVERGED, prediction_name, read_prediction
from workflow_lib.images.cases import Case
from workflow_lib.images.selection import Cases, read_cases
from workflow_lib.steps.command import Context, Countdown, run, say
from workflow_lib.study.sections.evaluation import Evaluation
from workflow_lib.study.settings.evaluate import Settings


def work(context: Context[Settings]) -> None:
    """Write `scores`, a row per case and class, in the metrics that the settings name.

    A missing prediction is an error. A diverged training has no predictions, which its folder states, and no scores.
    """
    settings = context.settings
    study = read_cases(context.path("cases"))
    names = split_cases(read_folds(context.path("folds")), settings.fold).test
    folder = context.path("predictions")
    metrics = settings.metrics
    if (folder / DIVERGED).is_file():
        write_scores(context.path("scores"), [], metrics)
        say("the training diverged, so there is nothing to score")
        return
    files = {name: folder / prediction_name(study.cases[name]) for name in names}
    missing = [name for name, file in files.items() if not file.is_file()]
    if missing:
        raise Faults(f"{folder} lacks predictions; delete the folder and run the prediction again:", missing)
    rows = []
    countdown = Countdown()
    for number, name in enumerate(names, start=1):
        head = {"dataset": settings.dataset, "loss": settings.loss, "fold": settings.fold, "case": name}
        scored = _score(study, study.cases[name], files[name], settings.field_of_view, settings.evaluation, metrics)
        rows += [head | row for row in scored]
        countdown.say(number, len(names), name)
    write_scores(context.path("scores"), rows, metrics)


def _score(
    study: Cases, case: Case, prediction: Path, inside_view: bool, evaluation: Evaluation, metrics: Sequence[str]
) -> list[dict[str, object]]:
    try:
        truth = study.labels.to_classes(inspected.mask(study, case.id))
        predicted = study.labels.to_classes(read_prediction(prediction, study.reading))
        view = inspected.field_of_view(study, case.id) if inside_view else None
        if view is not None and truth.shape == predicted.shape == view.shape:
            # Background in both masks is not scored, and the array keeps the shape that surface distances need.
            truth, predicted = np.where(view, truth, np.uint8(0)), np.where(view, predicted, np.uint8(0))
        tolerance = evaluation.tolerance if evaluation.surface else None
        return score_case(truth, predicted, study.labels, _spacing(study, case.id), tolerance, metrics)
    except UserError as error:
        raise UserError(f"{case.id}: {error} (mask {', '.join(map(str, case.masks))}, prediction {prediction})") from error


def _spacing(study: Cases, name: str) -> tuple[float, ...]:
    if name not in study.spacing:
        raise UserError("cases.json was written by an earlier version, without voxel sizes. Run `check` again.")
    return study.spacing[name]


if __name__ == "__main__":
    run("evaluate", __doc__, work, Settings)
