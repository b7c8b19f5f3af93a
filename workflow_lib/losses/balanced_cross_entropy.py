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
    """Return (1/K) [c in area] / |area of c| of every voxel and class; the sum over voxels and classes is 1.

    Parameters
    ----------
    ops : module
        `keras.ops`, or `numpy`.
    y : tensor
        One-hot ground truth, (batch, spatial axes, classes).
    areas : tensor
        Of the same shape, 1 inside the area of a class, else 0.
    frequencies : str
        'image' or 'batch': whether K, the number of classes present in y, is that of each image or of all together.

    Returns
    -------
    tensor
        Of the same shape; 0 everywhere without any class.
    """
    axes = counted_axes(y, frequencies)
    sizes = ops.sum(areas, axis=axes, keepdims=True)
    voxels = ops.sum(y, axis=axes, keepdims=True)
    one, zero = ops.array(1, dtype=y.dtype), ops.array(0, dtype=y.dtype)
    present = ops.where(voxels > 0, one, zero)
    classes = ops.maximum(ops.sum(present, axis=-1, keepdims=True), one)
    return areas * (present / (classes * ops.where(sizes > 0, sizes, one)))


def weighted_cross_entropy(ops: Ops, y: Tensor, p: Tensor, weights: Tensor, frequencies: str) -> Tensor:
    """Return the cross entropy, summed with one weight per voxel.

    Parameters
    ----------
    ops : module
        `keras.ops`, or `numpy`.
    y : tensor
        One-hot ground truth, (batch, spatial axes, classes).
    p : tensor
        Softmax output, of the same shape.
    weights : tensor
        (batch, spatial axes, 1).
    frequencies : str
        'image' or 'batch': whether the weights sum to 1 in each image, or in all together.

    Returns
    -------
    tensor
        A scalar: the mean over the images of their sums, or one sum.
    """
    total = ops.sum(weights * cross_entropy_terms(ops, y, clip_probabilities(ops, p)), axis=counted_axes(y, frequencies))
    return ops.mean(ops.sum(total, axis=-1))


def formula(ops: Ops, y: Tensor, p: Tensor, parameters: Parameters) -> Tensor:
    """Return the mean over the classes present of the mean of -log q over the voxels of the class."""
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
        Of one-hot ground truth and softmax output, both (batch, spatial axes, classes), to a scalar: in [0, 16.12].

    Raises
    ------
    Faults
        With every parameter that is wrong.

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
