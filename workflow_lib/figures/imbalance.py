"""Share of the voxels (or pixels) that belong to each class, per case and pooled: the imbalance the losses are meant for."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from workflow_lib.figures.segmentations import class_colour
from workflow_lib.figures.style import GREY, INK, new_figure
from workflow_lib.figures.text import wrapped
from workflow_lib.seeds import generator

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def pooled_shares(cases: pd.DataFrame, classes: Sequence[str]) -> dict[str, float]:
    """Return the share of all voxels of the included cases in each class; `cases` has the columns of cases.csv."""
    included = cases[cases["status"] == "included"]
    voxels = {name: float(included[f"voxels_{name}"].sum()) for name in classes}
    total = sum(voxels.values())
    return {name: count / total if total else float("nan") for name, count in voxels.items()}


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


def unit_of(table: pd.DataFrame) -> str:
    """Return what the images are made of: pixels where all have two axes, else voxels."""
    shapes = [str(shape) for shape in table["shape"] if shape]
    return "pixels" if shapes and all(shape.count("x") == 1 for shape in shapes) else "voxels"


def one_in(share: float) -> str:
    """Return a share as "1 in 590"; a dash where there is none, and above one half."""
    if not (math.isfinite(share) and 0 < share <= 0.5):
        return "–"
    odds = 1 / share
    whole = f"{round(odds):,}".replace(",", "\u202f") if odds >= 10_000 else str(round(odds))
    return f"1 in {odds:.1f}" if odds < 10 else f"1 in {whole}"


def percent(share: float) -> str:
    """Return a share in [0, 1] in per cent: three significant digits, but at most two decimals from 1 % on."""
    value = 100 * share
    return f"{value:.2f}" if value >= 1 else f"{value:.3g}"
