"""Segmentations of pictures: the image, the ground truth, and for every loss where its prediction is right and wrong."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from workflow_lib.figures.segmentations import WIDTH, Rank, grey, letter
from workflow_lib.figures.style import GREY, MM_PER_INCH, new_figure
from workflow_lib.figures.text import plain, wrapped

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

TRUE_POSITIVE, FALSE_POSITIVE, FALSE_NEGATIVE, OUTSIDE = (255, 255, 255), (255, 0, 255), (0, 127, 0), (64, 64, 64)
"""Colours of the pixels: right, marked by mistake, missed, and not scored; the others are black."""

COLUMNS = 5
GAP, TITLE_HEIGHT = 0.03, 0.24  # inches: around a panel, and above the panels of a case that has a title


def error_map(truth: np.ndarray, prediction: np.ndarray, view: np.ndarray | None = None) -> np.ndarray:
    """Return a picture (rows, columns, 3) uint8 of a class: white where truth and prediction agree on it, magenta where only the
    prediction has it, green where only the truth has it, black elsewhere; dark grey outside the field of view `view`.

    All three are (rows, columns), bool or zero for False. Raises ValueError when their shapes differ.
    """  # noqa: D205 -- one sentence
    if truth.shape != prediction.shape or (view is not None and view.shape != truth.shape):
        shapes = [array.shape for array in (truth, prediction, view) if array is not None]
        raise ValueError(f"truth, prediction and field of view differ in shape: {shapes}")
    # Integers would be inverted bit by bit, and would pick rows instead of pixels.
    truth, prediction = truth.astype(bool), prediction.astype(bool)
    colours = np.zeros((*truth.shape, 3), np.uint8)
    colours[truth & prediction] = TRUE_POSITIVE
    colours[~truth & prediction] = FALSE_POSITIVE
    colours[truth & ~prediction] = FALSE_NEGATIVE
    if view is not None:
        colours[~view.astype(bool)] = OUTSIDE
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


@dataclass(frozen=True)
class Picture:
    """One case as it is shown.

    `image` (rows, columns, channels); `truth` and the predictions are class indices (rows, columns), a prediction that does not
    exist is None; `predictions` maps the label of each loss to its prediction, in the order of the tables. `view` (bool) is the
    field of view if only that was scored. `title` stands above the panels, if it is not empty.
    """

    image: np.ndarray
    truth: np.ndarray
    predictions: Mapping[str, np.ndarray | None]
    view: np.ndarray | None = None
    title: str = ""


def draw(
    image: np.ndarray,
    truth: np.ndarray,
    predictions: Mapping[str, np.ndarray | None],
    target: int,
    view: np.ndarray | None = None,
) -> Figure:
    """Return the figure of one case: image, ground truth, then a panel per loss with its errors in class `target`.

    The arguments are those of `Picture`.
    """
    return draw_cases([Picture(image, truth, predictions, view)], target)


def draw_cases(cases: Sequence[Picture], target: int) -> Figure:
    """Return the figure of some cases, one below the other, such as the worst, the median and the best.

    All have the same losses; of each the image, the ground truth, and the errors of every loss in class `target` (an index) are
    shown. Pixels are square, and the pictures of all cases equally wide. Raises ValueError without a case, or when losses differ.
    """
    if not cases or any(list(case.predictions) != list(cases[0].predictions) for case in cases):
        raise ValueError("error maps need at least one case, and the same losses for all")
    names = [wrapped(label, 19, 2) for label in ("Image", "Ground truth", *cases[0].predictions)]
    rows = math.ceil(len(names) / COLUMNS)
    columns = math.ceil(len(names) / rows)
    side = WIDTH / max(columns, 3)
    band = 0.36 if any("\n" in name for name in names) else 0.24
    talls = [(side - 2 * GAP) * case.truth.shape[0] / case.truth.shape[1] + 2 * GAP for case in cases]
    heads = [TITLE_HEIGHT if case.title else 0.0 for case in cases]
    width, height = side * columns, sum(heads) + rows * sum(tall + band for tall in talls)
    figure = new_figure(width * MM_PER_INCH, height * MM_PER_INCH, layout=None)
    top = 0.0
    for case, tall, head in zip(cases, talls, heads, strict=True):
        if head:
            middle = (height - top - head / 2) / height
            figure.text(GAP / width, middle, plain(case.title, 90), fontweight="bold", va="center")
        top += head
        for number, (name, picture) in enumerate(zip(names, _pictures(case, target), strict=True)):
            row, column = divmod(number, columns)
            bottom = height - top - row * (tall + band) - tall
            place = ((column * side + GAP) / width, (bottom + GAP) / height, (side - 2 * GAP) / width, (tall - 2 * GAP) / height)
            _panel(figure.add_axes(place), picture, f"{letter(number)}) {name}")
        top += rows * (tall + band)
    return figure


def _pictures(case: Picture, target: int) -> list[np.ndarray | None]:
    """Return the panels of a case, each uint8 (rows, columns, 3); None for a prediction that does not exist."""
    mask = case.truth == target
    maps = [None if p is None else error_map(mask, p == target, case.view) for p in case.predictions.values()]
    return [shown_picture(case.image), error_map(mask, mask, case.view), *maps]


def _panel(axes: Axes, picture: np.ndarray | None, name: str) -> None:
    axes.set_xticks([])
    axes.set_yticks([])
    for spine in axes.spines.values():
        spine.set_visible(False)
    if picture is None:
        axes.set_facecolor("black")
        axes.text(0.5, 0.5, "no prediction", color="white", ha="center", va="center", transform=axes.transAxes)
    else:
        # No smoothing: it would mix the colours, and only these have a meaning.
        axes.imshow(picture, interpolation="nearest", aspect="auto")
    axes.set_xlabel(name, fontsize=8, labelpad=3, color=GREY if picture is None else "black")


def caption(labels: Sequence[str], target: str, dataset: str, case: str, rank: Rank | None = "median", view: bool = False) -> str:
    """Return the caption of `draw` with the rule by which the case was chosen (`rank` None: the configuration names it)."""
    chosen = f"the case of {rank} DSC of {target}, averaged over the losses" if rank else "the case that the configuration names"
    return f"Segmentations of {dataset} (case {case}): {_key(labels, target, view)} Rule of choice: {chosen}."


def caption_of_cases(
    labels: Sequence[str], target: str, dataset: str, cases: Sequence[tuple[Rank, str]], view: bool = False
) -> str:
    """Return the caption of `draw_cases`; `cases` are rank and name of each case, from top to bottom."""
    listed = ", ".join(f"{rank} ({case})" for rank, case in cases)
    return (
        f"Segmentations of {dataset}, from top to bottom {listed} by the DSC of {target}, averaged over the losses: "
        f"{_key(labels, target, view)}"
    )


def _key(labels: Sequence[str], target: str, view: bool) -> str:
    """Say what each panel is and what the colours mean."""
    panels = ", ".join(f"{letter(i)}) {label}" for i, label in enumerate(["image", "ground truth", *labels]))
    outside = " Dark grey: outside the field of view, not scored." if view else ""
    return f"{panels}. Class {target}: white, found; magenta, marked by mistake; green, missed.{outside}"
