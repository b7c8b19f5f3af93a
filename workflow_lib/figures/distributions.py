"""Box plots of the scores with a point for every case, per loss, class and metric."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from workflow_lib.base.seeds import generator
from workflow_lib.figures.interface import Data, Drawn
from workflow_lib.figures.style import GREY, INK, loss_colours, new_figure
from workflow_lib.figures.text import heading, wrapped
from workflow_lib.metrics.paper import LABELS

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

NAME = "distributions"
OF = "dataset"
ORDER = 50
CAPTION = (
    "{label}: DSC, precision and recall of every case (points) per loss. The box holds the middle half of the cases, the line "
    "in it is the median, the whiskers reach to the outermost case within 1.5 box lengths."
)
ALT = "Box plots of DSC, precision and recall of {classes} for each loss, with a point for every case."

MOST_VECTOR_POINTS = 6000
"""Above this number of points, the points of a panel are a raster image in the SVG."""


def draw(data: Data) -> Drawn:
    """Return the figure of a dataset."""
    return Drawn(plot(data.scores, data.classes[1:], data.labels, data.colours, data.seed))


def plot(
    scores: pd.DataFrame,
    classes: Sequence[str],
    losses: Mapping[str, str],
    colours: Mapping[str, str] | None = None,
    seed: int = 42,
) -> Figure:
    """Return the figure: one row per class, one column per metric, and a box with all cases per loss.

    `scores` has the columns of scores/<dataset>.csv. `losses` maps names to labels in the order of the tables,
    from top to bottom. `colours` maps names to colours (default: the project's). The box contains the middle
    half of the cases, with the median as a line. The whiskers reach to the outermost case within 1.5 box
    lengths. The jitter is random with `seed`. The axes of a row start at the lowest case rounded down to one
    decimal, and end at 1.
    """
    colours = colours or loss_colours(losses)
    panel = 12.0 + 6.2 * len(losses)
    figure = new_figure(height_mm=(panel + 4.0) * len(classes) + 6.0)
    grid = figure.subplots(len(classes), len(LABELS), squeeze=False, sharey=True, sharex="row")
    shown = scores[scores["loss"].isin(list(losses)) & scores["class"].isin(list(classes))]
    raster = int(shown[list(LABELS)].count().sum()) > MOST_VECTOR_POINTS
    for row, name in enumerate(classes):
        of_class = scores[scores["class"] == name]
        for column, metric in enumerate(LABELS):
            axes = grid[row][column]
            for position, loss in enumerate(losses):
                values = of_class.loc[of_class["loss"] == loss].sort_values(["fold", "case"])[metric].dropna().to_numpy(float)
                _one(axes, values, position, colours[loss], generator(seed, "jitter", name, metric, loss), raster)
            axes.set_ylim(len(losses) - 0.4, -0.6)
            axes.set_yticks(range(len(losses)), [wrapped(label, 22, 2) for label in losses.values()])
            axes.tick_params(axis="y", length=0)
            axes.grid(axis="x")
            if row == len(classes) - 1:
                axes.set_xlabel(f"{LABELS[metric]} per case")
        lowest = of_class.loc[of_class["loss"].isin(list(losses)), list(LABELS)].min().min()
        # The axis does not start at 0, so that the points of well segmented classes remain distinguishable.
        low = np.floor(10 * lowest) / 10 if np.isfinite(lowest) else 0.0
        grid[row][0].set_xlim(low - 0.02 * (1 - low) - 1e-9, 1.0 + 0.02 * (1 - low) + 1e-9)
        grid[row][0].set_title(heading(name, 60), loc="left", fontweight="bold")
    return figure


def _one(axes: Axes, values: np.ndarray, position: int, colour: str, rng: np.random.Generator, raster: bool) -> None:
    if not len(values):
        axes.text(0.5, position, "no scores", color=GREY, ha="center", va="center", fontsize=6.5, style="italic")
        return
    # With many cases, smaller and more transparent points keep the box visible.
    dense = len(values) > 60
    jitter = rng.uniform(-0.26, 0.26, len(values))
    axes.plot(
        values, position + jitter, ".", color=colour, markersize=2.2 if dense else 3.6, alpha=0.40 if dense else 0.65,
        markeredgewidth=0, zorder=2, rasterized=raster,
    )  # fmt: skip
    axes.boxplot(
        [values], positions=[position], widths=0.62, orientation="horizontal", showfliers=False, patch_artist=True,
        manage_ticks=False, zorder=3,
        boxprops={"facecolor": "none", "edgecolor": INK, "linewidth": 0.8},
        medianprops={"color": INK, "linewidth": 1.6},
        whiskerprops={"color": INK, "linewidth": 0.8},
        capprops={"color": INK, "linewidth": 0.8},
    )  # fmt: skip
