"""Fig. 2: the effect of γ on the focal, the focal Tversky and the cosine Tversky loss.

The curves are computed with the losses of the registry; this file contains no formulas of losses.
"""

from fractions import Fraction

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from workflow_lib.figures.interface import Drawn, LossesData
from workflow_lib.figures.style import PALETTE, label_panels, new_figure
from workflow_lib.losses import registry

NAME = "gamma_curves"
OF = "losses"
ORDER = 2
LOSSES = ("focal", "focal_tversky", "cosine_tversky")
CAPTION = "Effect of the parameter γ on the focal, focal Tversky and cosine Tversky losses."
ALT = "Curves of three losses for several values of γ."

POINTS = 201

PANELS: tuple[tuple[str, dict[str, float | None], str], ...] = (
    ("focal", {"alpha": None}, "probability of the true class"),
    ("focal_tversky", {}, "Tversky index"),
    ("cosine_tversky", {}, "Tversky index"),
)
"""Loss, other parameters, and label of the x axis, in the order of the paper.

The values of γ are in the files of the losses (CURVES).
"""

LINES = ("-", "--", "-.", ":")
COLOURS = PALETTE[:4]


def draw(data: LossesData) -> Drawn:
    """Return the figure."""
    return Drawn(plot())


def curve(name: str, parameters: dict[str, float | None], x: np.ndarray) -> np.ndarray:
    """Return the loss of a prediction whose quality is x, for each x in [0, 1].

    The prediction has two voxels, one of each of two classes, and both have the probability x for their true
    class. Then TP = x and FN = FP = 1 - x for both classes. Therefore the Tversky index is x for every delta.
    """
    loss = registry.build(name, parameters)
    truth = np.eye(2)[None]
    return np.array([loss.evaluate(truth, value * truth + (1 - value) * (1 - truth)) for value in x])


def plot() -> Figure:
    """Return the figure: a) focal loss, b) focal Tversky loss, c) cosine Tversky loss (Eq. 15), one curve for each γ."""
    figure = new_figure(height_mm=66)
    axes = list(figure.subplots(1, len(PANELS)))
    for axis, (name, parameters, quantity) in zip(axes, PANELS, strict=True):
        parameter, gammas = registry.curves(name)
        # The focal loss contains a logarithm, so its curve does not reach 0; the others cover [0, 1].
        x = np.linspace(0.005 if name == "focal" else 0.0, 1.0, POINTS)
        for index, gamma in enumerate(gammas):
            label = f"γ = {Fraction(gamma).limit_denominator(9)}"
            axis.plot(x, curve(name, {**parameters, parameter: gamma}, x), LINES[index], color=COLOURS[index], label=label)
        _finish(axis, registry.get(name).LABEL, quantity, top=5.0 if name == "focal" else 1.0)
    label_panels(axes)
    return figure


def _finish(axis: Axes, label: str, quantity: str, top: float) -> None:
    axis.set_xlabel(quantity)
    axis.set_ylabel(label)
    axis.set_xlim(0, 1)
    axis.set_ylim(0, top)
    axis.grid(True)
    axis.legend(handlelength=2.6)
