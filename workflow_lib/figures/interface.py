"""What a member of this family is: one file that says what a figure shows and where it stands on the page, and draws it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import pandas as pd

from workflow_lib.base.frames import read_frame
from workflow_lib.evaluation.imbalance import unit_of
from workflow_lib.evaluation.scores import read_scores
from workflow_lib.figures.slices import rarest_class
from workflow_lib.figures.style import colours_of
from workflow_lib.figures.text import told_apart
from workflow_lib.images.selection import Cases, read_cases
from workflow_lib.losses.registry import Node

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class Data:
    """What a figure is drawn from: the settings and the input files of its step. A file is read when a figure asks for it.

    `settings` are those of the steps `figures_dataset`, `figures_sweep` and `figures_losses`; `paths` holds their inputs by name:
    `cases` (cases.json), `table` (cases.csv), `scores`, `results` or `means` (statistics), `histories` and `predictions`.
    """

    settings: Mapping[str, Any]
    paths: Mapping[str, Sequence[Path]]

    @cached_property
    def labels(self) -> dict[str, str]:
        """Loss -> its label, in the order of the tables; labels that look the same are told apart."""
        return told_apart({entry["name"]: entry["label"] for entry in self.settings["losses"]})

    @cached_property
    def colours(self) -> dict[str, str]:
        """Loss -> its colour, the same in all figures."""
        return colours_of(self.settings["colours"])

    @property
    def seed(self) -> int:
        """The seed of what is drawn at random."""
        return int(self.settings["seed"])

    @cached_property
    def study(self) -> Cases:
        """The cases that the study uses."""
        return read_cases(self.paths["cases"][0])

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of the classes, background first."""
        return self.study.labels.names

    @cached_property
    def cases(self) -> pd.DataFrame:
        """The table of all cases, cases.csv."""
        return read_frame(self.paths["table"][0])

    @cached_property
    def unit(self) -> str:
        """What the images are made of: voxels or pixels."""
        return unit_of(self.cases)

    @cached_property
    def target(self) -> str:
        """The class with the fewest voxels over all cases."""
        return rarest_class({name: float(self.cases[f"voxels_{name}"].sum()) for name in self.classes[1:]})

    @property
    def target_index(self) -> int:
        """The index of that class."""
        return self.classes.index(self.target)

    @cached_property
    def scores(self) -> pd.DataFrame:
        """The scores of every case."""
        return read_scores(self.paths["scores"][0])

    def statistics(self, name: str) -> pd.DataFrame:
        """Return a table of the statistics."""
        files = {path.stem: path for group in ("results", "means") for path in self.paths.get(group, ())}
        return read_frame(files[name])

    @cached_property
    def histories(self) -> dict[str, dict[int, pd.DataFrame]]:
        """Loss -> fold -> the history of its training."""
        found: dict[str, dict[int, pd.DataFrame]] = {}
        for path in self.paths["histories"]:
            fold = int(path.parent.name.removeprefix("fold_"))
            found.setdefault(path.parent.parent.name, {})[fold] = read_frame(path)
        return found

    @cached_property
    def nodes(self) -> list[Node]:
        """The places of the losses in the tree of the losses, for the figures of the losses."""
        return [Node(**{**node, "built_from": tuple(node["built_from"])}) for node in self.settings["losses"]]


@dataclass(frozen=True)
class Drawn:
    """A figure, and what the JSON file beside it says: `caption`, `alt` (both go before the member's own), and what is shown."""

    figure: Figure
    text: Mapping[str, Any] | None = None


class Member(Protocol):
    """What a module of the family holds. All but the function are literals, because they are read without importing the module.

    `NAME` is the file's name, here and of the results. `OF` says what the figure is of: "dataset", "sweep" (a dataset whose
    losses sweep a parameter) or "losses". `ORDER` is its place among the others. `CAPTION` and `ALT` (for those who cannot see
    it) may hold {label} and {classes} of the dataset, and {unit} (voxels or pixels). These may be absent: `PLACE` on the page
    ("first" for the figure that has a number of the paper's, "gallery", "data" for the section on the images; else
    "supplement"), `WIDE` (False for a narrow figure), `IMAGES` (True where it needs images, masks or predictions), `TEXT` (True
    where a JSON file stands beside it), `LOSSES` (losses of the registry whose values it shows).
    """

    NAME: str
    OF: str
    ORDER: int
    CAPTION: str
    ALT: str

    def draw(self, data: Data) -> Drawn:
        """Return the figure, with a text where the member says `TEXT`."""
