"""The registry of figures, which are found by the names of their files."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, cast

from workflow_lib.base.families import Family

if TYPE_CHECKING:
    from collections.abc import Sequence

    from workflow_lib.figures.interface import Data, LossesData, Member

FAMILY = Family(
    "figures", "figure", frozenset({"data", "style", "looks", "text", "slices", "error_maps", "gallery", "loss_plots"})
)

STEPS = {"losses": "figures_losses", "dataset": "figures_dataset", "sweep": "figures_sweep"}
"""Subject of a figure -> the step that draws it."""


@dataclass(frozen=True)
class Figure:
    """The attributes of a figure on the page; see `interface.Member`."""

    name: str
    of: str
    place: str
    wide: bool
    caption: str
    alt: str

    @property
    def step(self) -> str:
        """The step that draws the figure."""
        return STEPS[self.of]

    def texts(self, label: str = "", classes: str = "", unit: str = "voxels") -> tuple[str, str]:
        """Return caption and alternative text; `label` is the label of the dataset, if there is one."""
        words = {"label": label, "classes": classes, "unit": unit}
        return self.caption.format_map(words), self.alt.format_map(words)


def of_dataset() -> tuple[str, ...]:
    """Return the names of the figures of a dataset in the order of the page; files are `<name>_<dataset>`."""
    return _of("dataset")


def of_sweep() -> tuple[str, ...]:
    """Return the names of the figures of a dataset with a sweep; the files are `<name>_<dataset>`."""
    return _of("sweep")


def of_losses() -> tuple[str, ...]:
    """Return the names of the figures of the losses, which are independent of datasets; files are `<name>`."""
    return _of("losses")


def with_text(names: Sequence[str]) -> tuple[str, ...]:
    """Return the names of those figures that have a JSON file."""
    return tuple(name for name in names if FAMILY.facts(name).get("TEXT", False))


def with_images(names: Sequence[str], needed: bool = True) -> tuple[str, ...]:
    """Return the names of the figures that need images, masks or predictions, or of the others.

    `needed` False selects the others.
    """
    return tuple(name for name in names if bool(FAMILY.facts(name).get("IMAGES", False)) is needed)


def losses_shown() -> tuple[str, ...]:
    """Return the losses whose values are shown in figures, which therefore depend on their code."""
    return tuple(dict.fromkeys(loss for name in of_losses() for loss in FAMILY.facts(name).get("LOSSES", ())))


def described(*of: str) -> list[Figure]:
    """Return the figures with the given subjects ("losses", "dataset", "sweep") in the order of the page."""
    return [describe(name) for name in FAMILY.ordered() if FAMILY.facts(name)["OF"] in of]


def describe(name: str) -> Figure:
    """Return the attributes of a figure on the page."""
    own = FAMILY.facts(name)
    return Figure(name, own["OF"], own.get("PLACE", "supplement"), own.get("WIDE", True), own["CAPTION"], own["ALT"])


def draw(name: str, data: Data | LossesData, path: Path) -> None:
    """Draw a figure and write `<path>.svg`, `<path>.png` and, if the member has `TEXT`, `<path>.json`."""
    from workflow_lib.base.files import write_json
    from workflow_lib.figures import style

    drawn = cast("Member", FAMILY.get(name)).draw(data)
    if (drawn.text is not None) is not bool(with_text([name])):
        raise ValueError(f"figures/{name}.py: draw() returns a text exactly where TEXT = True")
    style.save(drawn.figure, path)
    if drawn.text is not None:
        write_json(path.with_name(f"{path.name}.json"), dict(drawn.text))


def _of(kind: str) -> tuple[str, ...]:
    return tuple(name for name in FAMILY.ordered() if FAMILY.facts(name)["OF"] == kind)
