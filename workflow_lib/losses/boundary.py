"""Boundary loss."""

from typing import Any

from pydantic import Field

from workflow_lib.losses._distances import squared_distances
from workflow_lib.losses._parameters import LossParameters, Number
from workflow_lib.losses._terms import LossFunction, Ops, Tensor, cast, loss_function

NAME = "boundary"
LABEL = "Boundary loss"
CITATION = (
    "H. Kervadec, J. Bouchtiba, C. Desrosiers, E. Granger, J. Dolz, I. Ben Ayed, Boundary loss for highly unbalanced "
    "segmentation, MIDL 2019, arXiv:1812.07032."
)
EQUATION = (
    r"\mathcal{L}_{B} = \frac{1}{N C} \sum_{i=1}^{N} \sum_{c} \phi_{ic} p_{ic}, \quad "
    r"\phi_{ic} = d\left(i, c\right) \;\mathrm{outside\; of\; class}\; c, \quad "
    r"\phi_{ic} = 1 - d\left(i, \mathrm{not}\; c\right) \;\mathrm{inside}"
)
FAMILY = "boundary"
BUILT_FROM: tuple[str, ...] = ()
CURVES = ("max_distance", (2.0, 5.0, 10.0))
NOTES: tuple[str, ...] = (
    "A probability costs its signed distance in voxels from the boundary of the class: positive outside, negative inside, 0 on "
    "the outermost voxels of the class. So the loss can be negative.",
    "Distances are cut off at `max_distance`, which is ours (Kervadec et al. do not cut): farther away the pull is constant. "
    "They are computed inside the training step, exactly up to there.",
    "A class that is absent from a sample adds nothing, as in the authors' code: alone the loss cannot teach that nothing is "
    "there. Combine it: `{loss: weighted_sum, parameters: {terms: [{loss: dice}, {loss: boundary, weight: 0.1}]}}`. The authors "
    "raise its weight during the training; here it is constant.",
)


class Parameters(LossParameters):
    """Parameters of the boundary loss."""

    max_distance: Number = Field(5.0, ge=1, le=63, description="Distance in voxels at which the signed distance is cut off.")
    include_background: bool = Field(False, description="Whether the background counts as one of the classes.")


def formula(ops: Ops, y: Tensor, p: Tensor, parameters: Parameters) -> Tensor:
    """Return the mean of signed distance times probability over batch, voxels and classes."""
    first = 0 if parameters.include_background else 1
    return ops.mean(signed_distances(ops, y[..., first:], parameters.max_distance) * p[..., first:])


def signed_distances(ops: Ops, y: Tensor, cut: float) -> Tensor:
    """Return the signed distance of every voxel from each class.

    Parameters
    ----------
    ops : module
        `keras.ops`, or `numpy`.
    y : tensor
        One-hot ground truth, (batch, spatial axes, classes).
    cut : float
        Distance in voxels to which the result is clipped.

    Returns
    -------
    tensor
        Tensor of the same shape in voxels, clipped to [-cut, cut]. It is negative inside the class, and 0
        for a class that is absent from the sample.
    """
    members = y > 0.5
    # The limit is larger by one voxel, because 1 is subtracted inside the class.
    squares = squared_distances(ops, ops.concatenate([members, ops.logical_not(members)], axis=-1), cut + 1)
    classes = y.shape[-1]
    distances = ops.sqrt(cast(ops, ops.where(members, squares[..., classes:], squares[..., :classes]), y.dtype))
    signed = ops.clip(ops.where(members, 1.0 - distances, distances), -cut, cut)
    present = ops.any(members, axis=tuple(range(1, len(y.shape) - 1)), keepdims=True)
    return signed * cast(ops, present, y.dtype)


def boundary(**parameters: Any) -> LossFunction:
    """Return the boundary loss.

    Parameters
    ----------
    max_distance : a number in [1, 63], default 5
        Distance in voxels at which the signed distance is cut off.
    include_background : bool, default False
        Whether the background counts as one of the classes.

    Returns
    -------
    LossFunction
        Function of one-hot ground truth and softmax output, both (batch, spatial axes, classes). It
        returns a scalar in [-max_distance, max_distance]. The value is negative if the probabilities are
        inside the class.

    Raises
    ------
    Faults
        With all invalid parameters.

    References
    ----------
    H. Kervadec, J. Bouchtiba, C. Desrosiers, E. Granger, J. Dolz, I. Ben Ayed, Boundary loss for highly unbalanced
    segmentation, MIDL 2019, arXiv:1812.07032.

    Examples
    --------
    The background voxels are 2 and 1 voxels from the foreground. The only foreground voxel is on the boundary:
    (2 · 0.1 + 1 · 0.2 + 0 · 0.6) / 3.

    >>> y_true, y_pred = [[[1, 0], [1, 0], [0, 1]]], [[[0.9, 0.1], [0.8, 0.2], [0.4, 0.6]]]
    >>> round(boundary().evaluate(y_true, y_pred), 4)
    0.1333
    """
    return loss_function(NAME, Parameters, formula, parameters)
