"""Asymmetric focal loss of the Unified Focal family."""

from typing import Any

from workflow_lib.losses._terms import (
    LossFunction,
    Ops,
    Tensor,
    clip_probabilities,
    cross_entropy_terms,
    loss_function,
    mean_over_voxels,
    power,
)
from workflow_lib.losses._unified import ARTICLE, FocalParameters

NAME = "asymmetric_focal"
LABEL = "Asymmetric focal loss"
CITATION = ARTICLE
EQUATION = (
    r"\mathcal{L}_{AF} = -\frac{1}{N} \sum_{i=1}^{N} \left[ (1 - \delta) \left(1 - q_{i1}\right)^{\gamma} y_{i1} \log q_{i1} + "
    r"\delta \sum_{c=2}^{C} y_{ic} \log q_{ic} \right]"
)
FAMILY = "distribution"
BUILT_FROM: tuple[str, ...] = ("symmetric_focal",)
CURVES = ("gamma", (0.0, 1.0, 2.0, 3.0))
NOTES: tuple[str, ...] = (
    "The modulating factor is dropped on the foreground classes (c ≥ 2 in the formula), so that the rare classes keep their full "
    "gradient; the background is still weighed down where it is easy.",
    "Every class but the background counts as rare, as the author states for kidney and tumour; the public code knows two "
    "classes.",
)


class Parameters(FocalParameters):
    """Parameters of the asymmetric focal loss."""


def formula(ops: Ops, y: Tensor, p: Tensor, parameters: FocalParameters) -> Tensor:
    """Return (1 - delta) times the mean of (1 - q)^gamma CE of the background, plus delta times the mean CE of the others."""
    q = clip_probabilities(ops, p)
    terms = cross_entropy_terms(ops, y, q)
    background = mean_over_voxels(ops, power(ops, 1.0 - q[..., :1], parameters.gamma) * terms[..., :1])
    return (1.0 - parameters.delta) * background + parameters.delta * mean_over_voxels(ops, terms[..., 1:])


def asymmetric_focal(**parameters: Any) -> LossFunction:
    """Return the asymmetric focal loss with `delta` and `gamma` (see `Parameters`). Its value is in [0, 16.12]."""
    return loss_function(NAME, Parameters, formula, parameters)
