"""Class imbalance: the share of the voxels (or pixels) of each class, per case and pooled."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from matplotlib.colors import to_hex, to_rgb

from workflow_lib.base.seeds import generator
from workflow_lib.evaluation.imbalance import one_in, percent, pooled_shares
from workflow_lib.figures.interface import Data, Drawn
from workflow_lib.figures.slices import class_colour
from workflow_lib.figures.style import GREY, INK, new_figure
from workflow_lib.figures.text import wrapped

if TYPE_CHECKING:
    from matplotlib.figure import Figure

NAME = "imbalance"
OF = "dataset"
ORDER = 110
PLACE = "data"
WIDE = False
CAPTION = (
    "{label}: share of a case's {unit} in each class; a point per case, the black line over all cases pooled. Logarithmic axis."
)
ALT = "Strip plot of the share of {unit} per class on a logarithmic axis; the numbers are in the table above it."


MOST_VECTOR_POINTS = 2000
"""Above this number, the points are a raster image in the SVG, because vector points would take megabytes."""

FAINTEST = 0.45
"""Relative luminance above which a colour is darkened, to be visible on a white background."""


def draw(data: Data) -> Drawn:
    """Return the figure of a dataset."""
    return Drawn(plot(data.cases, data.classes, data.seed, data.unit))


def plot(cases: pd.DataFrame, classes: Sequence[str], seed: int = 42, unit: str = "voxels") -> Figure:
    """Return the figure: one row per class (background first), a point per included case, a line at the pooled share.

    `cases` has the columns of cases.csv. The axis is logarithmic, in per cent. Cases without a voxel of a
    class are counted in a text to the left of the points. `unit` is the name of an image element.
    """
    included = cases[cases["status"] == "included"].sort_values("case")
    pooled = pooled_shares(cases, classes)
    figure = new_figure(150.0, 22.0 + 12.0 * len(classes))
    axes = figure.subplots()
    shares = {name: included[f"share_{name}"].to_numpy(float) * 100 for name in classes}
    absent = {name: int(np.count_nonzero(values == 0)) for name, values in shares.items()}
    left, right = _limits(shares, any(absent.values()))
    axes.set_xscale("log")
    axes.set_xlim(left, right)
    for row, name in enumerate(classes):
        present = shares[name][shares[name] > 0]
        jitter = generator(seed, "jitter", "imbalance", name).uniform(-0.22, 0.22, len(present))
        colour = GREY if row == 0 else _on_paper(class_colour(row))
        axes.plot(
            present, row + jitter, ".", color=colour, markersize=7 if len(included) <= 50 else 4, alpha=0.55,
            markeredgewidth=0, rasterized=len(included) * len(classes) > MOST_VECTOR_POINTS,
        )  # fmt: skip
        if pooled[name] > 0:
            axes.plot([pooled[name] * 100] * 2, [row - 0.34, row + 0.34], color=INK, linewidth=1.8, solid_capstyle="butt")
            text = f"{percent(pooled[name])} %{_odds(pooled[name])}"
            axes.annotate(
                text, (pooled[name] * 100, row - 0.34), xytext=(0, 1.5), textcoords="offset points",
                ha="right" if pooled[name] > 0.1 else "center", va="bottom", fontsize=7,
            )  # fmt: skip
        if absent[name]:
            text = f"absent in {absent[name]} of {len(included)}"
            axes.annotate(text, (0, row), xytext=(3, 0), xycoords=("axes fraction", "data"), textcoords="offset points",
                          fontsize=6.5, color=GREY, va="center")  # fmt: skip
    axes.set_ylim(len(classes) - 0.4, -0.75)
    axes.set_yticks(range(len(classes)), [wrapped(name, 22, 2) for name in classes])
    axes.tick_params(axis="y", length=0)
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
    axes.set_xlabel(f"Share of a case's {unit} (%), {len(included)} cases; black line: all cases pooled")
    axes.grid(axis="x")
    return figure


def _limits(shares: Mapping[str, np.ndarray], with_counts: bool) -> tuple[float, float]:
    """Return the limits of the axis in per cent: at least a decade, with space for the counts on the left."""
    right = 130.0
    positive = [float(values[values > 0].min()) for values in shares.values() if np.any(values > 0)]
    smallest = min([*positive, 8.0])
    return float(smallest * (smallest / right) ** (0.32 if with_counts else 0.04)), right


def _on_paper(colour: str) -> str:
    """Return the colour, darkened if needed for visibility on white."""
    red, green, blue = to_rgb(colour)
    while 0.2126 * red**2.2 + 0.7152 * green**2.2 + 0.0722 * blue**2.2 > FAINTEST:
        red, green, blue = 0.95 * red, 0.95 * green, 0.95 * blue
    return to_hex((red, green, blue))


def _odds(share: float) -> str:
    return f" ({one_in(share)})" if share <= 0.5 else ""
