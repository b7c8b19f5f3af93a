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
    """Return the log-cosh Dice loss.

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
        returns a scalar in [0, 0.434] with the mean over the classes.

    Raises
    ------
    Faults
        With all invalid parameters.

    References
    ----------
    S. Jadon, A survey of loss functions for semantic segmentation, CIBCB 2020, arXiv:2006.14822.

    Examples
    --------
    The Dice loss is 10/33 = 0.303, so the value is log(cosh(0.303)).

    >>> y_true, y_pred = [[[1, 0], [0, 1]]], [[[0.8, 0.2], [0.4, 0.6]]]
    >>> round(log_cosh_dice().evaluate(y_true, y_pred), 4)
    0.0452
    """
    return loss_function(NAME, Parameters, formula, parameters)
