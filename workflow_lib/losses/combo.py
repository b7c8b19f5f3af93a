"""Combo loss."""

from typing import Any

from pydantic import Field

from workflow_lib.losses import cross_entropy
from workflow_lib.losses._parameters import OverlapParameters, Share
from workflow_lib.losses._terms import (
    LossFunction,
    Ops,
    Tensor,
    clip_probabilities,
    loss_function,
    mean_over_voxels,
    reduce_classes,
    tversky_distance,
)
from workflow_lib.losses.dice import DELTA

NAME = "combo"
LABEL = "Combo loss"
CITATION = (
    "S. A. Taghanaki et al., Combo Loss: Handling Input and Output Imbalance in Multi-Organ Segmentation, Computerized Medical "
    "Imaging and Graphics 75, 2019, arXiv:1805.02798. Eq. 16 to 18 of Yeung et al., arXiv:2102.04525v1."
)
EQUATION = r"\mathcal{L}_{C} = \mathcal{L}_{CE} - \frac{1}{C} \sum_{c=1}^{C} \mathrm{DSC}_c"
FAMILY = "compound"
BUILT_FROM: tuple[str, ...] = ("cross_entropy", "dice")
PRESETS: dict[str, dict[str, Any]] = {"paper-literal": {"class_reduction": "sum"}}
CURVES = ("alpha", (0.25, 0.5, 0.75))
NOTES: tuple[str, ...] = (
    "Eq. 18 is the default: cross entropy minus DSC, unweighted. It differs from cross entropy plus Dice loss by a constant.",
    "With `alpha` it is the general loss α · mCE − (1 − α) · DSC.",
    "With `beta` the cross entropy is that of Eq. 16 and 17, which are misprinted and read "
    "−(1/N) Σ [β t log p + (1 − β)(1 − t) log(1 − p)], summed over the classes: β above 1/2 weighs misses more than false "
    "alarms.",
)


class Parameters(OverlapParameters):
    """Parameters of the combo loss."""

    alpha: Share | None = Field(None, description="α: weight of the cross entropy, 1 − α that of DSC; null: both 1.")
    beta: Share | None = Field(None, description="β: weight of the misses in the cross entropy; null: plain cross entropy.")


def formula(ops: Ops, y: Tensor, p: Tensor, parameters: Parameters) -> Tensor:
    """Return alpha mCE - (1 - alpha) DSC, or cross entropy - DSC if alpha is None."""
    overlap = reduce_classes(ops, 1.0 - tversky_distance(ops, y, p, DELTA, parameters), parameters)
    entropy = _cross_entropy(ops, y, p, parameters.beta)
    if parameters.alpha is None:
        return entropy - overlap
    return parameters.alpha * entropy - (1.0 - parameters.alpha) * overlap


def _cross_entropy(ops: Ops, y: Tensor, p: Tensor, beta: float | None) -> Tensor:
    if beta is None:
        return cross_entropy.formula(ops, y, p, cross_entropy.Parameters())
    q = clip_probabilities(ops, p)
    # A voxel outside the volume has no class, so it must not count as a false positive.
    others = ops.sum(y, axis=-1, keepdims=True) * (1.0 - y)
    return mean_over_voxels(ops, -(beta * y * ops.log(q) + (1.0 - beta) * others * ops.log(1.0 - q)))


def combo(**parameters: Any) -> LossFunction:
    """Return the combo loss.

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
    alpha : a number in [0, 1] or None, default None
        α: weight of the cross entropy, 1 − α that of DSC; null: both 1.
    beta : a number in [0, 1] or None, default None
        β: weight of the misses in the cross entropy; null: plain cross entropy.

    Returns
    -------
    LossFunction
        Function of one-hot ground truth and softmax output, both (batch, spatial axes, classes). It
        returns a scalar of at least -1 with the defaults.

    Raises
    ------
    Faults
        With all invalid parameters.

    References
    ----------
    S. A. Taghanaki et al., Combo Loss: Handling Input and Output Imbalance in Multi-Organ Segmentation, Computerized Medical
    Imaging and Graphics 75, 2019, arXiv:1805.02798. Eq. 16 to 18 of Yeung et al., arXiv:2102.04525v1.

    Examples
    --------
    The cross entropy is 0.367. DSC is 1.6/2.2 for the background and 1.2/1.8 for the foreground, with the mean
    0.697.

    >>> y_true, y_pred = [[[1, 0], [0, 1]]], [[[0.8, 0.2], [0.4, 0.6]]]
    >>> round(combo().evaluate(y_true, y_pred), 4)
    -0.33
    """
    return loss_function(NAME, Parameters, formula, parameters)
