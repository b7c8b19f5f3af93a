"""The share of the voxels in each class: the class imbalance that the losses are designed for."""

import math
from collections.abc import Sequence

import pandas as pd


def pooled_shares(cases: pd.DataFrame, classes: Sequence[str]) -> dict[str, float]:
    """Return the share of all voxels of the included cases in each class; `cases` has the columns of cases.csv."""
    included = cases[cases["status"] == "included"]
    voxels = {name: float(included[f"voxels_{name}"].sum()) for name in classes}
    total = sum(voxels.values())
    return {name: count / total if total else float("nan") for name, count in voxels.items()}


def percent(share: float) -> str:
    """Return a share in [0, 1] in per cent: two decimals from 1 % upwards, below that three significant digits."""
    value = 100 * share
    return f"{value:.2f}" if value >= 1 else f"{value:.3g}"


def unit_of(table: pd.DataFrame) -> str:
    """Return the unit of the images: pixels if all have two axes, else voxels."""
    shapes = [str(shape) for shape in table["shape"] if shape]
    return "pixels" if shapes and all(shape.count("x") == 1 for shape in shapes) else "voxels"


def one_in(share: float) -> str:
    """Return a share as "1 in 590"; a dash if it is not finite, not positive, or above one half."""
    if not (math.isfinite(share) and 0 < share <= 0.5):
        return "–"
    odds = 1 / share
    whole = f"{round(odds):,}".replace(",", "\u202f") if odds >= 10_000 else str(round(odds))
    return f"1 in {odds:.1f}" if odds < 10 else f"1 in {whole}"
