"""The plot of a loss for its documentation: its values for false negatives and false positives.

The curves are computed with the loss of the registry on a defined image; this file contains no formulas of
losses.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from workflow_lib.base.parameters import show
from workflow_lib.figures.style import LINESTYLES, PALETTE, label_panels, new_figure
from workflow_lib.losses import registry

SIDE, RADIUS, RING = 48, 6.0, 3.0
"""The image in voxels: side of the square, radius of the disc, and width of the ring of false positives.

The disc is in the centre of the square and covers 5 % of it.
"""

POINTS = 50

DISTANCES = np.hypot(*(np.indices((SIDE, SIDE)) - (SIDE - 1) / 2))
DISC = DISTANCES <= RADIUS
AROUND = ~DISC & (DISTANCES <= RADIUS + RING)

Prediction = Callable[[float], np.ndarray]


def misses(x: float) -> np.ndarray:
    """Return the foreground probability with the value x in the disc; all other voxels are correct."""
    return np.where(DISC, x, 0.0)


def false_alarms(x: float) -> np.ndarray:
    """Return the foreground probability with the value 1 - x in the ring; all other voxels are correct."""
    return np.where(DISC, 1.0, np.where(AROUND, 1.0 - x, 0.0))


PANELS: tuple[tuple[str, Prediction], ...] = (
    ("misses", misses),
    ("false alarms", false_alarms),
)


def curve(name: str, parameters: dict[str, Any], prediction: Prediction, x: np.ndarray) -> np.ndarray:
    """Return the loss of the prediction for each x in [0, 1]."""
    loss = registry.build(name, parameters)
    truth = np.stack([~DISC, DISC], axis=-1)[None].astype(float)
    foregrounds = (prediction(value) for value in x)
    return np.array([loss.evaluate(truth, np.stack([1 - p, p], axis=-1)[None]) for p in foregrounds])


def draw(name: str) -> Figure:
    """Return the figure of a loss: a) misses, b) false alarms.

    There is one curve for each value in CURVES of the loss, or one with the defaults.
    """
    parameter, values = registry.curves(name)
    x = np.linspace(0.01, 1.0, POINTS)
    figure = new_figure(150.0, 58.0)
    axes = list(figure.subplots(1, len(PANELS), sharey=True))
    for axis, (title, prediction) in zip(axes, PANELS, strict=True):
        for index, value in enumerate(values):
            label = f"{parameter} = {show(value)}" if parameter else "defaults"
            y = curve(name, {parameter: value} if parameter else {}, prediction, x)
            axis.plot(x, y, color=PALETTE[index], linestyle=LINESTYLES[index], label=label)
        axis.set_title(title)
        axis.set_xlabel("probability of the true class there")
        axis.set_xlim(0, 1)
        axis.grid(True)
    axes[0].set_ylabel(registry.get(name).LABEL.removesuffix(" loss"))
    if parameter:
        figure.legend(*axes[0].get_legend_handles_labels(), loc="outside right upper", handlelength=2.6)
    label_panels(axes)
    return figure
