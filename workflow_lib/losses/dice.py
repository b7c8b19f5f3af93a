"""Dice loss."""

from typing import Any

from workflow_lib.losses._parameters import OverlapParameters
from workflow_lib.losses._terms import LossFunction, Ops, Tensor, loss_function, reduce_classes, tversky_distance

NAME = "dice"
LABEL = "Dice loss"
CITATION = (
    "F. Milletari, N. Navab, S.-A. Ahmadi, V-Net: Fully Convolutional Neural Networks for Volumetric Medical Image "
    "Segmentation, 3DV 2016, arXiv:1606.04797. Eq. 11 of Yeung et al., arXiv:2102.04525v1."
)
EQUATION = r"\mathcal{L}_{D} = \frac{1}{C} \sum_{c=1}^{C} \left(1 - \mathrm{DSC}_c\right)"
FAMILY = "region"
BUILT_FROM: tuple[str, ...] = ()
PRESETS: dict[str, dict[str, Any]] = {"paper-literal": {"class_reduction": "sum"}}
NOTES: tuple[str, ...] = (
    "The equations (11, 13 to 15, 19, 22) sum over the classes, the authors' code of the time averages. The default averages.",
    "The denominator is linear in the probabilities, as in the paper; Milletari et al. square them.",
    "A class that is absent from both the patch and the prediction adds 0; absent from the patch alone, about 1 with a "
    "gradient near 0.",
)

DELTA = 0.5
"""The Tversky index with equal weights is the Dice similarity coefficient."""


class Parameters(OverlapParameters):
    """Parameters of the Dice loss."""


def formula(ops: Ops, y: Tensor, p: Tensor, parameters: OverlapParameters) -> Tensor:
    """Return 1 - DSC, reduced by the mean or sum over the classes and the mean over the batch."""
    return reduce_classes(ops, tversky_distance(ops, y, p, DELTA, parameters), parameters)


def dice(**parameters: Any) -> LossFunction:
    """Return the Dice loss.

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
    F. Milletari, N. Navab, S.-A. Ahmadi, V-Net: Fully Convolutional Neural Networks for Volumetric Medical Image
    Segmentation, 3DV 2016, arXiv:1606.04797. Eq. 11 of Yeung et al., arXiv:2102.04525v1.

    Examples
    --------
    DSC is 1.6/2.2 for the background and 1.2/1.8 for the foreground: (3/11 + 1/3) / 2.

    >>> y_true, y_pred = [[[1, 0], [0, 1]]], [[[0.8, 0.2], [0.4, 0.6]]]
    >>> round(dice().evaluate(y_true, y_pred), 4)
    0.303
    """
    return loss_function(NAME, Parameters, formula, parameters)
