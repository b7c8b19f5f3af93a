"""Symmetric focal loss of the Unified Focal family."""

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

NAME = "symmetric_focal"
LABEL = "Symmetric focal loss"
CITATION = ARTICLE
EQUATION = (
    r"\mathcal{L}_{SF} = -\frac{1}{N} \sum_{i=1}^{N} \left[ (1 - \delta) \left(1 - q_{i1}\right)^{\gamma} y_{i1} \log q_{i1} + "
    r"\delta \sum_{c=2}^{C} \left(1 - q_{ic}\right)^{\gamma} y_{ic} \log q_{ic} \right]"
)
FAMILY = "distribution"
BUILT_FROM: tuple[str, ...] = ("focal",)
CURVES = ("gamma", (0.0, 1.0, 2.0, 3.0))
NOTES: tuple[str, ...] = (
    "With δ = 1/2 it is the focal loss with α = 1/2.",
    "Every class but the background counts as rare, as the author states for kidney and tumour; the public code knows two "
    "classes.",
)


class Parameters(FocalParameters):
    """Parameters of the symmetric focal loss."""


def formula(ops: Ops, y: Tensor, p: Tensor, parameters: FocalParameters) -> Tensor:
    """Return the mean of (1 - q)^gamma CE, weighted by 1 - delta on the background and delta on the other classes."""
    q = clip_probabilities(ops, p)
    terms = power(ops, 1.0 - q, parameters.gamma) * cross_entropy_terms(ops, y, q)
    weights = [1.0 - parameters.delta] + [parameters.delta] * (q.shape[-1] - 1)
    return mean_over_voxels(ops, terms * ops.array(weights, dtype=terms.dtype))


def symmetric_focal(**parameters: Any) -> LossFunction:
    """Return the symmetric focal loss with `delta` and `gamma` (see `Parameters`). Its value is in [0, 16.12]."""
    return loss_function(NAME, Parameters, formula, parameters)
