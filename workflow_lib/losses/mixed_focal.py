"""Mixed Focal loss."""

from typing import Any, Literal

from pydantic import Field, model_validator

from workflow_lib.losses import focal, focal_tversky
from workflow_lib.losses._parameters import Number, OverlapParameters, PerClass, Share
from workflow_lib.losses._terms import LossFunction, Ops, Tensor, loss_function

NAME = "mixed_focal"
LABEL = "Mixed Focal loss"
CITATION = (
    "M. Yeung, E. Sala, C.-B. Schönlieb, L. Rundo, A Mixed Focal Loss Function for Handling Class Imbalanced Medical Image "
    "Segmentation, arXiv:2102.04525v1, Eq. 23 and 24."
)
EQUATION = r"\mathcal{L}_{MF} = \mathcal{L}_{F} + \mathcal{L}_{FT}"
FAMILY = "compound"
BUILT_FROM: tuple[str, ...] = ("focal", "focal_tversky")
PRESETS: dict[str, dict[str, Any]] = {"paper-literal": {"class_reduction": "sum"}}
CURVES = ("tversky_gamma", (1.0, 4 / 3, 2.0, 3.0))
NOTES: tuple[str, ...] = (
    "Eq. 24 is the default: the unweighted sum. `weight` is the λ of Eq. 23, which puts it on the focal term and 1 − λ on the "
    "focal Tversky term; the authors' later code puts it on the region term: `lambda_on: region`.",
    "Misprints on the way there: read −(1 − α) · mDSC in Eq. 20, a leading minus in Eq. 21, and mDSC for mD in Eq. 22.",
)


class Parameters(OverlapParameters):
    """Parameters of the Mixed Focal loss: those of its two components, and their weights."""

    weight: Share | None = Field(None, description="λ of Eq. 23; null: the unweighted sum of Eq. 24.")
    lambda_on: Literal["focal", "region"] = Field(
        "focal", description="Which term `weight` is on; the other has 1 − λ. Without `weight` it does nothing."
    )
    alpha: Share | PerClass | None = Field(
        0.25, description="α of the focal loss: one for all classes, or one per class (background first); null is 1."
    )
    alpha_t: bool = Field(False, description="Weigh the background by 1 − α in the focal loss; α must be one number.")
    focal_gamma: Number = Field(2.0, ge=0, le=10, description="γ of the focal loss.")
    delta: Share = Field(0.7, description="δ of the focal Tversky loss: weight of false negatives.")
    tversky_gamma: Number = Field(4 / 3, ge=0.1, le=10, description="γ of the focal Tversky loss; the exponent is 1/γ.")

    @model_validator(mode="after")
    def _alpha_t_needs_one_number(self) -> "Parameters":
        focal.check_alpha(self.alpha, self.alpha_t)
        return self


def formula(ops: Ops, y: Tensor, p: Tensor, parameters: Parameters) -> Tensor:
    """Return focal + focal Tversky, or their weighted sum with lambda and 1 - lambda."""
    distribution = focal.formula(ops, y, p, _focal(parameters))
    region = focal_tversky.formula(ops, y, p, _focal_tversky(parameters))
    if parameters.weight is None:
        return distribution + region
    on_focal = parameters.weight if parameters.lambda_on == "focal" else 1.0 - parameters.weight
    return on_focal * distribution + (1.0 - on_focal) * region


def _focal(parameters: Parameters) -> focal.Parameters:
    return focal.Parameters(alpha=parameters.alpha, gamma=parameters.focal_gamma, alpha_t=parameters.alpha_t)


def _focal_tversky(parameters: Parameters) -> focal_tversky.Parameters:
    return focal_tversky.Parameters(delta=parameters.delta, gamma=parameters.tversky_gamma, **parameters.overlap_options())


def mixed_focal(**parameters: Any) -> LossFunction:
    """Return the Mixed Focal loss.

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
    weight : a number in [0, 1] or None, default None
        λ of Eq. 23; null: the unweighted sum of Eq. 24.
    lambda_on : 'focal' or 'region', default 'focal'
        Which term `weight` is on; the other has 1 − λ. Without `weight` it does nothing.
    alpha : a number in [0, 1] or a list with one value per class, each a number in [0, ∞) or None, default 0.25
        α of the focal loss: one for all classes, or one per class (background first); null is 1.
    alpha_t : bool, default False
        Weigh the background by 1 − α in the focal loss; α must be one number.
    focal_gamma : a number in [0, 10], default 2
        γ of the focal loss.
    delta : a number in [0, 1], default 0.7
        δ of the focal Tversky loss: weight of false negatives.
    tversky_gamma : a number in [0.1, 10], default 4/3
        γ of the focal Tversky loss; the exponent is 1/γ.

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
    M. Yeung, E. Sala, C.-B. Schönlieb, L. Rundo, A Mixed Focal Loss Function for Handling Class Imbalanced Medical Image
    Segmentation, arXiv:2102.04525v1, Eq. 23 and 24.

    Examples
    --------
    The focal loss is 0.0113, and the focal Tversky loss is 0.4075.

    >>> y_true, y_pred = [[[1, 0], [0, 1]]], [[[0.8, 0.2], [0.4, 0.6]]]
    >>> round(mixed_focal().evaluate(y_true, y_pred), 4)
    0.4188
    """
    return loss_function(NAME, Parameters, formula, parameters)
