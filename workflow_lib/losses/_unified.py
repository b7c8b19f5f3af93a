"""Common parts of the Unified Focal losses (Yeung et al. 2022).

They work for any number of classes and spatial axes. All foreground classes count as rare. The public code
of the authors uses fixed class indices, which are correct only for two classes in 2-D.
"""

from pydantic import Field

from workflow_lib.losses._parameters import LossParameters, Number, OverlapParameters, Share
from workflow_lib.losses._terms import EPSILON, Ops, Tensor, clip_probabilities, power, tversky_distance

ARTICLE = (
    "M. Yeung, E. Sala, C.-B. Schönlieb, L. Rundo, Unified Focal loss: Generalising Dice and cross entropy-based losses to "
    "handle class imbalanced medical image segmentation, Computerized Medical Imaging and Graphics 95, 2022, arXiv:2102.04525v4."
)


class FocalParameters(LossParameters):
    """Parameters of the focal losses of the family."""

    delta: Share = Field(0.7, description="δ: weight of the foreground classes; the background has 1 − δ.")
    gamma: Number = Field(2.0, ge=0, le=10, description="γ: how strongly voxels that are already right are weighed down; 0: not.")


class TverskyParameters(OverlapParameters):
    """Parameters of the focal Tversky losses of the family."""

    smooth: Number = Field(
        EPSILON, gt=0, le=1, description="ε, added to numerator and denominator of the Tversky index, in voxels."
    )
    delta: Share = Field(0.7, description="δ: weight of false negatives; 1 − δ is that of false positives.")
    gamma: Number = Field(0.75, ge=0, lt=1, description="γ: the exponent is 1 − γ; 0 is the Tversky loss.")


class UnifiedParameters(OverlapParameters):
    """Parameters of the unified losses."""

    smooth: Number = Field(
        EPSILON, gt=0, le=1, description="ε, added to numerator and denominator of the Tversky index, in voxels."
    )
    weight: Share = Field(0.5, description="λ: weight of the focal Tversky term; the focal term has 1 − λ.")
    delta: Share = Field(
        0.6, description="δ: weight of false negatives in the Tversky term, and of the foreground classes in the focal term."
    )
    gamma: Number = Field(0.5, ge=0, lt=1, description="γ: exponent of the focal term; that of the Tversky term is 1 − γ.")

    def of_focal(self) -> FocalParameters:
        """Return the parameters of the focal term."""
        return FocalParameters(delta=self.delta, gamma=self.gamma)

    def of_tversky(self) -> TverskyParameters:
        """Return the parameters of the focal Tversky term."""
        return TverskyParameters(delta=self.delta, gamma=self.gamma, **self.overlap_options())


def unified_distance(ops: Ops, y: Tensor, p: Tensor, parameters: TverskyParameters) -> Tensor:
    """Return d = 1 - TI(delta) on clipped probabilities, (batch, classes) or (classes,)."""
    return tversky_distance(ops, y, clip_probabilities(ops, p), parameters.delta, parameters)


def enhanced(ops: Ops, distances: Tensor, gamma: float) -> Tensor:
    """Return max(d, 1e-7)^(1 - gamma).

    The public code computes d * d^(-gamma), which is NaN at d = 0.
    """
    return power(ops, ops.maximum(distances, EPSILON), 1.0 - gamma)
