"""Cosine Tversky loss."""

import math
from typing import Any

from pydantic import Field

from workflow_lib.losses._parameters import Number, OverlapParameters, Share
from workflow_lib.losses._terms import LossFunction, Ops, Tensor, loss_function, power, reduce_classes, tversky_distance

NAME = "cosine_tversky"
LABEL = "Cosine Tversky loss"
CITATION = (
    "M. Yeung, E. Sala, C.-B. Schönlieb, L. Rundo, A Mixed Focal Loss Function for Handling Class Imbalanced Medical Image "
    "Segmentation, arXiv:2102.04525v1, Eq. 15."
)
EQUATION = r"\mathcal{L}_{CT} = \frac{1}{C} \sum_{c=1}^{C} \cos^{\gamma}\left(\frac{\pi}{2} \mathrm{TI}_c(\delta)\right)"
FAMILY = "region"
BUILT_FROM: tuple[str, ...] = ("tversky",)
PRESETS: dict[str, dict[str, Any]] = {"paper-literal": {"class_reduction": "sum"}}
CURVES = ("gamma", (1.0, 2.0, 3.0, 4.0))
NOTES: tuple[str, ...] = (
    "Eq. 15, the curves printed in Fig. 2c (which are cos^{2γ}) and the code that the authors published later (1 − cos^γ(π TI), "
    "which rewards destroying overlap) disagree. Eq. 15 is implemented, and our Fig. 2c draws it.",
    "The index is kept in [0, 1]. γ below 1 is refused: the gradient at perfect overlap would be infinite.",
)


class Parameters(OverlapParameters):
    """Parameters of the cosine Tversky loss."""

    delta: Share = Field(0.7, description="δ: weight of false negatives; 1 − δ is that of false positives.")
    gamma: Number = Field(
        1.0, ge=1, le=10, description="γ: exponent of the cosine; above 1 it flattens the loss near full overlap."
    )


def formula(ops: Ops, y: Tensor, p: Tensor, parameters: Parameters) -> Tensor:
    """Return cos(pi/2 TI)^gamma, reduced by the mean or sum over the classes and the mean over the batch."""
    distance = ops.clip(tversky_distance(ops, y, p, parameters.delta, parameters), 0.0, 1.0)
    # cos(pi/2 TI) = sin(pi/2 (1 - TI)). The sine is exactly 0 at full overlap and never negative.
    return reduce_classes(ops, power(ops, ops.sin(math.pi / 2 * distance), parameters.gamma), parameters)


def cosine_tversky(**parameters: Any) -> LossFunction:
    """Return the cosine Tversky loss.

    Parameters
    ----------
    class_reduction : 'mean' or 'sum', default 'mean'
        Mean over the classes (the authors' code), or their sum (the equations as printed).
    overlap : 'sample' or 'batch', default 'sample'
        Count TP, FN and FP per sample, then average; or over the whole batch at once.
    include_background : bool, default True
        Whether the background counts as one of the classes.
    smooth : a number in (0, 1], default 1e-6
        s, added to numerator and denominator of the Tversky index, in voxels.
    delta : a number in [0, 1], default 0.7
        δ: weight of false negatives; 1 − δ is that of false positives.
    gamma : a number in [1, 10], default 1
        γ: exponent of the cosine; above 1 it flattens the loss near full overlap.

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
    M. Yeung, E. Sala, C.-B. Schönlieb, L. Rundo, A Mixed Focal Loss Function for Handling Class Imbalanced Medical Image
    Segmentation, arXiv:2102.04525v1, Eq. 15.

    Examples
    --------
    TI is 0.8/1.06 for the background and 0.6/0.94 for the foreground. The mean is
    (cos(π/2 · 0.7547) + cos(π/2 · 0.6383)) / 2.

    >>> y_true, y_pred = [[[1, 0], [0, 1]]], [[[0.8, 0.2], [0.4, 0.6]]]
    >>> round(cosine_tversky().evaluate(y_true, y_pred), 4)
    0.457
    """
    return loss_function(NAME, Parameters, formula, parameters)
