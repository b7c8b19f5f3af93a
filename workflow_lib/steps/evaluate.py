"""Score the predictions of one loss and fold against the ground truth, on the original grids."""

from pathlib import Path

from workflow_lib.cases import Case, LabelMap, read_folds, split_cases
from workflow_lib.errors import Faults, UserError
from workflow_lib.evaluation.metrics import score_case
from workflow_lib.evaluation.scores import write_scores
from workflow_lib.steps._command import Context, run, say
from workflow_lib.steps._study import read_cases
from workflow_lib.volumes import read_volume


def work(context: Context) -> None:
    """Write `scores`, a row per case and class. A prediction that is missing is an error, never a gap."""
    settings = context.settings
    study = read_cases(context.path("cases"))
    _, validation = split_cases(read_folds(context.path("folds")), settings["fold"])
    folder = context.path("predictions")
    missing = [name for name in validation if not (folder / f"{name}.nii.gz").is_file()]
    if missing:
        raise Faults(f"{folder} lacks predictions; delete the folder and run the prediction again:", missing)
    rows = []
    for number, name in enumerate(validation, start=1):
        head = {"dataset": settings["dataset"], "loss": settings["loss"], "fold": settings["fold"], "case": name}
        rows += [head | row for row in _score(study.cases[name], folder / f"{name}.nii.gz", study.labels)]
        say(f"{number}/{len(validation)} {name}")
    write_scores(context.path("scores"), rows)


def _score(case: Case, prediction: Path, labels: LabelMap) -> list[dict[str, object]]:
    try:
        truth = labels.to_classes(read_volume(case.mask).data)
        return score_case(truth, labels.to_classes(read_volume(prediction).data), labels)
    except UserError as error:
        raise UserError(f"{case.id}: {error} (mask {case.mask}, prediction {prediction})") from error


if __name__ == "__main__":
    run("evaluate", __doc__, work, inputs=["cases", "folds", "predictions"], outputs=["scores"])
