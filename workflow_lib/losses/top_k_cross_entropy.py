"""Top-k cross entropy."""

import math
from typing import Any, Literal

from pydantic import Field

from workflow_lib.losses._parameters import LossParameters, Number
from workflow_lib.losses._terms import (
    LossFunction,
    Ops,
    Tensor,
    cast,
    clip_probabilities,
    counted_axes,
    cross_entropy_terms,
    loss_function,
)

NAME = "top_k_cross_entropy"
LABEL = "Top-k cross entropy loss"
CITATION = (
    "Z. Wu, C. Shen, A. van den Hengel, Bridging Category-level and Instance-level Semantic Image Segmentation, 2016, "
    "arXiv:1605.06885."
)
EQUATION = (
    r"\mathcal{L}_{TK} = \frac{1}{k} \sum_{i \in T_k} \sum_{c=1}^{C} -y_{ic} \log q_{ic}, \quad "
    r"T_k: \mathrm{the}\; k \;\mathrm{voxels\; of\; largest\; cross\; entropy}"
)
FAMILY = "distribution"
BUILT_FROM: tuple[str, ...] = ("cross_entropy",)
CURVES = ("share", (0.02, 0.1, 0.5, 1.0))
NOTES: tuple[str, ...] = (
    "The share of 10 % and the choice over the whole batch are nnU-Net's.",
    "Voxels of equal cross entropy at the limit share what is left of k, so that the order of the voxels does not matter. The "
    "limit is found by bisection, without sorting: to 2e-8, or to the precision of float32 where that is coarser.",
)

HALVINGS = 30
"""Number of bisection steps. The range of the cross entropy, 16.12, divided by 2**30 is 1.5e-8."""

BELOW = -1e-6
"""A value below every cross entropy."""

ROUNDING = 1e-9
"""Subtracted from share * n, so that 0.1 * 30 is not slightly more than 3 because of rounding errors."""


class Parameters(LossParameters):
    """Parameters of the top-k cross entropy."""

    share: Number = Field(0.1, gt=0, le=1, description="k as a share of the voxels; 1 is the cross entropy.")
    over: Literal["batch", "sample"] = Field(
        "batch", description="Choose the k voxels from the whole batch, or from each sample and average."
    )


def formula(ops: Ops, y: Tensor, p: Tensor, parameters: Parameters) -> Tensor:
    """Return the mean cross entropy of the k voxels with the largest values."""
    values = ops.sum(cross_entropy_terms(ops, y, clip_probabilities(ops, p)), axis=-1, keepdims=True)
    axes = counted_axes(values, parameters.over)
    k = _how_many(ops, values, axes, parameters.share)
    low, high = _around_kth_largest(ops, values, axes, k)
    n_above, n_within = _count(ops, values > high, axes), _count(ops, values > low, axes)
    # The k-th largest value is between the limits, so the denominator is at least 1.
    part = cast(ops, k - n_above, values.dtype) / cast(ops, n_within - n_above, values.dtype)
    one = ops.ones_like(values)
    weights = ops.where(values > high, one, ops.where(values > low, part * one, ops.zeros_like(values)))
    return ops.mean(ops.sum(weights * values, axis=axes, keepdims=True) / cast(ops, k, values.dtype))


def _how_many(ops: Ops, values: Tensor, axes: tuple[int, ...], share: float) -> Tensor:
    """Return k = max(1, ceil(share * n)) as an integer tensor."""
    sides = [values.shape[axis] for axis in axes]
    if None not in sides:
        return ops.array(max(1, math.ceil(share * math.prod(sides) - ROUNDING)), dtype="int32")
    # Only Keras tensors can have a side that is unknown before the graph runs.
    n = ops.cast(ops.prod(ops.stack([ops.shape(values)[axis] for axis in axes])), "float64")
    return ops.cast(ops.maximum(ops.ceil(share * n - ROUNDING), 1.0), "int32")


def _around_kth_largest(ops: Ops, values: Tensor, axes: tuple[int, ...], k: Tensor) -> tuple[Tensor, Tensor]:
    """Return (low, high) after bisection, with the k-th largest value in (low, high]."""
    high = ops.max(values, axis=axes, keepdims=True)
    low = ops.full_like(high, BELOW)
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        enough = _count(ops, values > middle, axes) >= k
        low, high = ops.where(enough, middle, low), ops.where(enough, high, middle)
    return low, high


def _count(ops: Ops, chosen: Tensor, axes: tuple[int, ...]) -> Tensor:
    return cast(ops, ops.sum(chosen, axis=axes, keepdims=True), "int32")


def top_k_cross_entropy(**parameters: Any) -> LossFunction:
    """Return the top-k cross entropy loss.

    Parameters
    ----------
    share : a number in (0, 1], default 0.1
        k as a share of the voxels; 1 is the cross entropy.
    over : 'batch' or 'sample', default 'batch'
        Choose the k voxels from the whole batch, or from each sample and average.

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
    Z. Wu, C. Shen, A. van den Hengel, Bridging Category-level and Instance-level Semantic Image Segmentation, 2016,
    arXiv:1605.06885.

    Examples
    --------
    With two voxels, k is 1. The largest cross entropy is -log 0.6.

    >>> y_true, y_pred = [[[1, 0], [0, 1]]], [[[0.8, 0.2], [0.4, 0.6]]]
    >>> round(top_k_cross_entropy(share=0.5).evaluate(y_true, y_pred), 4)
    0.5108
    """
    return loss_function(NAME, Parameters, formula, parameters)
