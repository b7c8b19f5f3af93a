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
    """Return the asymmetric Unified Focal loss.

    Parameters
    ----------
    class_reduction : 'mean' or 'sum', default 'mean'
        Mean over the classes (the authors' code), or their sum (the equations as printed).
    overlap : 'sample' or 'batch', default 'sample'
        Count TP, FN and FP per sample, then average; or over the whole batch at once.
    include_background : bool, default True
        Whether the background counts as one of the classes.
    smooth : a number in (0, 1], default 1e-7
        ε, added to numerator and denominator of the Tversky index, in voxels.
    weight : a number in [0, 1], default 0.5
        λ: weight of the focal Tversky term; the focal term has 1 − λ.
    delta : a number in [0, 1], default 0.6
        δ: weight of false negatives in the Tversky term, and of the foreground classes in the focal term.
    gamma : a number in [0, 1), default 0.5
        γ: exponent of the focal term; that of the Tversky term is 1 − γ.

    Returns
    -------
    LossFunction
        Function of one-hot ground truth and softmax output, both (batch, spatial axes, classes). It
        returns a scalar of 0 or more.

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
    1 - TI is 0.28/1.08 for the background and 0.32/0.92 for the foreground. The focal Tversky loss is
    (0.2593 + √0.3478) / 2 = 0.4245, and the focal loss is
    (0.4 · √0.2 · (-log 0.8) + 0.6 · (-log 0.6)) / 2 = 0.1732. Each has the weight 0.5.

    >>> y_true, y_pred = [[[1, 0], [0, 1]]], [[[0.8, 0.2], [0.4, 0.6]]]
    >>> round(asymmetric_unified_focal().evaluate(y_true, y_pred), 4)
    0.2989
    """
    return loss_function(NAME, Parameters, formula, parameters)
