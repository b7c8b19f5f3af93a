"""Balance of the losses: mean precision against mean recall, with lines of equal DSC."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from workflow_lib.figures.interface import Data, Drawn
from workflow_lib.figures.style import GREY, loss_styles, new_figure
from workflow_lib.figures.text import heading, wrapped

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

NAME = "recall_precision"
OF = "dataset"
ORDER = 60
CAPTION = (
    "{label}: mean recall against mean precision of each loss, with the intervals of the score table. Grey lines join points "
    "of equal DSC of a single segmentation; they guide the eye, as a mean of DSCs is not the DSC of the means."
)
ALT = "Scatter plot of mean precision against mean recall of {classes}, a point with intervals for each loss."


def draw(data: Data) -> Drawn:
    """Return the figure of a dataset."""
    return Drawn(plot(data.statistics("means"), data.classes[1:], data.labels, data.colours))


def plot(
    means: pd.DataFrame, classes: Sequence[str], losses: Mapping[str, str], colours: Mapping[str, str] | None = None
) -> Figure:
    """Return the figure: one panel per class, one point per loss with its intervals, and lines of equal DSC.

    `means` has the columns of statistics/<dataset>/means.csv. `losses` maps names to labels in the order of the
    tables. `colours` overrides the colours of the project. On a line, 2PR/(P+R) is constant. The mean of DSCs
    is not the DSC of the means, so the lines are only a visual guide. The limits of the axes are close to the
    points.
    """
    styles = loss_styles(losses)
    columns = min(3, len(classes))
    rows = -(-len(classes) // columns)
    legend_rows = -(-len(losses) // 4)
    side = 180.0 / max(columns, 2)
    figure = new_figure(side * columns if columns > 1 else 110.0, side * rows + 6 + 5 * legend_rows)
    grid = figure.subplots(rows, columns, squeeze=False)
    handles: dict[str, Any] = {}
    for number, axes in enumerate(grid.flat):
        if number >= len(classes):
            axes.set_axis_off()
            continue
        name = classes[number]
        points = _points(means, name, losses)
        _iso_dsc(axes, points)
        for loss, (recall, recall_ci, precision, precision_ci) in points.items():
            handles[loss] = axes.errorbar(
                recall, precision, xerr=recall_ci, yerr=precision_ci, fmt=styles[loss].marker, markersize=5.5,
                color=(colours or {}).get(loss, styles[loss].colour), elinewidth=0.7, capsize=1.5, zorder=3,
            )  # fmt: skip
        if not points:
            axes.text(0.5, 0.5, "no scores", color=GREY, ha="center", va="center", transform=axes.transAxes)
        axes.set_title(heading(name, 40), loc="left", fontweight="bold")
        axes.set_xlabel("Mean recall")
        axes.set_ylabel("Mean precision" if number % columns == 0 else "")
        axes.set_aspect("equal", "box")
    shown = [loss for loss in losses if loss in handles]
    if shown:
        figure.legend(
            [handles[loss] for loss in shown], [wrapped(losses[loss], 24, 2) for loss in shown],
            loc="outside lower center", ncols=min(4 if columns > 1 else 2, len(shown)),
        )  # fmt: skip
    return figure


def _points(means: pd.DataFrame, name: str, losses: Mapping[str, str]) -> dict[str, tuple[float, float, float, float]]:
    """Return (recall, half width, precision, half width) of each loss with both means.

    An undefined half width is 0.
    """
    points = {}
    for loss in losses:
        of_loss = means[(means["loss"] == loss) & (means["class"] == name)]
        values = of_loss.drop_duplicates("metric").set_index("metric")[["mean", "ci95"]].astype(float)
        if {"recall", "precision"} <= set(values.index) and values.loc[["recall", "precision"], "mean"].notna().all():
            numbers = values.loc[["recall", "precision"]].fillna(0.0).to_numpy().ravel().tolist()
            points[loss] = (numbers[0], numbers[1], numbers[2], numbers[3])
    return points


def _iso_dsc(axes: Axes, points: Mapping[str, tuple[float, float, float, float]]) -> None:
    """Set the limits around the points, with equal ranges on both axes, and draw the lines of equal DSC."""
    low_x, high_x, low_y, high_y = 0.0, 1.0, 0.0, 1.0
    if points:
        values = np.array(list(points.values()))
        xs = np.concatenate([values[:, 0] - values[:, 1], values[:, 0] + values[:, 1]])
        ys = np.concatenate([values[:, 2] - values[:, 3], values[:, 2] + values[:, 3]])
        span = min(1.04, 1.15 * max(np.ptp(xs), np.ptp(ys), 0.04))
        low_x = float(np.clip((xs.min() + xs.max() - span) / 2, -0.02, 1.02 - span))
        low_y = float(np.clip((ys.min() + ys.max() - span) / 2, -0.02, 1.02 - span))
        high_x, high_y = low_x + span, low_y + span
    axes.set_xlim(low_x, high_x)
    axes.set_ylim(low_y, high_y)
    recall, precision = np.meshgrid(np.linspace(max(low_x, 1e-3), high_x, 200), np.linspace(max(low_y, 1e-3), high_y, 200))
    dsc = 2 * recall * precision / (recall + precision)
    step = next((s for s in (0.005, 0.01, 0.02, 0.05, 0.1, 0.2) if np.ptp(dsc) / s <= 9), 0.2)
    levels = np.arange(np.ceil(dsc.min() / step) * step, min(dsc.max(), 1.0), step)
    if len(levels):
        lines = axes.contour(recall, precision, dsc, levels=levels, colors="#b5b5b5", linewidths=0.7, zorder=1)
        axes.clabel(lines, fmt=lambda v: f"DSC {v:.3g}", fontsize=6, colors=GREY)
