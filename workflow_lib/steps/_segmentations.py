"""The figures that show segmentations: which case, the files of it, and what is drawn."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from workflow_lib.base.errors import UserError
from workflow_lib.figures import error_maps, gallery, segmentations
from workflow_lib.figures.text import told_apart
from workflow_lib.images.casefiles import (
    DIVERGED,
    Image,
    prediction_name,
    read_field_of_view,
    read_image,
    read_mask,
    read_prediction,
)
from workflow_lib.images.cases import Case
from workflow_lib.steps._study import Cases

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class Shown:
    """A case with everything that a figure of it shows; `predictions` by the label of the loss, None where there is none."""

    case: Case
    image: Image
    truth: np.ndarray
    predictions: Mapping[str, np.ndarray | None]
    view: np.ndarray | None


class Segmentations:
    """Draws cases of one dataset; the class that is looked at is the rarest one."""

    def __init__(
        self,
        settings: Mapping[str, Any],
        study: Cases,
        scores: pd.DataFrame,
        voxels: Mapping[str, float],
        folders: list[Path],
    ) -> None:
        """Take the settings of the step, the scores, the voxels per class, and the folders <loss>/fold_<k> of the predictions."""
        self.settings, self.study, self.scores, self.folders = settings, study, scores, folders
        self.labels = told_apart({entry["name"]: entry["label"] for entry in settings["losses"]})
        self.target = segmentations.rarest_class(voxels)
        self.index = study.labels.names.index(self.target)
        self.window = segmentations.CT_WINDOW if settings["ct"] else None

    def main(self) -> tuple["Figure", dict[str, Any]]:
        """Return Figure 3 or 4, of the case of median DSC or the one that the study names, and what it shows."""
        named = self.settings["figure_case"]
        if named is not None and named not in self.study.cases:
            raise UserError(f"datasets.{self.settings['dataset']}.figure_case: {named!r} is not among the included cases.")
        chosen = named or self._choose("median")
        if chosen is None:
            return self._nothing()
        rank: segmentations.Rank | None = None if named else "median"
        shown, names, label = self._read(chosen), self.study.labels.names, self.settings["label"]
        if self.study.axes == 2:
            text = error_maps.caption(list(shown.predictions), self.target, label, chosen, rank, shown.view is not None)
            figure = error_maps.draw(shown.image.data, shown.truth, shown.predictions, self.index, shown.view)
            return figure, {"case": chosen, "class": self.target, "caption": text}
        view = self._slice(shown)
        text = segmentations.caption(view, names, self.index, label, chosen, rank)
        choice = {"case": chosen, "slice": view.index + 1, "of": view.slices, "class": self.target, "caption": text}
        return segmentations.draw(view, len(names), self.index, self.window), choice

    def ranked(self, rank: segmentations.Rank) -> tuple["Figure", dict[str, Any]]:
        """Return the gallery's figure of the worst, the median or the best case, and what it shows."""
        chosen = self._choose(rank)
        if chosen is None:
            return self._nothing()
        shown, names = self._read(chosen), self.study.labels.names
        scores = self._scores_of(chosen)
        if self.study.axes == 2:
            label, limited = self.settings["label"], shown.view is not None
            text = error_maps.caption(list(shown.predictions), self.target, label, chosen, rank, limited)
            figure = error_maps.draw(shown.image.data, shown.truth, shown.predictions, self.index, shown.view, scores)
            return figure, {"case": chosen, "class": self.target, "caption": text}
        view = self._slice(shown)
        text = gallery.caption(view, names, self.index, chosen, rank)
        choice = {"case": chosen, "slice": view.index + 1, "of": view.slices, "class": self.target, "caption": text}
        return gallery.draw(view, len(names), self.index, scores, self.window), choice

    def _nothing(self) -> tuple["Figure", dict[str, Any]]:
        text = "No case has a score by any loss, so there is no segmentation to show."
        return gallery.empty(text), {"case": None, "class": self.target, "caption": text}

    def _choose(self, rank: segmentations.Rank) -> str | None:
        rows = self.scores[(self.scores["class"] == self.target) & self.scores["dsc"].notna()]
        return None if rows.empty else segmentations.choose_case(self.scores, self.target, rank)

    def _scores_of(self, case: str) -> dict[str, float]:
        rows = self.scores[(self.scores["case"] == case) & (self.scores["class"] == self.target)]
        return {self.labels[loss]: float(dsc) for loss, dsc in zip(rows["loss"], rows["dsc"], strict=True) if loss in self.labels}

    def _slice(self, shown: Shown) -> segmentations.SliceView:
        image = shown.image
        return segmentations.cut(image.data[..., 0], shown.truth, shown.predictions, image.orientation, image.spacing, self.index)

    def _read(self, name: str) -> Shown:
        case, labels = self.study.cases[name], self.study.labels
        files = {label: self._prediction(loss, case) for loss, label in self.labels.items()}
        predictions = {label: None if file is None else labels.to_classes(read_prediction(file)) for label, file in files.items()}
        view = read_field_of_view(case) if self.settings["field_of_view"] else None
        truth = labels.to_classes(read_mask(case, self.study.reading))
        return Shown(case, read_image(case, self.study.reading), truth, predictions, view)

    def _prediction(self, loss: str, case: Case) -> Path | None:
        """Return the prediction of a case by a loss, None where the training diverged."""
        own = [folder for folder in self.folders if folder.parent.name == loss]
        for folder in own:
            path = folder / prediction_name(case)
            if path.is_file():
                return path
        if any((folder / DIVERGED).is_file() for folder in own):
            return None
        raise UserError(
            f"There is no prediction of {case.id} by {loss}. Delete the folder of its fold and run the prediction again."
        )
