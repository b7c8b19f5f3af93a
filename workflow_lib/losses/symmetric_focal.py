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
    """Return the mean of (1 - q)^gamma CE, with the weight 1 - delta for the background and delta for the others."""
    q = clip_probabilities(ops, p)
    terms = power(ops, 1.0 - q, parameters.gamma) * cross_entropy_terms(ops, y, q)
    weights = [1.0 - parameters.delta] + [parameters.delta] * (q.shape[-1] - 1)
    return mean_over_voxels(ops, terms * ops.array(weights, dtype=terms.dtype))


def symmetric_focal(**parameters: Any) -> LossFunction:
    """Return the symmetric focal loss of the Unified Focal family.

    Parameters
    ----------
    delta : a number in [0, 1], default 0.7
        δ: weight of the foreground classes; the background has 1 − δ.
    gamma : a number in [0, 10], default 2
        γ: how strongly voxels that are already right are weighed down; 0: not.

    Returns
    -------
    LossFunction
        Function of one-hot ground truth and softmax output, both (batch, spatial axes, classes). It
        returns a scalar in [0, 16.12].

    Raises
    ------
    Faults
        With all invalid parameters.

    References
    ----------
    M. Yeung, E. Sala, C.-B. Schönlieb, L. Rundo, Unified Focal loss: Generalising Dice and cross entropy-based losses to
    handle class imbalanced medical image segmentation, Computerized Medical Imaging and Graphics 95, 2022,
    arXiv:2102.04525v4.

    Examples
    --------
    For the two voxels: (0.3 · 0.2² · (-log 0.8) + 0.7 · 0.4² · (-log 0.6)) / 2.

    >>> y_true, y_pred = [[[1, 0], [0, 1]]], [[[0.8, 0.2], [0.4, 0.6]]]
    >>> round(symmetric_focal().evaluate(y_true, y_pred), 4)
    0.0299
    """
    return loss_function(NAME, Parameters, formula, parameters)
