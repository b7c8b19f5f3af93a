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
    """Return the mean over the batch, and mean or sum over the classes, of 1 - DSC."""
    return reduce_classes(ops, tversky_distance(ops, y, p, DELTA, parameters), parameters)


def dice(**parameters: Any) -> LossFunction:
    """Return the Dice loss (see `Parameters`). With the mean over the classes its value is in [0, 1]."""
    return loss_function(NAME, Parameters, formula, parameters)
