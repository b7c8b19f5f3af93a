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
    """Return d^(1 - gamma), reduced by the mean or sum over the classes and the mean over the batch."""
    return reduce_classes(ops, enhanced(ops, unified_distance(ops, y, p, parameters), parameters.gamma), parameters)


def symmetric_focal_tversky(**parameters: Any) -> LossFunction:
    """Return the symmetric focal Tversky loss of the Unified Focal family.

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
    delta : a number in [0, 1], default 0.7
        δ: weight of false negatives; 1 − δ is that of false positives.
    gamma : a number in [0, 1), default 0.75
        γ: the exponent is 1 − γ; 0 is the Tversky loss.

    Returns
    -------
    LossFunction
        Function of one-hot ground truth and softmax output, both (batch, spatial axes, classes). It
        returns a scalar in [0, 1] with the mean over the classes.

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
    1 - TI is 0.26/1.06 for the background and 0.34/0.94 for the foreground. With the power 1/4, the mean is
    (0.7037 + 0.7755) / 2.

    >>> y_true, y_pred = [[[1, 0], [0, 1]]], [[[0.8, 0.2], [0.4, 0.6]]]
    >>> round(symmetric_focal_tversky().evaluate(y_true, y_pred), 4)
    0.7396
    """
    return loss_function(NAME, Parameters, formula, parameters)
