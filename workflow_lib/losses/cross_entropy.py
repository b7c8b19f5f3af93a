"""Cross entropy."""

from typing import Any

from workflow_lib.losses._parameters import LossParameters
from workflow_lib.losses._terms import (
    LossFunction,
    Ops,
    Tensor,
    clip_probabilities,
    cross_entropy_terms,
    loss_function,
    mean_over_voxels,
)

NAME = "cross_entropy"
LABEL = "Cross entropy loss"
CITATION = (
    "C. M. Bishop, Pattern Recognition and Machine Learning, Springer, 2006, Eq. 4.108. "
    "Eq. 2 of Yeung et al., arXiv:2102.04525v1."
)
EQUATION = r"\mathcal{L}_{CE} = -\frac{1}{N} \sum_{i=1}^{N} \sum_{c=1}^{C} y_{ic} \log q_{ic}"
FAMILY = "distribution"
BUILT_FROM: tuple[str, ...] = ()
PRESETS: dict[str, dict[str, Any]] = {}
NOTES: tuple[str, ...] = ()


class Parameters(LossParameters):
    """Cross entropy has no parameters."""


def formula(ops: Ops, y: Tensor, p: Tensor, parameters: Parameters) -> Tensor:
    """Return -y log q, summed over the classes and averaged over batch and voxels."""
    return mean_over_voxels(ops, cross_entropy_terms(ops, y, clip_probabilities(ops, p)))


def cross_entropy(**parameters: Any) -> LossFunction:
    """Return the cross entropy loss, which has no parameters.

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
    C. M. Bishop, Pattern Recognition and Machine Learning, Springer, 2006, Eq. 4.108. Eq. 2 of Yeung et al.,
    arXiv:2102.04525v1.

    Examples
    --------
    For the two voxels: -(log 0.8 + log 0.6) / 2.

    >>> y_true, y_pred = [[[1, 0], [0, 1]]], [[[0.8, 0.2], [0.4, 0.6]]]
    >>> round(cross_entropy().evaluate(y_true, y_pred), 4)
    0.367
    """
    return loss_function(NAME, Parameters, formula, parameters)
