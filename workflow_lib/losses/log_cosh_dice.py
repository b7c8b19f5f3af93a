"""Log-cosh Dice loss."""

from typing import Any

from workflow_lib.losses import dice
from workflow_lib.losses._terms import LossFunction, Ops, Tensor, loss_function

NAME = "log_cosh_dice"
LABEL = "Log-cosh Dice loss"
CITATION = "S. Jadon, A survey of loss functions for semantic segmentation, CIBCB 2020, arXiv:2006.14822."
EQUATION = r"\mathcal{L}_{LCD} = \log \cosh \mathcal{L}_{D}"
FAMILY = "region"
BUILT_FROM: tuple[str, ...] = ("dice",)
NOTES: tuple[str, ...] = (
    "log cosh x is about x²/2 near 0: the gradient fades as the overlap becomes complete. Computed as log(1 + 2 sinh²(x/2)), "
    "which keeps its digits there.",
)


class Parameters(dice.Parameters):
    """Parameters of the log-cosh Dice loss: those of the Dice loss."""


def formula(ops: Ops, y: Tensor, p: Tensor, parameters: Parameters) -> Tensor:
    """Return log(cosh(Dice loss))."""
    half = ops.sinh(dice.formula(ops, y, p, parameters) / 2)
    return ops.log1p(2 * half * half)


def log_cosh_dice(**parameters: Any) -> LossFunction:
    """Return the log-cosh Dice loss (see `Parameters`). With the mean over the classes its value is in [0, 0.434]."""
    return loss_function(NAME, Parameters, formula, parameters)
