"""Dilated balanced cross entropy."""

import math
from typing import Any, Literal

from pydantic import Field

from workflow_lib.losses import balanced_cross_entropy
from workflow_lib.losses._distances import DISTANCE_LIMIT, squared_distances
from workflow_lib.losses._parameters import Number
from workflow_lib.losses._terms import LossFunction, Ops, Tensor, counted_axes, loss_function
from workflow_lib.losses.balanced_cross_entropy import class_shares, weighted_cross_entropy

NAME = "dilated_balanced_cross_entropy"
LABEL = "Dilated balanced cross entropy loss"
CITATION = (
    "S. M. Hosseini, M. Soleymani Baghshah, Dilated Balanced Cross Entropy Loss for Medical Image Segmentation, arXiv:2412.06045."
)
EQUATION = (
    r"\mathcal{L}_{DBCE} = \sum_{i} w_i \sum_{c=1}^{C} -y_{ic} \log q_{ic}, \quad "
    r"w_i = \frac{1}{K} \sum_{c=1}^{C} \frac{\left[i \in D_c\right]}{\left|D_c\right|}, \quad "
    r"D_c = \left\{i : \min_{j \in c} \left\Vert i - j \right\Vert \leq R\right\}"
)
FAMILY = "distribution"
BUILT_FROM: tuple[str, ...] = ("balanced_cross_entropy",)
CURVES = ("radius", (0.0, 1.0, 3.0, 8.0))
NOTES: tuple[str, ...] = (
    "The mask of each class is dilated by a Euclidean ball of radius R voxels, and the weights come from the dilated areas: each "
    "class counts together with its surroundings. With the defaults R = 0 is exactly the balanced cross entropy, and an R that "
    "reaches every voxel of the image exactly the cross entropy.",
    "Only the abstract and a sentence on the method are public as we write this. The default radius of 3 voxels, the division by "
    "K (the number of classes present) and the choices below are ours; each is a parameter.",
    "Distances are counted on the voxel grid that the network sees. The dilation runs inside the training step, and its cost "
    "grows with the radius.",
)


class Parameters(balanced_cross_entropy.Parameters):
    """Parameters of the dilated balanced cross entropy."""

    radius: Number = Field(3.0, ge=0, le=DISTANCE_LIMIT, description="R: radius of the dilation, in voxels.")
    overlap: Literal["sum", "max"] = Field(
        "sum",
        description="Where dilated classes overlap: the sum of their weights, or the greatest (then scaled so that the weights "
        "sum to 1 again).",
    )
    dilate_background: bool = Field(True, description="Whether the background is dilated as the other classes are.")


def formula(ops: Ops, y: Tensor, p: Tensor, parameters: Parameters) -> Tensor:
    """Return the cross entropy with weights from the dilated areas of the classes."""
    shares = class_shares(ops, y, _dilated(ops, y, parameters), parameters.frequencies)
    if parameters.overlap == "sum":
        weights = ops.sum(shares, axis=-1, keepdims=True)
    else:
        greatest = ops.max(shares, axis=-1, keepdims=True)
        total = ops.sum(greatest, axis=counted_axes(y, parameters.frequencies), keepdims=True)
        weights = greatest / ops.where(total > 0, total, ops.ones_like(total))
    return weighted_cross_entropy(ops, y, p, weights, parameters.frequencies)


def _dilated(ops: Ops, y: Tensor, parameters: Parameters) -> Tensor:
    """Return the dilated masks of all classes, 0 or 1 in the dtype of y."""
    one, zero = ops.array(1, dtype=y.dtype), ops.array(0, dtype=y.dtype)
    first = 0 if parameters.dilate_background else 1
    squares = squared_distances(ops, y[..., first:] > 0.5, parameters.radius)
    dilated = ops.where(squares <= math.floor(parameters.radius**2), one, zero)
    return dilated if parameters.dilate_background else ops.concatenate([y[..., :1], dilated], axis=-1)


def dilated_balanced_cross_entropy(**parameters: Any) -> LossFunction:
    """Return the dilated balanced cross entropy loss.

    Parameters
    ----------
    frequencies : 'image' or 'batch', default 'image'
        Count the voxels of each class in every image for itself, or in the whole batch.
    radius : a number in [0, 64], default 3
        R: radius of the dilation, in voxels.
    overlap : 'sum' or 'max', default 'sum'
        Where dilated classes overlap: the sum of their weights, or the greatest (then scaled so that the weights sum to 1
        again).
    dilate_background : bool, default True
        Whether the background is dilated as the other classes are.

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
    S. M. Hosseini, M. Soleymani Baghshah, Dilated Balanced Cross Entropy Loss for Medical Image Segmentation,
    arXiv:2412.06045.

    Examples
    --------
    After dilation by one voxel, the background covers all three voxels and the foreground the last two. The
    weights are 1/6, 1/6 + 1/4 and 1/6 + 1/4, and the loss is -log 0.9 / 6 - 5/12 · (log 0.8 + log 0.6).

    >>> y_true, y_pred = [[[1, 0], [1, 0], [0, 1]]], [[[0.9, 0.1], [0.8, 0.2], [0.4, 0.6]]]
    >>> round(dilated_balanced_cross_entropy(radius=1).evaluate(y_true, y_pred), 4)
    0.3234
    """
    return loss_function(NAME, Parameters, formula, parameters)
