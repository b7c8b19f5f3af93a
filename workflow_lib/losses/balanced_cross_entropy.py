"""Balanced cross entropy."""

from typing import Any, Literal

from pydantic import Field

from workflow_lib.losses._parameters import LossParameters
from workflow_lib.losses._terms import (
    LossFunction,
    Ops,
    Tensor,
    clip_probabilities,
    counted_axes,
    cross_entropy_terms,
    loss_function,
)

NAME = "balanced_cross_entropy"
LABEL = "Balanced cross entropy loss"
CITATION = (
    "S. Xie, Z. Tu, Holistically-Nested Edge Detection, ICCV 2015, arXiv:1504.06375 (two classes); here for any number of "
    "classes, as the baseline of arXiv:2412.06045."
)
EQUATION = (
    r"\mathcal{L}_{BCE} = \frac{1}{K} \sum_{c \in \mathrm{present}} \frac{1}{N_c} \sum_{i \in c} -\log q_{ic}, \quad "
    r"N_c = \sum_{i} y_{ic}"
)
FAMILY = "distribution"
BUILT_FROM: tuple[str, ...] = ("cross_entropy",)
NOTES: tuple[str, ...] = (
    "K is the number of classes that are present. Each of them has the same weight in an image, whatever its size.",
    "It is the dilated balanced cross entropy with radius 0.",
)


class Parameters(LossParameters):
    """Parameters of the balanced cross entropy."""

    frequencies: Literal["image", "batch"] = Field(
        "image", description="Count the voxels of each class in every image for itself, or in the whole batch."
    )


def class_shares(ops: Ops, y: Tensor, areas: Tensor, frequencies: str) -> Tensor:
    """Return (1/K) [voxel in area of c] / |area of c| for every voxel and class c; the sum of all is 1.

    Parameters
    ----------
    ops : module
        `keras.ops`, or `numpy`.
    y : tensor
        One-hot ground truth, (batch, spatial axes, classes).
    areas : tensor
        Tensor of the same shape, 1 inside the area of a class, else 0.
    frequencies : str
        'image' or 'batch': whether K, the number of classes present in y, is counted per image or for the
        whole batch.

    Returns
    -------
    tensor
        Tensor of the same shape; 0 everywhere if no class is present.
    """
    axes = counted_axes(y, frequencies)
    sizes = ops.sum(areas, axis=axes, keepdims=True)
    voxels = ops.sum(y, axis=axes, keepdims=True)
    one, zero = ops.array(1, dtype=y.dtype), ops.array(0, dtype=y.dtype)
    present = ops.where(voxels > 0, one, zero)
    classes = ops.maximum(ops.sum(present, axis=-1, keepdims=True), one)
    return areas * (present / (classes * ops.where(sizes > 0, sizes, one)))


def weighted_cross_entropy(ops: Ops, y: Tensor, p: Tensor, weights: Tensor, frequencies: str) -> Tensor:
    """Return the weighted sum of the cross entropy, with one weight per voxel.

    Parameters
    ----------
    ops : module
        `keras.ops`, or `numpy`.
    y : tensor
        One-hot ground truth, (batch, spatial axes, classes).
    p : tensor
        Softmax output, of the same shape.
    weights : tensor
        Weights of shape (batch, spatial axes, 1).
    frequencies : str
        'image' or 'batch': whether the weights add up to 1 in each image, or in the whole batch.

    Returns
    -------
    tensor
        A scalar: the mean of the sums of the images, or the sum over the batch.
    """
    total = ops.sum(weights * cross_entropy_terms(ops, y, clip_probabilities(ops, p)), axis=counted_axes(y, frequencies))
    return ops.mean(ops.sum(total, axis=-1))


def formula(ops: Ops, y: Tensor, p: Tensor, parameters: Parameters) -> Tensor:
    """Return the mean of -log q over the voxels of each class, averaged over the classes present."""
    weights = ops.sum(class_shares(ops, y, y, parameters.frequencies), axis=-1, keepdims=True)
    return weighted_cross_entropy(ops, y, p, weights, parameters.frequencies)


def balanced_cross_entropy(**parameters: Any) -> LossFunction:
    """Return the balanced cross entropy loss.

    Parameters
    ----------
    frequencies : 'image' or 'batch', default 'image'
        Count the voxels of each class in every image for itself, or in the whole batch.

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
    S. Xie, Z. Tu, Holistically-Nested Edge Detection, ICCV 2015, arXiv:1504.06375 (two classes); here for any number of
    classes, as the baseline of arXiv:2412.06045.

    Examples
    --------
    The background has two voxels, the foreground one: (-(log 0.9 + log 0.8) / 2 - log 0.6) / 2.

    >>> y_true, y_pred = [[[1, 0], [1, 0], [0, 1]]], [[[0.9, 0.1], [0.8, 0.2], [0.4, 0.6]]]
    >>> round(balanced_cross_entropy().evaluate(y_true, y_pred), 4)
    0.3375
    """
    return loss_function(NAME, Parameters, formula, parameters)
