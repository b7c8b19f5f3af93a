"""Draw the figures of a dataset: segmentations, distributions, balance, training curves, imbalance, ranking."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from workflow_lib.casefiles import DIVERGED, prediction_name, read_field_of_view, read_image, read_mask, read_prediction
from workflow_lib.cases import Case
from workflow_lib.errors import UserError
from workflow_lib.evaluation.frames import read_frame
from workflow_lib.evaluation.imbalance import unit_of
from workflow_lib.evaluation.scores import read_scores
from workflow_lib.figures import (
    distributions,
    error_maps,
    imbalance,
    ranking,
    recall_precision,
    segmentations,
    style,
    training_curves,
)
from workflow_lib.files import write_json
from workflow_lib.steps._command import Context, run, say
from workflow_lib.steps._study import Cases, read_cases

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def work(context: Context) -> None:
    """Write every figure as SVG and PNG, and `choice`: which case and slice the segmentations show, and the caption."""
    settings = context.settings
    study = read_cases(context.path("cases"))
    labels = {entry["name"]: entry["label"] for entry in settings["losses"]}
    all_colours = style.loss_colours(settings["colours"])
    colours = {name: all_colours[name] for name in labels}
    statistics = {path.stem: read_frame(path) for path in context.paths["results"]}
    scores = read_scores(context.path("scores"))
    table = read_frame(context.path("table"))
    names, seed = study.labels.names, settings["seed"]
    figures: dict[str, Callable[[], Figure]] = {
        "segmentations": lambda: _segmentations(context, study, scores, table, labels),
        "distributions": lambda: distributions.draw(scores, names[1:], labels, colours, seed),
        "recall_precision": lambda: recall_precision.draw(statistics["means"], names[1:], labels, colours),
        "training_curves": lambda: training_curves.draw(_histories(context.paths["histories"]), labels, colours),
        "imbalance": lambda: imbalance.draw(table, names, seed, unit_of(table)),
        "ranking": lambda: ranking.draw(statistics["ranking"], names[1:], labels),
    }
    folder = context.path("choice").parent
    for name, draw in figures.items():
        style.save(draw(), folder / f"{name}_{settings['dataset']}")
        say(name)


def _segmentations(
    context: Context, study: Cases, scores: pd.DataFrame, table: pd.DataFrame, labels: Mapping[str, str]
) -> "Figure":
    settings, names = context.settings, study.labels.names
    voxels = {name: float(table[f"voxels_{name}"].sum()) for name in names[1:]}
    target = segmentations.rarest_class(voxels)
    named = settings["figure_case"]
    if named is not None and named not in study.cases:
        raise UserError(f"datasets.{settings['dataset']}.figure_case: {named!r} is not among the included cases.")
    case = study.cases[named or segmentations.choose_case(scores, target)]
    image = read_image(case, study.reading)
    truth = study.labels.to_classes(read_mask(case, study.reading))
    predictions = {}
    for name, label in labels.items():
        file = _prediction(context.paths["predictions"], name, case)
        predictions[label] = None if file is None else study.labels.to_classes(read_prediction(file))
    index = names.index(target)
    if study.axes == 2:
        return _error_maps(context, case, image.data, truth, predictions, (target, index))
    view = segmentations.cut(image.data[..., 0], truth, predictions, image.orientation, image.spacing, index)
    caption = segmentations.caption(view, names, index, settings["label"], case.id, None if named else "median")
    choice: dict[str, Any] = {"case": case.id, "slice": view.index + 1, "of": view.slices, "class": target, "caption": caption}
    write_json(context.path("choice"), choice)
    return segmentations.draw(view, study.labels.n_classes, index, segmentations.CT_WINDOW if settings["ct"] else None)


def _error_maps(
    context: Context,
    case: Case,
    image: np.ndarray,
    truth: np.ndarray,
    predictions: Mapping[str, np.ndarray | None],
    target: tuple[str, int],
) -> "Figure":
    """Draw pictures with the errors of every loss; `target` is the class shown, by name and index."""
    settings = context.settings
    view = read_field_of_view(case) if settings["field_of_view"] else None
    rank: segmentations.Rank | None = None if settings["figure_case"] else "median"
    text = error_maps.caption(list(predictions), target[0], settings["label"], case.id, rank, view is not None)
    write_json(context.path("choice"), {"case": case.id, "class": target[0], "caption": text})
    return error_maps.draw(image, truth, predictions, target[1], view)


def _prediction(folders: list[Path], loss: str, case: Case) -> Path | None:
    """Return the prediction of a case by a loss, None where the training diverged; the folders are named <loss>/fold_<k>."""
    own = [folder for folder in folders if folder.parent.name == loss]
    for folder in own:
        path = folder / prediction_name(case)
        if path.is_file():
            return path
    if any((folder / DIVERGED).is_file() for folder in own):
        return None
    raise UserError(f"There is no prediction of {case.id} by {loss}. Delete the folder of its fold and run the prediction again.")


def _histories(paths: list[Path]) -> dict[str, dict[int, pd.DataFrame]]:
    """Read <loss>/fold_<k>/history.csv."""
    histories: dict[str, dict[int, pd.DataFrame]] = {}
    for path in paths:
        fold = int(path.parent.name.removeprefix("fold_"))
        histories.setdefault(path.parent.parent.name, {})[fold] = read_frame(path)
    return histories


if __name__ == "__main__":
    run(
        "figures_dataset",
        __doc__,
        work,
        inputs=["cases", "table", "scores", "results+", "histories+", "predictions+"],
        outputs=["figures+", "choice"],
    )
