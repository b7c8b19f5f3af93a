"""Mean DSC of a loss for the values of a parameter, such as the radius of dilated balanced cross entropy."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from workflow_lib.figures.interface import Data, Drawn
from workflow_lib.figures.style import GREY, INK, loss_styles, new_figure
from workflow_lib.figures.text import heading, wrapped
from workflow_lib.statistics.sweeps import Sweep, find_sweeps

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

NAME = "sweep"
OF = "sweep"
ORDER = 100
TEXT = True
CAPTION = "{label}: mean DSC over the parameter that the study sweeps, with the intervals of the score table."
ALT = "Mean DSC of {classes} over the values of the parameter."

LINEAR = ("radius",)
"""Parameters that always have a linear axis: lengths in voxels."""

CHARACTER_WIDTH = 0.032
"""Width of a tick-label character as a share of the range of values: 1.5 mm in the narrowest panel."""


def draw(data: Data) -> Drawn:
    """Return the figure of a dataset."""
    sweeps, titles = find_sweeps(data.settings["losses"]), data.settings["titles"]
    figure = plot(data.statistics("means"), data.classes[1:], sweeps, data.labels, titles, data.colours)
    text = caption(sweeps, data.settings["label"], titles)
    return Drawn(figure, {"caption": text, "alt": "Mean DSC per class over the values of the parameter."})


def plot(
    means: pd.DataFrame,
    classes: Sequence[str],
    sweeps: Sequence[Sweep],
    labels: Mapping[str, str],
    titles: Mapping[str, str],
    colours: Mapping[str, str],
) -> Figure:
    """Return the figure: one row per sweep, one column per class; other losses are horizontal lines.

    `means` has the columns of statistics/<dataset>/means.csv. `labels` maps the losses of the study to their
    labels in the order of the tables, `titles` the losses of the registry to their labels, and `colours` the
    losses of the study to their colours. Error bars are the intervals of the means, if they exist. Losses
    without scores are not shown. The axis is logarithmic if the values are positive and span more than a
    decade, except for lengths in voxels.
    """
    dsc = _scores(means)
    styles = loss_styles(labels)
    columns = min(len(classes), 3)
    rows = math.ceil(len(classes) / columns) * len(sweeps)
    others = [name for name in labels if all(name not in sweep.values for sweep in sweeps)]
    figure = new_figure(180.0 if columns > 1 else 110.0, 58.0 * rows + 6.0 + 5.0 * math.ceil((1 + len(others)) / 3))
    grid = figure.subplots(rows, columns, squeeze=False)
    handles: dict[str, Any] = {}
    panels = [(sweep, name) for sweep in sweeps for name in [*classes, *[""] * (-len(classes) % columns)]]
    for axes, (sweep, name) in zip(grid.flat, panels, strict=True):
        if not name:
            axes.set_axis_off()
            continue
        curve = _panel(axes, dsc, sweep, name)
        if curve is not None:
            handles.setdefault("", curve)
        for other in others:
            if (other, name) in dsc:
                line = axes.axhline(dsc[other, name][0], linewidth=1.0, zorder=1, color=colours[other])
                line.set_linestyle(styles[other].linestyle)
                handles.setdefault(other, line)
        axes.set_title(heading(name, 40), loc="left", fontweight="bold")
        axes.set_xlabel(wrapped(f"{sweep.parameter} of {titles[sweep.loss]}", 48 // columns + 12, 2))
        axes.set_ylabel("Mean DSC")
    if handles:
        # The curve comes first in the legend. With several sweeps, it is a different loss in each row.
        curve_of = titles[sweeps[0].loss] if len({sweep.loss for sweep in sweeps}) == 1 else "Loss named at the axis"
        order = sorted(handles, key=lambda name: name != "")
        names = [wrapped(labels[name] if name else curve_of, 26, 2) for name in order]
        figure.legend(
            [handles[name] for name in order], names, loc="outside lower center", ncols=min(3 if columns > 1 else 2, len(names))
        )
    return figure


def _scores(means: pd.DataFrame) -> dict[tuple[str, str], tuple[float, float]]:
    """Return (loss, class) -> mean DSC and half width of its interval, for all defined means."""
    rows = means[means["metric"] == "dsc"].to_dict("records")
    found = {(str(row["loss"]), str(row["class"])): (float(row["mean"]), float(row["ci95"])) for row in rows}
    return {key: pair for key, pair in found.items() if math.isfinite(pair[0])}


def _panel(axes: Axes, dsc: Mapping[tuple[str, str], tuple[float, float]], sweep: Sweep, name: str) -> Any:
    """Draw the curve of a class and return its handle for the legend, or None without scores."""
    points = [(value, *dsc[loss, name]) for loss, value in sweep.values.items() if (loss, name) in dsc]
    if not points:
        axes.text(0.5, 0.5, "no scores", color=GREY, ha="center", va="center", transform=axes.transAxes)
        return None
    values, middles, halves = (np.array(part, float) for part in zip(*points, strict=True))
    # An undefined interval (NaN) has no error bar. A bar of length zero would look like an exact value.
    curve = axes.errorbar(
        values, middles, yerr=halves, fmt="o-", color=INK, markersize=4.5, linewidth=1.8, elinewidth=1.0, capsize=2, zorder=3
    )
    logarithmic = sweep.parameter not in LINEAR and values.min() > 0 and values.max() / values.min() > 10
    if logarithmic:
        axes.set_xscale("log")
    axes.set_xticks(values, _tick_labels(np.log(values) if logarithmic else values, [f"{value:g}" for value in values]))
    axes.minorticks_off()
    axes.grid(axis="y")
    return curve


def _tick_labels(places: np.ndarray, labels: list[str]) -> list[str]:
    """Return the labels of ascending positions on the axis; labels that would overlap are empty."""
    span = float(np.ptp(places)) or 1.0
    shown: list[str] = []
    edge = -math.inf
    for place, label in zip(places / span, labels, strict=True):
        half = 0.5 * CHARACTER_WIDTH * len(label)
        fits = place - half >= edge
        shown.append(label if fits else "")
        edge = place + half + 0.5 * CHARACTER_WIDTH if fits else edge
    return shown


def caption(sweeps: Sequence[Sweep], dataset: str, titles: Mapping[str, str]) -> str:
    """Return the caption."""
    what = " and ".join(f"{sweep.parameter} of the {titles[sweep.loss]}" for sweep in sweeps)
    return (
        f"{dataset}: mean DSC over the {what}, with the intervals of the score table. Horizontal lines: the losses of the "
        "study that are not swept."
    )
