"""Fig. 3 and 4: one slice of one case, with the ground truth and the prediction of every loss.

For 2-D images, the error maps are shown. Case and slice are selected by the rule in `slices`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from workflow_lib.base.errors import UserError
from workflow_lib.figures import _shown, error_maps
from workflow_lib.figures.interface import Data, Drawn
from workflow_lib.figures.slices import COLOUR_NAMES, WIDTH, Rank, SliceView, class_colour, grey, letter, region_box
from workflow_lib.figures.style import MM_PER_INCH, new_figure
from workflow_lib.figures.text import wrapped

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

NAME = "segmentations"
OF = "dataset"
ORDER = 10
PLACE = "first"
IMAGES = True
TEXT = True
CAPTION = (
    "Segmentations of {label}: ground truth and every loss. Selection rule: the case of median DSC of the rarest class, "
    "averaged over the losses, and in it the slice with the largest reference area of that class."
)
ALT = "Slice of one case of {label} with the segmentation by the ground truth and by each loss."

OVERLAY = 0.30
FRAME = "#FFE100"


def draw(data: Data) -> Drawn:
    """Return the figure of the case with median DSC, or of the case in the configuration, and its description."""
    named = data.settings["figure_case"]
    if named is not None and named not in data.study.cases:
        raise UserError(f"datasets.{data.settings['dataset']}.figure_case: {named!r} is not among the included cases.")
    chosen = named or _shown.choose(data, "median")
    if chosen is None:
        return _shown.nothing(data)
    rank: Rank | None = None if named else "median"
    shown, names, label = _shown.read(data, chosen), data.classes, data.settings["label"]
    if data.study.axes == 2:
        text = error_maps.caption(list(shown.predictions), data.target, label, chosen, rank, shown.view is not None)
        figure = error_maps.draw(shown.image.data, shown.truth, shown.predictions, data.target_index, shown.view)
        return Drawn(figure, {"case": chosen, "class": data.target, "caption": text})
    view = _shown.cut(data, shown)
    text = caption(view, names, data.target_index, label, chosen, rank)
    figure = plot(view, len(names), data.target_index, _shown.window(data))
    return Drawn(figure, {"case": chosen, "slice": view.index + 1, "of": view.slices, "class": data.target, "caption": text})


def plot(view: SliceView, n_classes: int, target: int, window: tuple[float, float] | None = None) -> Figure:
    """Return the figure: the ground truth and the losses in their order, in up to four columns.

    The magnified region is in an inset (Fig. 3) or below each panel (Fig. 4), see `magnified_below`. `target`
    is the index of the class of the magnified region. `window` is the range of displayed grey values
    (default: 1st to 99th percentile).
    """
    panels: list[tuple[str, np.ndarray | None]] = [("Ground truth", view.truth), *view.predictions.items()]
    names = [wrapped(label, 28, 2) for label, _ in panels]
    below = magnified_below(view, n_classes, target)
    rows = math.ceil(len(panels) / 4)
    columns = math.ceil(len(panels) / rows)
    side = WIDTH / max(columns, 3)
    tall = view.image.shape[0] * view.aspect / view.image.shape[1] * side
    band = 0.34 if any("\n" in name for name in names) else 0.22
    cell = tall + band + (side if below else 0.0)
    width, height = side * columns, cell * rows
    figure = new_figure(width * MM_PER_INCH, height * MM_PER_INCH, layout=None)
    scaled = grey(view.image, window)
    box = region_box(view.truth, target, view.aspect)
    gap = 0.03

    def place(column: int, top: float, size: float) -> tuple[float, float, float, float]:
        """Return the axes rectangle (figure fractions) of a panel.

        `top` is the distance in inches from the upper edge of the figure to that of the panel.
        """
        return (
            (column * side + gap) / width,
            (height - top - size + gap) / height,
            (side - 2 * gap) / width,
            (size - 2 * gap) / height,
        )

    for number, (name, (_, classes)) in enumerate(zip(names, panels, strict=True)):
        row, column = divmod(number, columns)
        axes = figure.add_axes(place(column, row * cell, tall))
        _panel(axes, scaled, classes, view.aspect, n_classes, box)
        _name(axes, number)
        if below:
            inset = figure.add_axes(place(column, row * cell + tall, side))
        else:
            inset = axes.inset_axes(_corner(view, box, tall / side))
        _magnified(inset, scaled, classes, view.aspect, n_classes, box)
        inset.set_visible(below or classes is not None)
        (inset if below else axes).set_xlabel(name, fontsize=8, labelpad=3)
    return figure


def magnified_below(view: SliceView, n_classes: int, target: int) -> bool:
    """Return whether the magnified region is below each panel.

    This is the case with one foreground class and one row of panels (Fig. 4), and if the region is so large
    that an inset would not magnify it.
    """
    _, _, side, _ = region_box(view.truth, target, view.aspect)
    shorter = min(view.image.shape[0] * view.aspect, view.image.shape[1])
    return (n_classes == 2 and len(view.predictions) <= 3) or side > 0.3 * shorter


def _panel(
    axes: Axes, scaled: np.ndarray, classes: np.ndarray | None, aspect: float, n_classes: int, box: Sequence[float]
) -> None:
    from matplotlib.patches import Rectangle

    _bare(axes)
    if classes is None:
        axes.imshow(np.zeros((*scaled.shape, 3)), aspect=aspect)
        axes.text(0.5, 0.5, "no prediction", color="white", ha="center", va="center", transform=axes.transAxes, fontsize=8)
        return
    axes.imshow(_overlaid(scaled, classes, n_classes), aspect=aspect, interpolation="nearest")
    axes.add_patch(Rectangle((box[0], box[1]), box[2], box[3], fill=False, edgecolor=FRAME, linewidth=0.9))


def _magnified(
    axes: Axes, scaled: np.ndarray, classes: np.ndarray | None, aspect: float, n_classes: int, box: Sequence[float]
) -> None:
    """Draw the region of `box` with the contours of every class and a yellow frame."""
    _bare(axes, FRAME)
    if classes is None:
        axes.set_facecolor("black")
        return
    axes.imshow(scaled, cmap="gray", vmin=0, vmax=1, aspect=aspect, interpolation="nearest")
    for index in range(1, n_classes):
        mask = np.pad((classes == index).astype(float), 1)
        if mask.any():
            extent = np.arange(-1, mask.shape[1] - 1), np.arange(-1, mask.shape[0] - 1)
            axes.contour(*extent, mask, levels=[0.5], colors=[class_colour(index)], linewidths=1.1)
    axes.set_xlim(box[0], box[0] + box[2])
    axes.set_ylim(box[1] + box[3], box[1])


def _overlaid(scaled: np.ndarray, classes: np.ndarray, n_classes: int) -> np.ndarray:
    from matplotlib.colors import to_rgb

    rgb: np.ndarray = np.repeat(scaled[..., None], 3, axis=-1)
    for index in range(1, n_classes):
        inside = classes == index
        rgb[inside] = (1 - OVERLAY) * rgb[inside] + OVERLAY * np.array(to_rgb(class_colour(index)))
    return rgb


def _corner(view: SliceView, box: Sequence[float], shape: float) -> tuple[float, float, float, float]:
    """Return the rectangle of the inset (axes fractions), in the corner that covers least of the region.

    With equal cover, the top right corner is preferred.
    """
    size = 0.42
    width, height = (size, size / shape) if shape >= 1 else (size * shape, size)
    left, bottom = (box[0] + 0.5) / view.image.shape[1], 1 - (box[1] + 0.5 + box[3]) / view.image.shape[0]
    right, top = left + box[2] / view.image.shape[1], bottom + box[3] / view.image.shape[0]

    def covered(place: tuple[float, float]) -> float:
        x = max(0.0, min(place[0] + width, right) - max(place[0], left))
        y = max(0.0, min(place[1] + height, top) - max(place[1], bottom))
        return round(float(x * y), 3)

    # The top left corner contains the letter of the panel.
    places = [(1 - width, 1 - height), (1 - width, 0.0), (0.0, 0.0)]
    return (*min(places, key=covered), width, height)


def _name(axes: Axes, number: int) -> None:
    from matplotlib.patheffects import withStroke

    axes.text(
        0.03, 0.97, f"{letter(number)})", color="white", style="italic", fontsize=11, ha="left", va="top",
        transform=axes.transAxes, path_effects=[withStroke(linewidth=1.5, foreground="black")],
    )  # fmt: skip


def _bare(axes: Axes, frame: str | None = None) -> None:
    axes.set_xticks([])
    axes.set_yticks([])
    for spine in axes.spines.values():
        spine.set_visible(frame is not None)
        spine.set_edgecolor(frame or "none")
        spine.set_linewidth(1.4)


def caption(view: SliceView, names: Sequence[str], target: int, dataset: str, case: str, rank: Rank | None = "median") -> str:
    """Return the caption with the selection rule of case and slice.

    `names` are the class names, background first. `rank` None means that the configuration names the case.
    """
    labels = ", ".join(f"{letter(i)}) {label}" for i, label in enumerate(["ground truth", *view.predictions]))
    colours = ", ".join(f"{name} {COLOUR_NAMES[(i - 1) % len(COLOUR_NAMES)]}" for i, name in enumerate(names) if i > 0)
    volume = view.slices > 1
    where = f"{case}, axial slice {view.index + 1} of {view.slices}" if volume else case
    place = "below" if magnified_below(view, len(names), target) else "in the inset"
    chosen = "the case named in the configuration"
    if rank is not None:
        chosen = f"the case of {rank} {names[target]} DSC, averaged over the losses"
    largest = f", and in it the slice with the largest reference area of {names[target]}" if volume else ""
    return (
        f"Segmentations of {dataset} ({where}): {labels}. Overlay at 30 %: {colours}. "
        f"The yellow box marks the region that is magnified {place}, with contours only. Selection rule: {chosen}{largest}."
    )
