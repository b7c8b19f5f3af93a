"""The interface of this family: each file defines a figure, its place on the page and its drawing function.

This module does not read files (`data` does), so that the code in a member's fingerprint is only its own code
and its imports.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import pandas as pd

from workflow_lib.images.selection import Cases

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class Data(Protocol):
    """The data of a figure of a dataset or a sweep."""

    @property
    def settings(self) -> Mapping[str, Any]:
        """The settings of the step."""

    @property
    def paths(self) -> Mapping[str, Sequence[Path]]:
        """The input files of the step by name."""

    @property
    def labels(self) -> dict[str, str]:
        """Loss -> label, in the order of the tables."""

    @property
    def colours(self) -> dict[str, str]:
        """Loss -> colour, the same in all figures."""

    @property
    def seed(self) -> int:
        """The seed of the random draws."""

    @property
    def study(self) -> Cases:
        """The cases that the study uses."""

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of the classes, background first."""

    @property
    def cases(self) -> pd.DataFrame:
        """The table of all cases, cases.csv."""

    @property
    def unit(self) -> str:
        """The name of an image element: voxels or pixels."""

    @property
    def target(self) -> str:
        """The class with the fewest voxels over all cases."""

    @property
    def target_index(self) -> int:
        """The index of the class `target`."""

    @property
    def scores(self) -> pd.DataFrame:
        """The scores of every case."""

    @property
    def histories(self) -> dict[str, dict[int, pd.DataFrame]]:
        """Loss -> fold -> the history of its training."""

    def statistics(self, name: str) -> pd.DataFrame:
        """Return a table of the statistics."""


@dataclass(frozen=True)
class LossesData:
    """The data of a figure of the losses: the settings of the step `figures_losses`.

    They contain `losses` (the nodes of the family tree), `trained` (names of the losses that the study trains),
    and `curves`.
    """

    settings: Mapping[str, Any]


@dataclass(frozen=True)
class Drawn:
    """A figure, and the content of its JSON file.

    The content is `caption` and `alt`, which replace those of the member, and facts about the figure.
    """

    figure: Figure
    text: Mapping[str, Any] | None = None


class Member(Protocol):
    """The attributes of a module of the family.

    All except the function are literals, because they are read without importing the module. `NAME` is the
    name of the file here and in the results. `OF` is the subject of the figure: "dataset", "sweep" (a
    dataset with losses that sweep a parameter) or "losses". `ORDER` is its position. `CAPTION` and `ALT` (the
    alternative text) can contain {label} and {classes} of the dataset, and {unit} (voxels or pixels).
    Optional: `PLACE` on the page ("first" for a figure with a figure number of the paper, "gallery", "data"
    for the section on the images; default "supplement"), `WIDE` (False for a narrow figure), `IMAGES` (True if
    the figure needs images, masks or predictions), `TEXT` (True if it has a JSON file), and `LOSSES` (losses
    of the registry whose values it shows).
    """

    NAME: str
    OF: str
    ORDER: int
    CAPTION: str
    ALT: str

    def draw(self, data: Any) -> Drawn:
        """Return the figure, with a text if `TEXT` is True.

        `data` is `Data`, or `LossesData` for a figure of the losses.
        """
