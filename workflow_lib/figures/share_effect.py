"""Effect of class imbalance on each loss: the DSC of every case against the share of the rarest class."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter

from workflow_lib.figures.interface import Data, Drawn
from workflow_lib.figures.style import GREY, loss_colours, new_figure
from workflow_lib.figures.text import heading, wrapped

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

NAME = "share_effect"
OF = "dataset"
ORDER = 80
TEXT = True
CAPTION = "{label}: the DSC of every case against the share of its voxels in the rarest class, per loss."
ALT = "Scatter plots, a panel for each loss: DSC against the share of the rarest class on a logarithmic axis, with trends."

MOST_VECTOR_POINTS = 2000
"""Above this number, the points are a raster image in the SVG."""

PER_BIN = 5
MOST_BINS = 6


def draw(data: Data) -> Drawn:
    """Return the figure of a dataset."""
    figure = plot(data.scores, data.cases, data.target, data.labels, data.colours, data.unit)
    text = caption(data.settings["label"], data.target, data.unit)
    return Drawn(figure, {"class": data.target, "caption": text})


def plot(
    scores: pd.DataFrame,
    cases: pd.DataFrame,
    name: str,
    losses: Mapping[str, str],
    colours: Mapping[str, str] | None = None,
    unit: str = "voxels",
) -> Figure:
    """Return the figure: one panel per loss with a point per case, its trend, and the other trends in grey.

    `scores` and `cases` have the columns of scores/<dataset>.csv and cases.csv. `name` is the class. `losses`
    maps names to labels in the order of the tables, and `colours` names to colours. The axis of shares is
    logarithmic, in per cent; therefore cases without a voxel of the class are not shown. For the trends, see
    `trend`.
    """
    colours = colours or loss_colours(losses)
    shares = cases.set_index("case")[f"share_{name}"].astype(float) * 100
    points = {loss: _points(scores, shares, name, loss) for loss in losses}
    trends = {loss: trend(*pair) for loss, pair in points.items()}
    everything = np.concatenate([x for x, _ in points.values()]) if points else np.array([])
    columns = min(4, len(losses)) if len(losses) != 5 else 3
    rows = -(-len(losses) // columns)
    figure = new_figure(180.0 if columns > 1 else 100.0, 44.0 * rows + 6.0)
    grid = figure.subplots(rows, columns, squeeze=False, sharex=True, sharey=True)
    raster = sum(len(x) for x, _ in points.values()) > MOST_VECTOR_POINTS
    for number, axes in enumerate(grid.flat):
        if number >= len(losses):
            axes.set_axis_off()
            continue
        loss, label = list(losses.items())[number]
        x, y = points[loss]
        for other, line in trends.items():
            if other != loss:
                axes.plot(*line, color="#c4c4c4", linewidth=0.7, zorder=1)
        axes.plot(
            x, y, ".", color=colours[loss], markersize=3.4 if len(x) <= 100 else 2.0, alpha=0.5, markeredgewidth=0, zorder=2,
            rasterized=raster,
        )  # fmt: skip
        axes.plot(*trends[loss], color=colours[loss], linewidth=1.8, zorder=3)
        if not len(x):
            axes.text(0.5, 0.5, "no scores", color=GREY, ha="center", va="center", transform=axes.transAxes, style="italic")
        axes.set_title(wrapped(label, 30 if columns > 1 else 60, 2), loc="left")
        axes.grid(axis="y")
        last = number + columns >= len(losses)
        axes.tick_params(axis="x", labelbottom=last)
        if last:
            axes.set_xlabel(f"{heading(name, 20)}: share of {unit} (%)")
        if number % columns == 0:
            axes.set_ylabel("DSC of the case")
    _scales(grid[0][0], everything)
    return figure


def _points(scores: pd.DataFrame, shares: pd.Series, name: str, loss: str) -> tuple[np.ndarray, np.ndarray]:
    """Return the shares (per cent, above 0) and the DSC of the cases of a loss, in order of the shares."""
    rows = scores[(scores["loss"] == loss) & (scores["class"] == name)].dropna(subset=["dsc"])
    x, y = rows["case"].map(shares).to_numpy(float), rows["dsc"].to_numpy(float)
    kept = x > 0
    order = np.lexsort((y[kept], x[kept]))
    return x[kept][order], y[kept][order]


def trend(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the median share and the median DSC of groups of neighbouring cases of equal size.

    `x` must be in ascending order. There are at most six groups with five or more cases each; with fewer than
    ten cases there are no groups.
    """
    bins = min(MOST_BINS, len(x) // PER_BIN)
    if bins < 2:
        return np.array([]), np.array([])
    parts = np.array_split(np.arange(len(x)), bins)
    return np.array([np.median(x[part]) for part in parts]), np.array([np.median(y[part]) for part in parts])


def _scales(axes: Axes, shares: np.ndarray) -> None:
    axes.set_xscale("log")
    if len(shares):
        low, high = float(shares.min()), float(shares.max())
        axes.set_xlim(low / 1.3, min(high * 1.3, 130.0))
    axes.set_ylim(-0.02, 1.02)
    # A panel has space for three or four numbers. Without a power of ten on the axis, matplotlib would label
    # 2, 3, 4 and 6.
    low, high = axes.get_xlim()
    decades = math.log10(high / low)
    axes.xaxis.set_major_locator(MaxNLocator(3) if decades < 0.75 else LogLocator(subs=(1.0,) if decades > 1.5 else (1.0, 3.0)))
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:.3g}")
    axes.xaxis.set_minor_formatter(NullFormatter())


def caption(label: str, name: str, unit: str = "voxels") -> str:
    """Return the caption."""
    return (
        f"{label}: the DSC of every case against the share of its {unit} that is {name}, the rarest class, per loss. Coloured "
        "line: medians of groups of neighbouring cases of equal size; grey lines: those of the other losses. Logarithmic axis."
    )
