"""Focal loss."""

from typing import Any

from pydantic import Field, model_validator

from workflow_lib.losses._parameters import LossParameters, Number, PerClass, Share
from workflow_lib.losses._terms import (
    LossFunction,
    Ops,
    Tensor,
    class_weights,
    clip_probabilities,
    cross_entropy_terms,
    loss_function,
    mean_over_voxels,
    power,
)

NAME = "focal"
LABEL = "Focal loss"
CITATION = (
    "T.-Y. Lin, P. Goyal, R. Girshick, K. He, P. Dollár, Focal Loss for Dense Object Detection, ICCV 2017, arXiv:1708.02002. "
    "Eq. 6 and 7 of Yeung et al., arXiv:2102.04525v1."
)
EQUATION = (
    r"\mathcal{L}_{F} = -\frac{1}{N} \sum_{i=1}^{N} \sum_{c=1}^{C} \alpha \left(1 - q_{ic}\right)^{\gamma} y_{ic} \log q_{ic}"
)
FAMILY = "distribution"
BUILT_FROM: tuple[str, ...] = ("cross_entropy",)
PRESETS: dict[str, dict[str, Any]] = {}
CURVES = ("gamma", (0.0, 1.0, 2.0, 3.0))
NOTES: tuple[str, ...] = (
    "Eq. 6 and 7 print the modulating factor outside the sum over voxels. It belongs inside, as in Lin et al.: it depends on the "
    "probability of each voxel.",
    "α is one number for all classes, as in the paper (0.25). Adam does not notice the scale of the focal loss alone; in the "
    "Mixed Focal loss it is a weight of 1/4. `null` means 1, a list gives one weight per class, and `alpha_t: true` is the "
    "weight of Lin et al., α for the foreground and 1 − α for the background.",
)


def check_alpha(alpha: float | tuple[float, ...] | None, alpha_t: bool) -> None:
    """Check that alpha is one number if Lin's alpha_t is used.

    Parameters
    ----------
    alpha : float, tuple of float or None
        Weight of all classes, or one weight per class.
    alpha_t : bool
        Whether the background has the weight 1 - alpha.

    Raises
    ------
    ValueError
        If `alpha_t` is true and `alpha` is not one number.
    """
    if alpha_t and not isinstance(alpha, float):
        raise ValueError("alpha_t: true needs alpha to be one number in [0, 1]")


class Parameters(LossParameters):
    """Parameters of the focal loss."""

    alpha: Share | PerClass | None = Field(
        0.25, description="α: weight of all classes, or one weight per class (background first); null is 1."
    )
    gamma: Number = Field(2.0, ge=0, le=10, description="γ: how strongly voxels that are already right are weighed down; 0: not.")
    alpha_t: bool = Field(False, description="Weigh the background by 1 − α (Lin's α_t) instead of α; α must be one number.")

    @model_validator(mode="after")
    def _alpha_t_needs_one_number(self) -> "Parameters":
        check_alpha(self.alpha, self.alpha_t)
        return self


def formula(ops: Ops, y: Tensor, p: Tensor, parameters: Parameters) -> Tensor:
    """Return -alpha (1 - q)^gamma y log q, summed over the classes and averaged over batch and voxels."""
    q = clip_probabilities(ops, p)
    terms = power(ops, 1.0 - q, parameters.gamma) * cross_entropy_terms(ops, y, q)
    return mean_over_voxels(ops, terms * _weights(ops, terms, parameters))


def _weights(ops: Ops, terms: Tensor, parameters: Parameters) -> Tensor | float:
    alpha = parameters.alpha
    if alpha is None:
        return 1.0
    if isinstance(alpha, tuple):
        return class_weights(ops, alpha, terms, "loss 'focal': parameter 'alpha'")
    if parameters.alpha_t:
        return class_weights(ops, [1.0 - alpha] + [alpha] * (terms.shape[-1] - 1), terms, "loss 'focal': parameter 'alpha'")
    return alpha


def focal(**parameters: Any) -> LossFunction:
    """Return the focal loss.

    Parameters
    ----------
    alpha : a number in [0, 1] or a list with one value per class, each a number in [0, ∞) or None, default 0.25
        α: weight of all classes, or one weight per class (background first); null is 1.
    gamma : a number in [0, 10], default 2
        γ: how strongly voxels that are already right are weighed down; 0: not.
    alpha_t : bool, default False
        Weigh the background by 1 − α (Lin's α_t) instead of α; α must be one number.

    Returns
    -------
    LossFunction
        Function of one-hot ground truth and softmax output, both (batch, spatial axes, classes). It
        returns a scalar of 0 or more.

    Raises
    ------
    Faults
        With all invalid parameters.

    References
    ----------
    T.-Y. Lin, P. Goyal, R. Girshick, K. He, P. Dollár, Focal Loss for Dense Object Detection, ICCV 2017, arXiv:1708.02002.
    Eq. 6 and 7 of Yeung et al., arXiv:2102.04525v1.

    Examples
    --------
    For the two voxels: 0.25 · (0.2² · (-log 0.8) + 0.4² · (-log 0.6)) / 2.

    >>> y_true, y_pred = [[[1, 0], [0, 1]]], [[[0.8, 0.2], [0.4, 0.6]]]
    >>> round(focal().evaluate(y_true, y_pred), 4)
    0.0113
    """
    return loss_function(NAME, Parameters, formula, parameters)
