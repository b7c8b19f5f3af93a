"""Share of the voxels (or pixels) that belong to each class, per case and pooled: the imbalance the losses are meant for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from workflow_lib.evaluation.imbalance import one_in, percent, pooled_shares
from workflow_lib.figures.segmentations import class_colour
from workflow_lib.figures.style import GREY, INK, new_figure
from workflow_lib.figures.text import wrapped
from workflow_lib.seeds import generator

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def draw(cases: pd.DataFrame, classes: Sequence[str], seed: int = 42, unit: str = "voxels") -> Figure:
    """Return the figure: a row per class (background first), a point per included case, a line at the pooled share.

    `cases` has the columns of cases.csv. The axis is logarithmic, in per cent; cases without a voxel of a class are counted
    at the left border. `unit` is what the images are made of.
    """
    included = cases[cases["status"] == "included"].sort_values("case")
    pooled = pooled_shares(cases, classes)
    figure = new_figure(150.0, 22.0 + 12.0 * len(classes))
    axes = figure.subplots()
    shares = {name: included[f"share_{name}"].to_numpy(float) * 100 for name in classes}
    positive = np.concatenate([values[values > 0] for values in shares.values()] or [np.array([100.0])])
    low = 10 ** np.floor(np.log10(positive.min() if len(positive) else 1.0) - 0.3)
    axes.set_xscale("log")
    axes.set_xlim(low, 130.0)
    for row, name in enumerate(classes):
        values = shares[name]
        present = values[values > 0]
        jitter = generator(seed, "jitter", "imbalance", name).uniform(-0.22, 0.22, len(present))
        colour = GREY if row == 0 else class_colour(row)
        axes.plot(present, row + jitter, ".", color=colour, markersize=4, alpha=0.55, markeredgewidth=0)
        if pooled[name] > 0:
            axes.plot([pooled[name] * 100] * 2, [row - 0.34, row + 0.34], color=INK, linewidth=1.8, solid_capstyle="butt")
            text = f"{percent(pooled[name])} %{_odds(pooled[name])}"
            axes.annotate(
                text, (pooled[name] * 100, row - 0.34), xytext=(0, 1.5), textcoords="offset points",
                ha="right" if pooled[name] > 0.3 else "center", va="bottom", fontsize=7,
            )  # fmt: skip
        absent = len(values) - len(present)
        if absent:
            axes.text(low * 1.15, row, f"absent in {absent} of {len(values)}", fontsize=6.5, color=GREY, va="center")
    axes.set_ylim(len(classes) - 0.4, -0.75)
    axes.set_yticks(range(len(classes)), [wrapped(name, 22, 2) for name in classes])
    axes.tick_params(axis="y", length=0)
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
    axes.set_xlabel(f"Share of a case's {unit} (%), {len(included)} cases; black line: all cases pooled")
    axes.grid(axis="x")
    return figure


def _odds(share: float) -> str:
    return f" ({one_in(share)})" if share < 0.1 else ""
