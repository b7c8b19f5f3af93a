"""The case that a figure of segmentations shows: which one it is, and its files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from workflow_lib.base.errors import UserError
from workflow_lib.figures import gallery, slices
from workflow_lib.figures.interface import Data, Drawn
from workflow_lib.images import inspected
from workflow_lib.images.casefiles import (
    DIVERGED,
    Image,
    prediction_name,
    read_prediction,
)
from workflow_lib.images.cases import Case


@dataclass(frozen=True)
class Shown:
    """A case with everything that a figure of it shows; `predictions` by the label of the loss, None where there is none."""

    case: Case
    image: Image
    truth: np.ndarray
    predictions: Mapping[str, np.ndarray | None]
    view: np.ndarray | None


def choose(data: Data, rank: slices.Rank) -> str | None:
    """Return the case of that rank by the DSC of the rarest class, None where no case has one."""
    rows = data.scores[(data.scores["class"] == data.target) & data.scores["dsc"].notna()]
    return None if rows.empty else slices.choose_case(data.scores, data.target, rank)


def nothing(data: Data) -> Drawn:
    """Return a figure that says that there is no segmentation to show."""
    text = "No case has a score by any loss, so there is no segmentation to show."
    return Drawn(gallery.empty(text), {"case": None, "class": data.target, "caption": text})


def scores_of(data: Data, case: str) -> dict[str, float]:
    """Return the DSC of the rarest class in a case by the label of the loss."""
    rows = data.scores[(data.scores["case"] == case) & (data.scores["class"] == data.target)]
    return {data.labels[loss]: float(dsc) for loss, dsc in zip(rows["loss"], rows["dsc"], strict=True) if loss in data.labels}


def window(data: Data) -> tuple[float, float] | None:
    """Return the grey values that are shown, None for those of the image itself."""
    return slices.CT_WINDOW if data.settings["ct"] else None


def cut(data: Data, shown: Shown) -> slices.SliceView:
    """Return the slice of a volume that is shown."""
    image = shown.image
    return slices.cut(image.data[..., 0], shown.truth, shown.predictions, image.orientation, image.spacing, data.target_index)


def read(data: Data, name: str) -> Shown:
    """Return a case with everything that a figure of it shows. Raises UserError that names it where its files have changed."""
    case, labels = data.study.cases[name], data.study.labels
    files = {label: _prediction(data, loss, case) for loss, label in data.labels.items()}
    reading = data.study.reading
    predictions = {
        label: None if file is None else labels.to_classes(read_prediction(file, reading)) for label, file in files.items()
    }
    try:
        view = inspected.field_of_view(data.study, name) if data.settings["field_of_view"] else None
        truth = labels.to_classes(inspected.mask(data.study, name))
        return Shown(case, inspected.image(data.study, name), truth, predictions, view)
    except UserError as error:
        raise UserError(f"{name}: {error}") from error


def _prediction(data: Data, loss: str, case: Case) -> Path | None:
    """Return the prediction of a case by a loss, None where the training diverged."""
    own = [folder for folder in data.paths["predictions"] if folder.parent.name == loss]
    for folder in own:
        path = folder / prediction_name(case)
        if path.is_file():
            return path
    if any((folder / DIVERGED).is_file() for folder in own):
        return None
    raise UserError(f"There is no prediction of {case.id} by {loss}. Delete the folder of its fold and run the prediction again.")
