"""Dice loss plus cross entropy."""

from typing import Any

from pydantic import Field

from workflow_lib.losses import cross_entropy, dice
from workflow_lib.losses._parameters import OverlapParameters, Weight
from workflow_lib.losses._terms import LossFunction, Ops, Tensor, loss_function

NAME = "dice_cross_entropy"
LABEL = "Dice + cross entropy loss"
CITATION = (
    "F. Isensee, P. F. Jaeger, S. A. A. Kohl, J. Petersen, K. H. Maier-Hein, nnU-Net: a self-configuring method for deep "
    "learning-based biomedical image segmentation, Nature Methods 18, 2021."
)
EQUATION = r"\mathcal{L}_{D+CE} = w_D \mathcal{L}_{D} + w_{CE} \mathcal{L}_{CE}"
FAMILY = "compound"
BUILT_FROM: tuple[str, ...] = ("cross_entropy", "dice")
CURVES = ("cross_entropy_weight", (0.5, 1.0, 2.0))
NOTES: tuple[str, ...] = (
    "With both weights 1 it is the combo loss plus 1: the same training. nnU-Net leaves the background out of the Dice term "
    "(`include_background: false`) and, in some of its configurations, counts over the batch (`overlap: batch`).",
)


class Parameters(OverlapParameters):
    """Parameters of Dice plus cross entropy."""

    dice_weight: Weight = Field(1.0, le=1e6, description="Weight of the Dice loss.")
    cross_entropy_weight: Weight = Field(1.0, le=1e6, description="Weight of the cross entropy.")


def formula(ops: Ops, y: Tensor, p: Tensor, parameters: Parameters) -> Tensor:
    """Return the weighted sum of Dice loss and cross entropy."""
    entropy = cross_entropy.formula(ops, y, p, cross_entropy.Parameters())
    return parameters.dice_weight * dice.formula(ops, y, p, parameters) + parameters.cross_entropy_weight * entropy


def dice_cross_entropy(**parameters: Any) -> LossFunction:
    """Return the Dice + cross entropy loss.

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
    dice_weight : a number in [0, 1e+06], default 1
        Weight of the Dice loss.
    cross_entropy_weight : a number in [0, 1e+06], default 1
        Weight of the cross entropy.

    Returns
    -------
    LossFunction
        Function of one-hot ground truth and softmax output, both (batch, spatial axes, classes). It
        returns a scalar in [0, 17.12] with the defaults.

    Raises
    ------
    Faults
        With all invalid parameters.

    References
    ----------
    F. Isensee, P. F. Jaeger, S. A. A. Kohl, J. Petersen, K. H. Maier-Hein, nnU-Net: a self-configuring method for deep
    learning-based biomedical image segmentation, Nature Methods 18, 2021.

    Examples
    --------
    The Dice loss is 0.303, and the cross entropy is 0.367.

    >>> y_true, y_pred = [[[1, 0], [0, 1]]], [[[0.8, 0.2], [0.4, 0.6]]]
    >>> round(dice_cross_entropy().evaluate(y_true, y_pred), 4)
    0.67
    """
    return loss_function(NAME, Parameters, formula, parameters)
