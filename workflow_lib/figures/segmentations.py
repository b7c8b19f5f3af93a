"""Fig. 3 and 4: one slice of one case, the ground truth beside the prediction of every loss.

Which case and slice are shown follows a stated rule, never a choice by eye: the case whose DSC of the rarest class, averaged
over the losses, is the median (or the best or the worst), and there the slice with the largest reference area of that class.
"""

from __future__ import annotations

import math
import string
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
import pandas as pd

from workflow_lib.base.errors import UserError
from workflow_lib.figures.style import MM_PER_INCH, new_figure
from workflow_lib.figures.text import wrapped

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

CT_WINDOW = (-160.0, 240.0)
"""Grey values of a CT, in HU: the soft-tissue window (level 40, width 400)."""

OVERLAY = 0.30
FRAME = "#FFE100"
WIDTH = 7.1  # inches, the text width
CLASS_COLOURS = ("#FF2A2A", "#2F6BFF", "#00C08B", "#E69F00", "#CC79A7", "#56B4E9", "#F0E442", "#FFFFFF")
"""Colours of the foreground classes in their order; the first two are the paper's red and blue."""
COLOUR_NAMES = ("red", "blue", "green", "orange", "purple", "light blue", "yellow", "white")

Rank = Literal["median", "best", "worst"]


@dataclass(frozen=True)
class SliceView:
    """One slice as it is displayed: rows from anterior to posterior, columns from the patient's right to the left.

    `image` is float (rows, columns) in the unit of the file, `truth` and every prediction uint8 class indices of the same
    shape; a prediction that does not exist is None. `aspect` is the height of a pixel divided by its width.
    """

    image: np.ndarray
    truth: np.ndarray
    predictions: Mapping[str, np.ndarray | None]
    aspect: float
    index: int
    slices: int


def rarest_class(voxels: Mapping[str, float]) -> str:
    """Return the class with the fewest voxels above zero; `voxels` holds the foreground classes (pooled over the cases)."""
    present = {name: count for name, count in voxels.items() if count > 0}
    if not present:
        raise UserError("No case contains a voxel of any class, so there is no segmentation to show. Check the masks.")
    return min(present, key=lambda name: present[name])


def choose_case(scores: pd.DataFrame, target: str, rank: Rank = "median") -> str:
    """Return the case of median, best or worst DSC of the class `target`, averaged over the losses.

    `scores` has the columns of scores/<dataset>.csv. Only cases scored by every loss that scored any take part; ties go to
    the first name; of an even number of cases the lower of the two middle ones is the median.
    Raises UserError when no case has a defined DSC.
    """
    rows = scores[(scores["class"] == target) & scores["dsc"].notna()]
    if rows.empty:
        raise UserError(f"No case has a DSC of {target!r}, so no case can be chosen for the figure. Check scores/*.csv.")
    per_case = rows.groupby("case")["dsc"].agg(["mean", "count"])
    complete = per_case[per_case["count"] == per_case["count"].max()]
    # Rounding makes the order independent of the order in which the losses were averaged.
    ordered = sorted((round(float(value), 12), str(case)) for case, value in complete["mean"].items())
    position = {"worst": 0, "median": (len(ordered) - 1) // 2, "best": len(ordered) - 1}[rank]
    return ordered[position][1]


def axial_axis(orientation: Sequence[str]) -> int:
    """Return the file axis along which axial slices are stacked.

    `orientation` names where each axis points ("IPL": first axis towards inferior), as nibabel's axis codes do.
    """
    for axis, code in enumerate(orientation):
        if code in "IS":
            return axis
    raise UserError(f"The orientation {''.join(orientation)!r} has no axis from inferior to superior. Check the file's affine.")


def choose_slice(truth: np.ndarray, target: int, axis: int) -> int:
    """Return the index along `axis` of the slice with the most voxels of class `target`.

    The first of equals; without that class the slice with the most foreground, without any the middle one.
    """
    others = tuple(a for a in range(truth.ndim) if a != axis)
    for region in (truth == target, truth > 0):
        areas = np.count_nonzero(region, axis=others)
        if areas.max() > 0:
            return int(np.argmax(areas))
    return int(truth.shape[axis]) // 2


def display_plane(volume: np.ndarray, orientation: Sequence[str], index: int) -> np.ndarray:
    """Return one axial slice of a volume (three axes) with anterior up and the patient's left on the right."""
    axis = axial_axis(orientation)
    plane = np.take(volume, index, axis=axis)
    rows, columns = (code for a, code in enumerate(orientation) if a != axis)
    if rows in "LR":
        plane, rows, columns = plane.T, columns, rows
    if rows == "A":
        plane = plane[::-1]
    if columns == "R":
        plane = plane[:, ::-1]
    return np.ascontiguousarray(plane)


def cut(
    image: np.ndarray,
    truth: np.ndarray,
    predictions: Mapping[str, np.ndarray | None],
    orientation: Sequence[str],
    spacing: Sequence[float],
    target: int,
) -> SliceView:
    """Choose the slice by the rule and return it in display orientation.

    `image` and `truth` have the axes of the file (two or three); an image may have a last axis of channels, which is
    averaged. `spacing` is in mm per file axis. `predictions` maps the label of each loss to classes like `truth`, or None.
    """
    if image.ndim == truth.ndim + 1:
        image = image.mean(axis=-1)
    if truth.ndim == 2:
        return SliceView(np.asarray(image, float), truth, dict(predictions), float(spacing[0]) / float(spacing[1]), 0, 1)
    axis = axial_axis(orientation)
    index = choose_slice(truth, target, axis)
    sizes = {code: float(size) for code, size in zip(orientation, spacing, strict=True)}
    height = next(size for code, size in sizes.items() if code in "AP")
    width = next(size for code, size in sizes.items() if code in "LR")
    return SliceView(
        np.asarray(display_plane(image, orientation, index), float),
        display_plane(truth, orientation, index),
        {label: None if p is None else display_plane(p, orientation, index) for label, p in predictions.items()},
        height / width,
        index,
        truth.shape[axis],
    )


def grey(image: np.ndarray, window: tuple[float, float] | None) -> np.ndarray:
    """Scale an image to [0, 1]: by `window` (low, high), or between its 1st and 99th percentiles."""
    low, high = window if window is not None else (float(v) for v in np.percentile(image, (1, 99)))
    if high <= low:
        high = low + 1.0
    scaled: np.ndarray = np.clip((image - low) / (high - low), 0.0, 1.0)
    return scaled


def region_box(truth: np.ndarray, target: int, aspect: float) -> tuple[float, float, float, float]:
    """Return (left, top, width, height) in pixels of the box that is magnified, the same for all panels.

    It is square on the page, centred on the reference's `target` (else on all foreground) with a margin around it, and its
    side lies between a fifth of the picture's shorter side and all of it.
    """
    for region in (truth == target, truth > 0, np.ones_like(truth, bool)):
        if region.any():
            break
    rows, columns = np.nonzero(region)
    height, width = truth.shape[0] * aspect, float(truth.shape[1])
    side = 1.4 * max((rows.max() - rows.min() + 1) * aspect, columns.max() - columns.min() + 1)
    side = float(np.clip(side, 0.20 * min(height, width), min(height, width)))
    left = float(np.clip((columns.min() + columns.max()) / 2 - side / 2, -0.5, width - 0.5 - side))
    tall = side / aspect
    top = float(np.clip((rows.min() + rows.max()) / 2 - tall / 2, -0.5, truth.shape[0] - 0.5 - tall))
    return left, top, side, tall


def letter(index: int) -> str:
    """Return the letter of a panel: a, b, ..., z, aa, ab, ..."""
    letters = string.ascii_lowercase
    return letters[index] if index < 26 else letter(index // 26 - 1) + letters[index % 26]


def draw(view: SliceView, n_classes: int, target: int, window: tuple[float, float] | None = None) -> Figure:
    """Return the figure: ground truth first, then the losses in their order, in up to four columns.

    The magnified region stands in an inset (Fig. 3) or below each panel (Fig. 4), see `magnified_below`. `target` is the class
    index of the magnified region, `window` the grey values shown (default: 1st to 99th percentile).
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
        """Return the axes rectangle (figure fractions) of a panel whose upper edge lies `top` inches below the figure's."""
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
    """Say whether the magnified region stands below each panel.

    So it is with one foreground class and one row of panels (Fig. 4), and where the region is so large that an inset would
    not magnify it.
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
    """Return the inset's place (axes fractions): top right, unless it would cover more of the region than another corner."""
    size = 0.42
    width, height = (size, size / shape) if shape >= 1 else (size * shape, size)
    left, bottom = (box[0] + 0.5) / view.image.shape[1], 1 - (box[1] + 0.5 + box[3]) / view.image.shape[0]
    right, top = left + box[2] / view.image.shape[1], bottom + box[3] / view.image.shape[0]

    def covered(place: tuple[float, float]) -> float:
        x = max(0.0, min(place[0] + width, right) - max(place[0], left))
        y = max(0.0, min(place[1] + height, top) - max(place[1], bottom))
        return round(float(x * y), 3)

    # The top left corner holds the letter.
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


def class_colour(index: int) -> str:
    """Return the colour of class `index` (1 = first foreground class)."""
    return CLASS_COLOURS[(index - 1) % len(CLASS_COLOURS)]


def caption(view: SliceView, names: Sequence[str], target: int, dataset: str, case: str, rank: Rank | None = "median") -> str:
    """Return the caption with the rule by which case and slice were chosen (`rank` None: the configuration names the case).

    `names` are the class names, background first.
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
        f"The yellow box marks the region that is magnified {place}, with contours only. Rule of choice: {chosen}{largest}."
    )
