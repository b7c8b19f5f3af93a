"""Symmetric Unified Focal loss."""

from typing import Any

from workflow_lib.losses import symmetric_focal, symmetric_focal_tversky
from workflow_lib.losses._terms import LossFunction, Ops, Tensor, loss_function
from workflow_lib.losses._unified import ARTICLE, UnifiedParameters

NAME = "symmetric_unified_focal"
LABEL = "Symmetric Unified Focal loss"
CITATION = ARTICLE
EQUATION = r"\mathcal{L}_{SUF} = \lambda \mathcal{L}_{SFT} + (1 - \lambda) \mathcal{L}_{SF}"
FAMILY = "compound"
BUILT_FROM: tuple[str, ...] = ("symmetric_focal", "symmetric_focal_tversky")
CURVES = ("gamma", (0.0, 0.25, 0.5, 0.75))
NOTES: tuple[str, ...] = (
    "It contains, exactly or up to a constant: λ = 1 the symmetric focal Tversky, with γ = 0 the Tversky, with δ = 1/2 the Dice "
    "loss (all with ε for s); λ = 0 the symmetric focal, with δ = 1/2 half the focal loss of α = 1 (`null`), with γ = 0 half the "
    "cross entropy; λ = δ = 1/2, γ = 0 is 3/4 of the combo loss with α = 1/3, plus 1/2.",
    "λ and γ are those of the authors' code: `weight` is on the Tversky term, the focal term has the exponent γ and the Tversky "
    "term 1 − γ. Other descriptions of this loss put λ on the focal term and swap the exponents; at the defaults all are the "
    "same.",
)


class Parameters(UnifiedParameters):
    """Parameters of the symmetric Unified Focal loss."""


def formula(ops: Ops, y: Tensor, p: Tensor, parameters: Parameters) -> Tensor:
    """Return lambda focal Tversky + (1 - lambda) focal."""
    region = symmetric_focal_tversky.formula(ops, y, p, parameters.of_tversky())
    distribution = symmetric_focal.formula(ops, y, p, parameters.of_focal())
    return parameters.weight * region + (1.0 - parameters.weight) * distribution


def symmetric_unified_focal(**parameters: Any) -> LossFunction:
    """Return the symmetric Unified Focal loss (see `Parameters`). Its value is never negative."""
    return loss_function(NAME, Parameters, formula, parameters)
