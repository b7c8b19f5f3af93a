"""Generalised Dice loss."""

from typing import Any, Literal

from pydantic import Field

from workflow_lib.losses._parameters import LossParameters, Number
from workflow_lib.losses._terms import LossFunction, Ops, Tensor, counted_axes, loss_function

NAME = "generalised_dice"
LABEL = "Generalised Dice loss"
CITATION = (
    "C. H. Sudre, W. Li, T. Vercauteren, S. Ourselin, M. J. Cardoso, Generalised Dice overlap as a deep learning loss function "
    "for highly unbalanced segmentations, DLMIA 2017, arXiv:1707.03237."
)
EQUATION = (
    r"\mathcal{L}_{GD} = 1 - \frac{2 \sum_{c} w_c \mathrm{TP}_c + s}{\sum_{c} w_c \left(2 \mathrm{TP}_c + \mathrm{FN}_c + "
    r"\mathrm{FP}_c\right) + s}, \quad w_c = \frac{1}{V_c^2}, \quad V_c = \sum_{i} y_{ic}"
)
FAMILY = "region"
BUILT_FROM: tuple[str, ...] = ("dice",)
CURVES = ("weighting", ("square", "simple", "uniform"))
NOTES: tuple[str, ...] = (
    "One overlap for all classes together, each weighted by its volume; the weights are scaled to sum to 1, so that s means the "
    "same whatever the size of the patch.",
    "Sudre et al. leave open what weight a class has that is absent from the patch (1/0). As in NiftyNet, it is the largest of "
    "the classes present, so that false alarms count; `absent: ignore` leaves the class out. Where none of the counted classes "
    "is present, all weigh the same.",
)

POWERS = {"square": 2, "simple": 1, "uniform": 0}


class Parameters(LossParameters):
    """Parameters of the generalised Dice loss."""

    weighting: Literal["square", "simple", "uniform"] = Field(
        "square", description="Weight of a class by its volume V: 1/V², 1/V, or the same for all."
    )
    absent: Literal["largest", "ignore"] = Field(
        "largest", description="Weight of a class that is absent from the ground truth: the largest of the others, or none."
    )
    overlap: Literal["sample", "batch"] = Field("sample", description="Count per sample, then average; or over the whole batch.")
    include_background: bool = Field(True, description="Whether the background counts as one of the classes.")
    smooth: Number = Field(1e-6, gt=0, le=1, description="s, added to numerator and denominator, in voxels.")


def formula(ops: Ops, y: Tensor, p: Tensor, parameters: Parameters) -> Tensor:
    """Return the mean over the batch of 1 - generalised DSC, computed as the quotient of the weighted errors."""
    axes = counted_axes(p, parameters.overlap)
    first = 0 if parameters.include_background else 1
    y, p = y[..., first:], p[..., first:]
    hit = y * p
    weights = _weights(ops, ops.sum(y, axis=axes), parameters)
    errors = ops.sum(weights * ops.sum(y + p - 2 * hit, axis=axes), axis=-1)
    hits = ops.sum(weights * ops.sum(hit, axis=axes), axis=-1)
    return ops.mean(errors / (2 * hits + errors + parameters.smooth))


def _weights(ops: Ops, volumes: Tensor, parameters: Parameters) -> Tensor:
    """Return the weights of the classes, (batch, classes) or (classes,), which add up to 1."""
    one, zero = ops.ones_like(volumes), ops.zeros_like(volumes)
    # Powers of the volume relative to the smallest one, because 1/V^2 can be outside the range of float32.
    smallest = ops.min(ops.where(volumes > 0, volumes, ops.max(volumes, axis=-1, keepdims=True)), axis=-1, keepdims=True)
    present = ops.where(volumes > 0, smallest / ops.where(volumes > 0, volumes, one), zero) ** POWERS[parameters.weighting]
    largest = ops.max(present, axis=-1, keepdims=True)
    weights = ops.where(volumes > 0, present, largest if parameters.absent == "largest" else zero)
    total = ops.sum(weights, axis=-1, keepdims=True)
    return ops.where(total > 0, weights / ops.where(total > 0, total, ops.ones_like(total)), one / volumes.shape[-1])


def generalised_dice(**parameters: Any) -> LossFunction:
    """Return the generalised Dice loss.

    Parameters
    ----------
    weighting : 'square' or 'simple' or 'uniform', default 'square'
        Weight of a class by its volume V: 1/V², 1/V, or the same for all.
    absent : 'largest' or 'ignore', default 'largest'
        Weight of a class that is absent from the ground truth: the largest of the others, or none.
    overlap : 'sample' or 'batch', default 'sample'
        Count per sample, then average; or over the whole batch.
    include_background : bool, default True
        Whether the background counts as one of the classes.
    smooth : a number in (0, 1], default 1e-6
        s, added to numerator and denominator, in voxels.

    Returns
    -------
    LossFunction
        Function of one-hot ground truth and softmax output, both (batch, spatial axes, classes). It
        returns a scalar in [0, 1].

    Raises
    ------
    Faults
        With all invalid parameters.

    References
    ----------
    C. H. Sudre, W. Li, T. Vercauteren, S. Ourselin, M. J. Cardoso, Generalised Dice overlap as a deep learning loss function
    for highly unbalanced segmentations, DLMIA 2017, arXiv:1707.03237.

    Examples
    --------
    The volumes are 2 and 1 voxels, so the weights are proportional to 1/4 and 1. FN + FP is 0.7 in each class,
    and TP is 1.7 and 0.6: 0.875 / (2 · 1.025 + 0.875).

    >>> y_true, y_pred = [[[1, 0], [1, 0], [0, 1]]], [[[0.9, 0.1], [0.8, 0.2], [0.4, 0.6]]]
    >>> round(generalised_dice().evaluate(y_true, y_pred), 4)
    0.2991
    """
    return loss_function(NAME, Parameters, formula, parameters)
