"""Training and validation loss of every fold, with one panel per loss, and the epoch of the final weights."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from workflow_lib.figures.interface import Data, Drawn
from workflow_lib.figures.style import GREY, loss_colours, new_figure
from workflow_lib.figures.text import plain

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

NAME = "training_curves"
OF = "dataset"
ORDER = 70
CAPTION = (
    "{label}: training and validation loss of every fold. The ring marks the epoch whose weights became the model. Values "
    "cannot be compared between losses; an axis is logarithmic where its values span more than a factor of ten."
)
ALT = "Curves of training and validation loss over the epochs: a panel for each loss, a pair of lines for each fold."

Histories = Mapping[str, Mapping[int, pd.DataFrame]]


def draw(data: Data) -> Drawn:
    """Return the figure of a dataset."""
    return Drawn(plot(data.histories, data.labels, data.colours))


def plot(histories: Histories, losses: Mapping[str, str], colours: Mapping[str, str] | None = None) -> Figure:
    """Return the figure: one panel per loss, with a solid line (validation) and a thin dotted line (training) per fold.

    `histories[loss][fold]` has the columns of history.csv. `losses` maps names to labels in the order of the
    tables. A ring marks the epoch whose weights are kept. A panel has a logarithmic axis if all its values are
    positive and span more than a factor of ten. The values cannot be compared between losses.
    """
    from matplotlib.lines import Line2D

    colours = colours or loss_colours(losses)
    columns = min(3, len(losses))
    rows = -(-len(losses) // columns)
    figure = new_figure(60.0 * columns if columns > 1 else 100.0, 46.0 * rows + 10.0)
    grid = figure.subplots(rows, columns, squeeze=False)
    for axes in list(grid.flat)[len(losses) :]:
        axes.set_axis_off()
    for number, (loss, label) in enumerate(losses.items()):
        axes = grid.flat[number]
        _panel(axes, histories.get(loss, {}), colours[loss])
        axes.set_title(plain(label, 34 if columns > 1 else 60), loc="left")
        if number % columns == 0:
            axes.set_ylabel("Loss")
        if number + columns >= len(losses):
            axes.set_xlabel("Epoch")
    handles = [
        Line2D([], [], color=GREY, linewidth=1.1, label="validation"),
        Line2D([], [], color=GREY, linewidth=0.8, linestyle=(0, (1, 1)), label="training"),
        Line2D([], [], color=GREY, linestyle="none", marker="o", markerfacecolor="white", label="epoch of the model"),
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=3)
    return figure


def _panel(axes: Axes, folds: Mapping[int, pd.DataFrame], colour: str) -> None:
    from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter

    if not folds:
        axes.text(0.5, 0.5, "not trained", color=GREY, ha="center", va="center", transform=axes.transAxes, style="italic")
        axes.set_xticks([])
        axes.set_yticks([])
        return
    everything = []
    for fold in sorted(folds):
        history = folds[fold]
        epochs = history["epoch"].to_numpy(float)
        training, validation = history["training_loss"].to_numpy(float), history["validation_loss"].to_numpy(float)
        # Short histories have markers, because a single epoch gives no line.
        marker = "." if len(epochs) < 4 else ""
        axes.plot(epochs, training, color=colour, linewidth=0.7, linestyle=(0, (1, 1)), marker=marker, alpha=0.8)
        axes.plot(epochs, validation, color=colour, linewidth=0.9, marker=marker, alpha=0.8)
        best = history.index[pd.to_numeric(history["best"]) == 1]
        if len(best):
            last = history.loc[best[-1]]
            axes.plot([last["epoch"]], [last["validation_loss"]], "o", color=colour, markerfacecolor="white", zorder=4)
        everything += [training, validation]
    values = np.concatenate(everything)
    values = values[np.isfinite(values)]
    if len(values) and values.min() > 0 and values.max() > 10 * values.min():
        axes.set_yscale("log")
        # Labels at 1, 2 and 5 of each decade, without exponents.
        axes.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
        axes.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
        axes.yaxis.set_minor_formatter(NullFormatter())
    axes.xaxis.set_major_locator(MaxNLocator(nbins=5, integer=True))
    axes.grid(axis="y")
