"""Asymmetric Unified Focal loss."""

from typing import Any

from workflow_lib.losses import asymmetric_focal, asymmetric_focal_tversky
from workflow_lib.losses._terms import LossFunction, Ops, Tensor, loss_function
from workflow_lib.losses._unified import ARTICLE, UnifiedParameters

NAME = "asymmetric_unified_focal"
LABEL = "Asymmetric Unified Focal loss"
CITATION = ARTICLE
EQUATION = r"\mathcal{L}_{AUF} = \lambda \mathcal{L}_{AFT} + (1 - \lambda) \mathcal{L}_{AF}"
FAMILY = "compound"
BUILT_FROM: tuple[str, ...] = ("asymmetric_focal", "asymmetric_focal_tversky")
CURVES = ("gamma", (0.0, 0.25, 0.5, 0.75))
NOTES: tuple[str, ...] = (
    "The symmetric form treats all classes alike but for δ; this one keeps the gradient of the rare classes: no modulating "
    "factor on their cross entropy, and the power on their Tversky term alone.",
    "λ and γ are those of the authors' code: `weight` is on the Tversky term, the focal term has the exponent γ and the Tversky "
    "term 1 − γ. Other descriptions of this loss put λ on the focal term and swap the exponents; at the defaults all are the "
    "same.",
)


class Parameters(UnifiedParameters):
    """Parameters of the asymmetric Unified Focal loss."""


def formula(ops: Ops, y: Tensor, p: Tensor, parameters: Parameters) -> Tensor:
    """Return lambda focal Tversky + (1 - lambda) focal."""
    region = asymmetric_focal_tversky.formula(ops, y, p, parameters.of_tversky())
    distribution = asymmetric_focal.formula(ops, y, p, parameters.of_focal())
    return parameters.weight * region + (1.0 - parameters.weight) * distribution


def asymmetric_unified_focal(**parameters: Any) -> LossFunction:
    """Return the asymmetric Unified Focal loss (see `Parameters`). Its value is never negative."""
    return loss_function(NAME, Parameters, formula, parameters)
