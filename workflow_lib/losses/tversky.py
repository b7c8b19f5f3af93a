"""Tversky loss."""

from typing import Any

from pydantic import Field

from workflow_lib.losses._parameters import OverlapParameters, Share
from workflow_lib.losses._terms import LossFunction, Ops, Tensor, loss_function, reduce_classes, tversky_distance

NAME = "tversky"
LABEL = "Tversky loss"
CITATION = (
    "S. S. M. Salehi, D. Erdogmus, A. Gholipour, Tversky Loss Function for Image Segmentation Using 3D Fully Convolutional Deep "
    "Networks, MLMI 2017, arXiv:1706.05721. Eq. 13 of Yeung et al., arXiv:2102.04525v1."
)
EQUATION = r"\mathcal{L}_{T} = \frac{1}{C} \sum_{c=1}^{C} \left(1 - \mathrm{TI}_c(\delta)\right)"
FAMILY = "region"
BUILT_FROM: tuple[str, ...] = ("dice",)
PRESETS: dict[str, dict[str, Any]] = {"paper-literal": {"class_reduction": "sum"}}
CURVES = ("delta", (0.3, 0.5, 0.7, 0.9))
NOTES: tuple[str, ...] = (
    "Eq. 9 and 12 are printed with FN and FP swapped. The paper's text, the authors' code and the recall it reports all need "
    "δ on the false negatives, which is what is implemented.",
)


class Parameters(OverlapParameters):
    """Parameters of the Tversky loss."""

    delta: Share = Field(0.7, description="δ: weight of false negatives; 1 − δ is that of false positives. 0.5 is Dice.")


def formula(ops: Ops, y: Tensor, p: Tensor, parameters: Parameters) -> Tensor:
    """Return 1 - TI, reduced by the mean or sum over the classes and the mean over the batch."""
    return reduce_classes(ops, tversky_distance(ops, y, p, parameters.delta, parameters), parameters)


def tversky(**parameters: Any) -> LossFunction:
    """Return the Tversky loss.

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
    delta : a number in [0, 1], default 0.7
        δ: weight of false negatives; 1 − δ is that of false positives. 0.5 is Dice.

    Returns
    -------
    LossFunction
        Function of one-hot ground truth and softmax output, both (batch, spatial axes, classes). It
        returns a scalar in [0, 1] with the mean over the classes.

    Raises
    ------
    Faults
        With all invalid parameters.

    References
    ----------
    S. S. M. Salehi, D. Erdogmus, A. Gholipour, Tversky Loss Function for Image Segmentation Using 3D Fully Convolutional Deep
    Networks, MLMI 2017, arXiv:1706.05721. Eq. 13 of Yeung et al., arXiv:2102.04525v1.

    Examples
    --------
    1 - TI is 0.26/1.06 for the background and 0.34/0.94 for the foreground. The mean is (0.2453 + 0.3617) / 2.

    >>> y_true, y_pred = [[[1, 0], [0, 1]]], [[[0.8, 0.2], [0.4, 0.6]]]
    >>> round(tversky().evaluate(y_true, y_pred), 4)
    0.3035
    """
    return loss_function(NAME, Parameters, formula, parameters)
