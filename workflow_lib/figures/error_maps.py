"""Segmentations of 2-D images: the image, the ground truth, and an error map for every loss."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from workflow_lib.figures.slices import WIDTH, Rank, grey, letter
from workflow_lib.figures.style import GREY, MM_PER_INCH, new_figure
from workflow_lib.figures.text import wrapped

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

TRUE_POSITIVE, FALSE_POSITIVE, FALSE_NEGATIVE, OUTSIDE = (255, 255, 255), (255, 0, 255), (0, 127, 0), (64, 64, 64)
"""Colours of pixels: true positive, false positive, false negative, not scored. True negatives are black."""

COLUMNS = 5
GAP = 0.03
"""Margin around a panel in inches."""


def error_map(truth: np.ndarray, prediction: np.ndarray, view: np.ndarray | None = None) -> np.ndarray:
    """Return the error map of a class as an RGB image (rows, columns, 3) uint8.

    White: true positive; magenta: false positive; green: false negative; black: true negative; dark grey:
    outside the field of view `view`. All three masks are (rows, columns), bool or with zero for False.
    Raises ValueError if their shapes differ.
    """
    if truth.shape != prediction.shape or (view is not None and view.shape != truth.shape):
        shapes = [array.shape for array in (truth, prediction, view) if array is not None]
        raise ValueError(f"truth, prediction and field of view differ in shape: {shapes}")
    # With integers, ~ would invert the bits, and indexing would select rows instead of pixels.
    truth, prediction = truth.astype(bool), prediction.astype(bool)
    colours = np.zeros((*truth.shape, 3), np.uint8)
    colours[truth & prediction] = TRUE_POSITIVE
    colours[~truth & prediction] = FALSE_POSITIVE
    colours[truth & ~prediction] = FALSE_NEGATIVE
    if view is not None:
        colours[~view.astype(bool)] = OUTSIDE
    return colours


def shown_picture(image: np.ndarray) -> np.ndarray:
    """Return an image (rows, columns, channels) of any type for display, as uint8 (rows, columns, 3).

    Three channels of 8 bits are unchanged. Other values are scaled between their 1st and 99th percentiles.
    For other numbers of channels, the mean of the channels is shown.
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
    scores: Mapping[str, float] | None = None,
) -> Figure:
    """Return the figure: image, ground truth, and for each loss the error map of class `target`.

    `image` is (rows, columns, channels) with square pixels. `truth` and the predictions are class indices
    (rows, columns); a missing prediction is None. `predictions` maps the label of each loss to its
    prediction, in the order of the tables. `view` (bool) is the field of view, if only that was scored.
    `scores` maps labels to the DSC that is shown below the panel.
    """
    mask = truth == target
    maps = [None if p is None else error_map(mask, p == target, view) for p in predictions.values()]
    pictures = [shown_picture(image), error_map(mask, mask, view), *maps]
    under = {label: f"\nDSC {score:.3f}" for label, score in (scores or {}).items() if math.isfinite(score)}
    names = [wrapped(label, 19, 2) + under.get(label, "") for label in ("Image", "Ground truth", *predictions)]
    rows = math.ceil(len(names) / COLUMNS)
    columns = math.ceil(len(names) / rows)
    side = WIDTH / max(columns, 3)
    tall = (side - 2 * GAP) * truth.shape[0] / truth.shape[1] + 2 * GAP
    band = 0.24 + 0.12 * max(name.count("\n") for name in names)
    width, height = side * columns, rows * (tall + band)
    figure = new_figure(width * MM_PER_INCH, height * MM_PER_INCH, layout=None)
    for number, (name, picture) in enumerate(zip(names, pictures, strict=True)):
        row, column = divmod(number, columns)
        bottom = height - row * (tall + band) - tall
        place = ((column * side + GAP) / width, (bottom + GAP) / height, (side - 2 * GAP) / width, (tall - 2 * GAP) / height)
        _panel(figure.add_axes(place), picture, f"{letter(number)}) {name}")
    return figure


def _panel(axes: Axes, picture: np.ndarray | None, name: str) -> None:
    axes.set_xticks([])
    axes.set_yticks([])
    for spine in axes.spines.values():
        spine.set_visible(False)
    if picture is None:
        axes.set_facecolor("black")
        axes.text(0.5, 0.5, "no prediction", color="white", ha="center", va="center", transform=axes.transAxes)
    else:
        # No interpolation, because mixed colours have no meaning.
        axes.imshow(picture, interpolation="nearest", aspect="auto")
    axes.set_xlabel(name, fontsize=8, labelpad=3, color=GREY if picture is None else "black")


def caption(labels: Sequence[str], target: str, dataset: str, case: str, rank: Rank | None = "median", view: bool = False) -> str:
    """Return the caption with the selection rule of the case (`rank` None: named in the configuration)."""
    chosen = f"the case of {rank} DSC of {target}, averaged over the losses" if rank else "the case that the configuration names"
    panels = ", ".join(f"{letter(i)}) {label}" for i, label in enumerate(["image", "ground truth", *labels]))
    outside = " Dark grey: outside the field of view, not scored." if view else ""
    return (
        f"Segmentations of {dataset} (case {case}): {panels}. Class {target}: white, true positive; magenta, false positive; "
        f"green, false negative.{outside} Selection rule: {chosen}."
    )
