"""Symmetric focal Tversky loss of the Unified Focal family."""

from typing import Any

from workflow_lib.losses._terms import LossFunction, Ops, Tensor, loss_function, reduce_classes
from workflow_lib.losses._unified import ARTICLE, TverskyParameters, enhanced, unified_distance

NAME = "symmetric_focal_tversky"
LABEL = "Symmetric focal Tversky loss"
CITATION = ARTICLE
EQUATION = r"\mathcal{L}_{SFT} = \frac{1}{C} \sum_{c=1}^{C} d_c^{\,1 - \gamma}, \quad d_c = 1 - \mathrm{TI}_c(\delta)"
FAMILY = "region"
BUILT_FROM: tuple[str, ...] = ("focal_tversky",)
CURVES = ("gamma", (0.0, 0.25, 0.5, 0.75))
NOTES: tuple[str, ...] = (
    "It is the focal Tversky loss with the exponent written 1 − γ instead of 1/γ.",
    "TP, FN and FP are counted on the clipped probabilities q, and d is kept above 1e-7 where it is raised to a power. (d · "
    "d^(−γ), as in the public code, is NaN at d = 0.)",
)


class Parameters(TverskyParameters):
    """Parameters of the symmetric focal Tversky loss."""


def formula(ops: Ops, y: Tensor, p: Tensor, parameters: TverskyParameters) -> Tensor:
    """Return the mean over the batch, and mean or sum over the classes, of d^(1 - gamma)."""
    return reduce_classes(ops, enhanced(ops, unified_distance(ops, y, p, parameters), parameters.gamma), parameters)


def symmetric_focal_tversky(**parameters: Any) -> LossFunction:
    """Return the symmetric focal Tversky loss (see `Parameters`). With the mean over the classes its value is in [0, 1]."""
    return loss_function(NAME, Parameters, formula, parameters)
