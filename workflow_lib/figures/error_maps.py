"""Segmentations of pictures: the image, the ground truth, and for every loss where its prediction is right and wrong."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from workflow_lib.figures.segmentations import WIDTH, Rank, grey, letter
from workflow_lib.figures.style import GREY, MM_PER_INCH, new_figure
from workflow_lib.figures.text import wrapped

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TRUE_POSITIVE, FALSE_POSITIVE, FALSE_NEGATIVE, OUTSIDE = (255, 255, 255), (255, 0, 255), (0, 127, 0), (64, 64, 64)
"""Colours of the pixels: right, marked by mistake, missed, and not scored; the others are black."""

COLUMNS = 5


def error_map(truth: np.ndarray, prediction: np.ndarray, view: np.ndarray | None = None) -> np.ndarray:
    """Return a picture (rows, columns, 3) uint8 of a class: white where truth and prediction agree on it, magenta where only the
    prediction has it, green where only the truth has it, black elsewhere; dark grey outside the field of view `view`.

    All three are bool, (rows, columns).
    """  # noqa: D205 -- one sentence
    colours = np.zeros((*truth.shape, 3), np.uint8)
    colours[truth & prediction] = TRUE_POSITIVE
    colours[~truth & prediction] = FALSE_POSITIVE
    colours[truth & ~prediction] = FALSE_NEGATIVE
    if view is not None:
        colours[~view] = OUTSIDE
    return colours


def shown_picture(image: np.ndarray) -> np.ndarray:
    """Return an image (rows, columns, channels) of any type as it is shown, uint8 (rows, columns, 3).

    Three channels of 8 bits stand as they are; other values are scaled between their 1st and 99th percentiles, and of other
    numbers of channels the mean is shown.
    """
    if image.shape[-1] == 3 and image.dtype == np.uint8:
        return image
    channels = image if image.shape[-1] == 3 else image.mean(axis=-1, keepdims=True)
    scaled = np.round(255 * grey(channels.astype(np.float64), None)).astype(np.uint8)
    return np.broadcast_to(scaled, (*image.shape[:-1], 3))


def draw(
    image: np.ndarray,
    truth: np.ndarray,
    predictions: Mapping[str, np.ndarray | None],
    target: int,
    view: np.ndarray | None = None,
) -> Figure:
    """Return the figure: image, ground truth, then a panel per loss with its errors in class `target`.

    `image` (rows, columns, channels); `truth` and the predictions are class indices (rows, columns), a prediction that does not
    exist is None; `predictions` maps the label of each loss to its prediction, in the order of the tables. `view` (bool) is the
    field of view if only that was scored.
    """
    mask = truth == target
    panels: list[tuple[str, np.ndarray | None]] = [("Image", shown_picture(image)), ("Ground truth", error_map(mask, mask, view))]
    panels += [(label, None if p is None else error_map(mask, p == target, view)) for label, p in predictions.items()]
    rows = math.ceil(len(panels) / COLUMNS)
    columns = math.ceil(len(panels) / rows)
    side = WIDTH / max(columns, 3)
    tall = side * truth.shape[0] / truth.shape[1]
    names = [wrapped(label, 19, 2) for label, _ in panels]
    band = 0.36 if any("\n" in name for name in names) else 0.24
    width, height, gap = side * columns, (tall + band) * rows, 0.03
    figure = new_figure(width * MM_PER_INCH, height * MM_PER_INCH, layout=None)
    for number, (name, (_, picture)) in enumerate(zip(names, panels, strict=True)):
        row, column = divmod(number, columns)
        bottom = height - row * (tall + band) - tall
        place = ((column * side + gap) / width, (bottom + gap) / height, (side - 2 * gap) / width, (tall - 2 * gap) / height)
        axes = figure.add_axes(place)
        axes.set_xticks([])
        axes.set_yticks([])
        for spine in axes.spines.values():
            spine.set_visible(False)
        if picture is None:
            axes.set_facecolor("black")
            axes.text(0.5, 0.5, "no prediction", color="white", ha="center", va="center", transform=axes.transAxes)
        else:
            axes.imshow(picture, interpolation="nearest", aspect="auto")
        axes.set_xlabel(f"{letter(number)}) {name}", fontsize=8, labelpad=3, color=GREY if picture is None else "black")
    return figure


def caption(labels: Sequence[str], target: str, dataset: str, case: str, rank: Rank | None = "median", view: bool = False) -> str:
    """Return the caption with the rule by which the case was chosen (`rank` None: the configuration names it)."""
    panels = ", ".join(f"{letter(i)}) {label}" for i, label in enumerate(["image", "ground truth", *labels]))
    chosen = f"the case of {rank} DSC of {target}, averaged over the losses" if rank else "the case that the configuration names"
    outside = " Dark grey: outside the field of view, not scored." if view else ""
    return (
        f"Segmentations of {dataset} (case {case}): {panels}. Class {target}: white, found; magenta, marked by mistake; green, "
        f"missed.{outside} Rule of choice: {chosen}."
    )
