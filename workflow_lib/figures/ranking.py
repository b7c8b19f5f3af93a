"""Stability of the ranking of the losses: the share of each rank in bootstrap samples of the cases."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from workflow_lib.figures.interface import Data, Drawn
from workflow_lib.figures.style import GREY, new_figure
from workflow_lib.figures.text import heading, wrapped

if TYPE_CHECKING:
    from matplotlib.figure import Figure

NAME = "ranking"
OF = "dataset"
ORDER = 90
CAPTION = (
    "{label}: how often each loss takes each rank by mean DSC when the cases are resampled with replacement. Conditional on "
    "these trained models: the effect of other initial weights or other folds is not included."
)
ALT = "Stacked bars of the shares of each rank of {classes} for each loss."


def draw(data: Data) -> Drawn:
    """Return the figure of a dataset."""
    return Drawn(plot(data.statistics("ranking"), data.classes[1:], data.labels))


def plot(ranking: pd.DataFrame, classes: Sequence[str], losses: Mapping[str, str]) -> Figure:
    """Return the figure: one panel per class, one bar per loss, divided into the shares of the ranks.

    Rank 1 is dark and rank k light. `ranking` has the columns of statistics/<dataset>/ranking.csv. `losses`
    maps names to labels. Losses are ordered by their mean rank in the bootstrap, with the best at the top.
    """
    from matplotlib import colormaps
    from matplotlib.patches import Patch

    ranks = sum(column.startswith("share_rank_") for column in ranking.columns)
    figure = new_figure(height_mm=(11.0 + 5.4 * len(losses)) * len(classes) + 12.0)
    grid = figure.subplots(len(classes), 1, squeeze=False, sharex=True)
    palette = [colormaps["cividis"](value) for value in np.linspace(0.0, 1.0, max(ranks, 2))]
    for row, name in enumerate(classes):
        axes = grid[row][0]
        table = ranking[(ranking["class"] == name) & ranking["loss"].isin(list(losses))].sort_values(["mean_rank", "loss"])
        for position, (_, line) in enumerate(table.iterrows()):
            left = 0.0
            for rank in range(ranks):
                share = float(np.nan_to_num(line[f"share_rank_{rank + 1}"])) * 100
                axes.barh(position, share, left=left, color=palette[rank], height=0.74, edgecolor="white", linewidth=0.4)
                # Smaller shares have no space for the number.
                if share >= 9:
                    axes.text(
                        left + share / 2, position, f"{share:.0f}", ha="center", va="center", fontsize=6.5,
                        color="white" if rank < ranks * 0.55 else "black",
                    )  # fmt: skip
                left += share
        if table.empty:
            axes.text(0.5, 0.5, "no ranking", color=GREY, ha="center", va="center", transform=axes.transAxes)
        axes.set_ylim(max(len(table), 1) - 0.4, -0.6)
        labels = [wrapped(losses[str(loss)], 26, 2) for loss in table["loss"]]
        axes.set_yticks(range(len(table)), labels)
        axes.tick_params(axis="y", length=0)
        axes.tick_params(axis="x", labelbottom=True)
        axes.set_xlim(0, 100)
        axes.set_title(heading(name, 60), loc="left", fontweight="bold")
    grid[-1][0].set_xlabel("Share of the bootstrap samples (%)")
    shown = range(ranks) if ranks <= 10 else np.unique(np.linspace(0, ranks - 1, 8).astype(int))
    handles = [Patch(color=palette[rank], label=f"rank {rank + 1}") for rank in shown]
    figure.legend(handles=handles, loc="outside lower center", ncols=min(7, max(1, len(handles))))
    return figure
