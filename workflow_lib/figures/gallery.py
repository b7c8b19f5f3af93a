"""Galleries of volumes: the ground truth and every loss in one case, with errors in colour.

The case is selected by the rule of `slices.choose_case`, and the slice by the rule of `slices.choose_slice`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from workflow_lib.figures.error_maps import FALSE_POSITIVE, TRUE_POSITIVE
from workflow_lib.figures.slices import WIDTH, Rank, SliceView, class_colour, grey, region_box
from workflow_lib.figures.style import GREY, MM_PER_INCH, new_figure
from workflow_lib.figures.text import plain, wrapped

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLUMNS = 4
GAP = 0.03
"""Margin around a panel in inches."""

TINT = 0.55
"""Opacity of the colour over the image for true positives, false negatives and false positives."""

GREEN = (0, 190, 60)
"""Colour of false negatives over an image. It is lighter than (0, 127, 0), which is used on black."""


def errors_over(scaled: np.ndarray, truth: np.ndarray, prediction: np.ndarray) -> np.ndarray:
    """Return the image overlaid with the errors of a class, float (rows, columns, 3) in [0, 1].

    `scaled` are grey values in [0, 1]; `truth` and `prediction` are bool; all are (rows, columns). White: true
    positive; magenta: false positive; green: false negative.
    """
    rgb: np.ndarray = np.repeat(scaled[..., None], 3, axis=-1).astype(float)
    for mask, colour in (
        (truth & prediction, TRUE_POSITIVE),
        (~truth & prediction, FALSE_POSITIVE),
        (truth & ~prediction, GREEN),
    ):
        rgb[mask] = (1 - TINT) * rgb[mask] + TINT * np.array(colour) / 255
    return rgb


def draw(
    view: SliceView, n_classes: int, target: int, scores: Mapping[str, float], window: tuple[float, float] | None = None
) -> Figure:
    """Return the figure: ground truth and losses, with contours of all classes above and errors below.

    The errors are those of class `target`. `scores` maps the labels of the losses to their DSC of `target` in
    the whole case; undefined scores are NaN. All panels show the region of `slices.region_box`.
    """
    rows, columns = _window(view, target)
    image = grey(view.image, window)[rows, columns]
    truth = view.truth[rows, columns]
    panels: list[tuple[str, np.ndarray | None]] = [
        ("Ground truth", truth),
        *((label, None if p is None else p[rows, columns]) for label, p in view.predictions.items()),
    ]
    names = [wrapped(label, 26, 2) for label, _ in panels]
    across = min(COLUMNS, len(panels))
    down = math.ceil(len(panels) / across)
    across = math.ceil(len(panels) / down)
    side = WIDTH / max(across, 3)
    tall = (side - 2 * GAP) * image.shape[0] * view.aspect / image.shape[1] + 2 * GAP
    band = 0.36 + (0.14 if any("\n" in name for name in names) else 0.0)
    width, height = side * across, down * (2 * tall + band)
    figure = new_figure(width * MM_PER_INCH, height * MM_PER_INCH, layout=None)
    for number, (name, (label, classes)) in enumerate(zip(names, panels, strict=True)):
        row, column = divmod(number, across)
        top = height - row * (2 * tall + band)
        upper, lower = (
            figure.add_axes(
                (
                    (column * side + GAP) / width,
                    (top - (part + 1) * tall + GAP) / height,
                    (side - 2 * GAP) / width,
                    (tall - 2 * GAP) / height,
                )
            )
            for part in (0, 1)
        )
        if classes is None:
            _missing(upper, lower)
        else:
            _contours(upper, image, classes, n_classes, view.aspect)
            shown = errors_over(image, truth == target, classes == target) if number else image
            _show(lower, shown, view.aspect)
        score = scores.get(label, math.nan)
        under = "" if number == 0 else f"\nDSC {score:.3f}" if math.isfinite(score) else "\nDSC undefined"
        lower.set_xlabel(name + under, fontsize=7.5, labelpad=3, color=GREY if classes is None else "black")
    return figure


def empty(text: str) -> Figure:
    """Return a figure with a text instead of images."""
    figure = new_figure(100.0, 20.0)
    axes = figure.subplots()
    axes.set_axis_off()
    axes.text(0.5, 0.5, plain(text, 90), color=GREY, ha="center", va="center", style="italic")
    return figure


def _window(view: SliceView, target: int) -> tuple[slice, slice]:
    """Return the displayed rows and columns."""
    left, top, width, height = region_box(view.truth, target, view.aspect)
    rows = slice(max(0, math.floor(top + 0.5)), min(view.truth.shape[0], math.ceil(top + height + 0.5)))
    columns = slice(max(0, math.floor(left + 0.5)), min(view.truth.shape[1], math.ceil(left + width + 0.5)))
    return rows, columns


def _contours(axes: Axes, image: np.ndarray, classes: np.ndarray, n_classes: int, aspect: float) -> None:
    _show(axes, image, aspect)
    limits = axes.get_xlim(), axes.get_ylim()
    for index in range(1, n_classes):
        mask = np.pad((classes == index).astype(float), 1)
        if mask.any():
            extent = np.arange(-1, mask.shape[1] - 1), np.arange(-1, mask.shape[0] - 1)
            axes.contour(*extent, mask, levels=[0.5], colors=[class_colour(index)], linewidths=1.0)
    axes.set_xlim(limits[0])
    axes.set_ylim(limits[1])


def _show(axes: Axes, picture: np.ndarray, aspect: float) -> None:
    _bare(axes)
    axes.imshow(picture, cmap="gray", vmin=0, vmax=1, aspect=aspect, interpolation="nearest")


def _missing(*both: Axes) -> None:
    for axes in both:
        _bare(axes)
        axes.set_facecolor("black")
        axes.text(0.5, 0.5, "no prediction", color="white", ha="center", va="center", transform=axes.transAxes, fontsize=7)


def _bare(axes: Axes) -> None:
    axes.set_xticks([])
    axes.set_yticks([])
    for spine in axes.spines.values():
        spine.set_visible(False)


def caption(view: SliceView, names: Sequence[str], target: int, case: str, rank: Rank) -> str:
    """Return the caption with the selection rule of case and slice.

    `names` are the class names, background first.
    """
    name = names[target]
    where = f"{case}, axial slice {view.index + 1} of {view.slices}" if view.slices > 1 else case
    return (
        f"The {rank} case, {where}: ground truth and every loss, cropped around the reference. Above, contours of all classes; "
        f"below, {name}: white, true positive; magenta, false positive; green, false negative. DSC of {name} in the whole case. "
        f"Selection rule: the case of {rank} {name} DSC, averaged over the losses; in it the slice with the largest reference "
        f"area of {name}."
    )
