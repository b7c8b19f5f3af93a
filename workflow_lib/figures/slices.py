"""Selection of the case and slice in a figure, and the orientation of a slice.

Case and slice are selected by a fixed rule and not by eye. The DSC of the rarest class is averaged over the
losses, and the case with the median (or best or worst) value is selected. The slice is the one with the
largest reference area of that class.
"""

from __future__ import annotations

import string
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from workflow_lib.base.errors import UserError

CT_WINDOW = (-160.0, 240.0)
"""Displayed grey values of a CT in HU: the soft-tissue window (level 40, width 400)."""

WIDTH = 7.1  # inches, the text width
CLASS_COLOURS = ("#FF2A2A", "#2F6BFF", "#00C08B", "#E69F00", "#CC79A7", "#56B4E9", "#F0E442", "#FFFFFF")
"""Colours of the foreground classes in their order; the first two are the red and blue of the paper."""
COLOUR_NAMES = ("red", "blue", "green", "orange", "purple", "light blue", "yellow", "white")

Rank = Literal["median", "best", "worst"]


@dataclass(frozen=True)
class SliceView:
    """One slice in display orientation: rows from anterior to posterior, columns from the patient's right to left.

    `image` is float (rows, columns) in the unit of the file. `truth` and every prediction are uint8 class
    indices of the same shape; a missing prediction is None. `aspect` is the height of a pixel divided by its
    width.
    """

    image: np.ndarray
    truth: np.ndarray
    predictions: Mapping[str, np.ndarray | None]
    aspect: float
    index: int
    slices: int


def rarest_class(voxels: Mapping[str, float]) -> str:
    """Return the class with the smallest number of voxels above zero.

    `voxels` contains the voxels of the foreground classes, pooled over the cases.
    """
    present = {name: count for name, count in voxels.items() if count > 0}
    if not present:
        raise UserError("No case contains a voxel of any class, so there is no segmentation to show. Check the masks.")
    return min(present, key=lambda name: present[name])


def choose_case(scores: pd.DataFrame, target: str, rank: Rank = "median") -> str:
    """Return the case with the median, best or worst DSC of the class `target`, averaged over the losses.

    `scores` has the columns of scores/<dataset>.csv. Only cases with the largest number of scored losses are
    considered. Ties are ordered by name. For an even number of cases, the median is the lower of the two
    middle cases. Raises UserError if no case has a defined DSC.
    """
    rows = scores[(scores["class"] == target) & scores["dsc"].notna()]
    if rows.empty:
        raise UserError(f"No case has a DSC of {target!r}, so no case can be chosen for the figure. Check scores/*.csv.")
    per_case = rows.groupby("case")["dsc"].agg(["mean", "count"])
    complete = per_case[per_case["count"] == per_case["count"].max()]
    # Without rounding, the order could depend on the order in which the losses were averaged.
    ordered = sorted((round(float(value), 12), str(case)) for case, value in complete["mean"].items())
    position = {"worst": 0, "median": (len(ordered) - 1) // 2, "best": len(ordered) - 1}[rank]
    return ordered[position][1]


def axial_axis(orientation: Sequence[str]) -> int:
    """Return the file axis along which axial slices are stacked.

    `orientation` gives the direction of each axis as nibabel's axis codes ("IPL": first axis towards
    inferior).
    """
    for axis, code in enumerate(orientation):
        if code in "IS":
            return axis
    raise UserError(f"The orientation {''.join(orientation)!r} has no axis from inferior to superior. Check the file's affine.")


def choose_slice(truth: np.ndarray, target: int, axis: int) -> int:
    """Return the index along `axis` of the slice with the most voxels of class `target`.

    The first of tied slices is returned. Without that class, it is the slice with the most foreground voxels,
    and without foreground the middle slice.
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
    """Select the slice by the rule and return it in display orientation.

    `image` and `truth` have the axes of the file (two or three). An image can have an additional last axis of
    channels, which are averaged. `spacing` is in mm per file axis. `predictions` maps the label of each loss
    to class indices like `truth`, or None.
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
    """Scale an image to [0, 1] with `window` (low, high), or between its 1st and 99th percentiles."""
    low, high = window if window is not None else (float(v) for v in np.percentile(image, (1, 99)))
    if high <= low:
        high = low + 1.0
    scaled: np.ndarray = np.clip((image - low) / (high - low), 0.0, 1.0)
    return scaled


def region_box(truth: np.ndarray, target: int, aspect: float) -> tuple[float, float, float, float]:
    """Return (left, top, width, height) in pixels of the magnified box, which is the same for all panels.

    The displayed box is square and centred on the `target` of the reference, or on all foreground, with a
    margin around it. Its side is between one fifth and the whole of the shorter side of the image.
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
    """Return the letter of a panel: a, b, ..., z, aa, ab, ... ."""
    letters = string.ascii_lowercase
    return letters[index] if index < 26 else letter(index // 26 - 1) + letters[index % 26]


def class_colour(index: int) -> str:
    """Return the colour of class `index` (1 = first foreground class)."""
    return CLASS_COLOURS[(index - 1) % len(CLASS_COLOURS)]
