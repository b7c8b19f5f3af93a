"""Asymmetric focal Tversky loss of the Unified Focal family."""

from typing import Any

from workflow_lib.losses._terms import LossFunction, Ops, Tensor, loss_function, reduce_classes
from workflow_lib.losses._unified import ARTICLE, TverskyParameters, enhanced, unified_distance

NAME = "asymmetric_focal_tversky"
LABEL = "Asymmetric focal Tversky loss"
CITATION = ARTICLE
EQUATION = (
    r"\mathcal{L}_{AFT} = \frac{1}{C} \left( d_1 + \sum_{c=2}^{C} d_c^{1 - \gamma} \right), \; d_c = 1 - \mathrm{TI}_c(\delta)"
)
FAMILY = "region"
BUILT_FROM: tuple[str, ...] = ("symmetric_focal_tversky",)
CURVES = ("gamma", (0.0, 0.25, 0.5, 0.75))
NOTES: tuple[str, ...] = (
    "The power is on the foreground classes (c ≥ 2 in the formula) alone: it enhances the rare classes, and the background keeps "
    "a plain Tversky term.",
    "TP, FN and FP are counted on the clipped probabilities q, and d is kept above 1e-7 where it is raised to a power. (d · "
    "d^(−γ), as in the public code, is NaN at d = 0.)",
)


class Parameters(TverskyParameters):
    """Parameters of the asymmetric focal Tversky loss."""


def formula(ops: Ops, y: Tensor, p: Tensor, parameters: TverskyParameters) -> Tensor:
    """Return the mean over the batch, mean or sum over the classes, of d of the background and d^(1 - gamma) of the others."""
    distances = unified_distance(ops, y, p, parameters)
    foreground = enhanced(ops, distances[..., 1:], parameters.gamma)
    return reduce_classes(ops, ops.concatenate([distances[..., :1], foreground], axis=-1), parameters)


def asymmetric_focal_tversky(**parameters: Any) -> LossFunction:
    """Return the asymmetric focal Tversky loss (see `Parameters`). With the mean over the classes its value is in [0, 1]."""
    return loss_function(NAME, Parameters, formula, parameters)
