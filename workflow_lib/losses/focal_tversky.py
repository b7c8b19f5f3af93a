"""Focal Tversky loss."""

from typing import Any

from pydantic import Field

from workflow_lib.losses._parameters import Number, OverlapParameters, Share
from workflow_lib.losses._terms import (
    DISTANCE_FLOOR,
    LossFunction,
    Ops,
    Tensor,
    clip_probabilities,
    loss_function,
    power,
    reduce_classes,
    tversky_distance,
)

NAME = "focal_tversky"
LABEL = "Focal Tversky loss"
CITATION = (
    "N. Abraham, N. M. Khan, A Novel Focal Tversky Loss Function with Improved Attention U-Net for Lesion Segmentation, "
    "ISBI 2019, arXiv:1810.07842. Eq. 14 of Yeung et al., arXiv:2102.04525v1."
)
EQUATION = r"\mathcal{L}_{FT} = \frac{1}{C} \sum_{c=1}^{C} \left(1 - \mathrm{TI}_c(\delta)\right)^{1/\gamma}"
FAMILY = "region"
BUILT_FROM: tuple[str, ...] = ("tversky",)
PRESETS: dict[str, dict[str, Any]] = {"paper-literal": {"class_reduction": "sum"}}
CURVES = ("gamma", (1.0, 4 / 3, 2.0, 3.0))
NOTES: tuple[str, ...] = (
    "The exponent is 1/γ, as in Eq. 14 and Abraham and Khan. The authors' code of the time names the exponent itself gamma: its "
    "0.75 is γ = 4/3 here.",
    "TP, FN and FP are counted on the clipped probabilities q, so that the gradient stays finite at perfect overlap; 1 − TI is "
    "kept above 1e-12 for the cases where clipping does not reach (δ of 0 or 1).",
)


class Parameters(OverlapParameters):
    """Parameters of the focal Tversky loss."""

    delta: Share = Field(0.7, description="δ: weight of false negatives; 1 − δ is that of false positives.")
    gamma: Number = Field(
        4 / 3,
        ge=0.1,
        le=10,
        description="γ: the exponent is 1/γ; above 1 the slope is steepest near full overlap, 1 is the Tversky loss.",
    )


def formula(ops: Ops, y: Tensor, p: Tensor, parameters: Parameters) -> Tensor:
    """Return (1 - TI)^(1/gamma) of clipped probabilities.

    It is reduced by the mean or sum over the classes and the mean over the batch.
    """
    distance = tversky_distance(ops, y, clip_probabilities(ops, p), parameters.delta, parameters)
    powered = power(ops, ops.maximum(distance, DISTANCE_FLOOR), 1.0 / parameters.gamma)
    return reduce_classes(ops, powered, parameters)


def focal_tversky(**parameters: Any) -> LossFunction:
    """Return the focal Tversky loss.

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
    gamma : a number in [0.1, 10], default 4/3
        γ: the exponent is 1/γ; above 1 the slope is steepest near full overlap, 1 is the Tversky loss.

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
    N. Abraham, N. M. Khan, A Novel Focal Tversky Loss Function with Improved Attention U-Net for Lesion Segmentation, ISBI
    2019, arXiv:1810.07842. Eq. 14 of Yeung et al., arXiv:2102.04525v1.

    Examples
    --------
    1 - TI is 0.26/1.06 for the background and 0.34/0.94 for the foreground. With the power 3/4, the mean is
    (0.3485 + 0.4664) / 2.

    >>> y_true, y_pred = [[[1, 0], [0, 1]]], [[[0.8, 0.2], [0.4, 0.6]]]
    >>> round(focal_tversky().evaluate(y_true, y_pred), 4)
    0.4075
    """
    return loss_function(NAME, Parameters, formula, parameters)
