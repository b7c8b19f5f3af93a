"""What a member of this family is: one file that says what a figure shows and its place on the page, and draws it.

Nothing here reads a file (`data` does), so that a member reaches only its own code and what it imports.
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
    """What a figure of a dataset or of a sweep is drawn from."""

    @property
    def settings(self) -> Mapping[str, Any]:
        """The settings of the step."""

    @property
    def paths(self) -> Mapping[str, Sequence[Path]]:
        """The input files of the step by their names."""

    @property
    def labels(self) -> dict[str, str]:
        """Loss -> its label, in the order of the tables."""

    @property
    def colours(self) -> dict[str, str]:
        """Loss -> its colour, the same in all figures."""

    @property
    def seed(self) -> int:
        """The seed of what is drawn at random."""

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
        """What the images are made of: voxels or pixels."""

    @property
    def target(self) -> str:
        """The class with the fewest voxels over all cases."""

    @property
    def target_index(self) -> int:
        """The index of that class."""

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
    """What a figure of the losses is drawn from: the settings of the step `figures_losses`.

    They hold `losses` (the places of the losses in their tree), `trained` (names of those that the study trains), and `curves`.
    """

    settings: Mapping[str, Any]


@dataclass(frozen=True)
class Drawn:
    """A figure, and what the JSON file beside it says: `caption`, `alt` (both go before the member's own), and what is shown."""

    figure: Figure
    text: Mapping[str, Any] | None = None


class Member(Protocol):
    """What a module of the family holds. All but the function are literals, because they are read without importing the module.

    `NAME` is the file's name, here and of the results. `OF` says what the figure describes: "dataset", "sweep" (a dataset whose
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

    def draw(self, data: Any) -> Drawn:
        """Return the figure, with a text where the member says `TEXT`; `data` is `Data`, or `LossesData` of the losses."""
