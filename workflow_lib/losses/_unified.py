"""Terms of the Unified Focal family (Yeung et al. 2022), for any number of classes and of spatial axes.

Every class but the background counts as rare. The public code of the authors indexes the classes by a fixed position, which is
right for two classes in 2-D only.
"""

from pydantic import Field

from workflow_lib.losses._parameters import LossParameters, Number, OverlapParameters, Share
from workflow_lib.losses._terms import (
    EPSILON,
    Ops,
    Tensor,
    clip_probabilities,
    cross_entropy_terms,
    mean_over_voxels,
    power,
    reduce_classes,
    tversky_distance,
)

ARTICLE = (
    "M. Yeung, E. Sala, C.-B. Schönlieb, L. Rundo, Unified Focal loss: Generalising Dice and cross entropy-based losses to "
    "handle class imbalanced medical image segmentation, Computerized Medical Imaging and Graphics 95, 2022, arXiv:2102.04525v4."
)

BACKGROUND, FOREGROUND, ALL = slice(0, 1), slice(1, None), slice(None)


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
        return TverskyParameters(
            delta=self.delta,
            gamma=self.gamma,
            class_reduction=self.class_reduction,
            overlap=self.overlap,
            include_background=self.include_background,
            smooth=self.smooth,
        )


def focal_term(ops: Ops, y: Tensor, p: Tensor, parameters: FocalParameters, suppressed: slice) -> Tensor:
    """Return the mean of the class-weighted cross entropy, with the factor (1 - q)^gamma on the classes in `suppressed`."""
    q = clip_probabilities(ops, p)
    terms = cross_entropy_terms(ops, y, q)
    factors = power(ops, 1.0 - q[..., suppressed], parameters.gamma)
    if suppressed == ALL:
        weights = [1.0 - parameters.delta] + [parameters.delta] * (q.shape[-1] - 1)
        return mean_over_voxels(ops, factors * terms * ops.array(weights, dtype=terms.dtype))
    background, foreground = factors * terms[..., BACKGROUND], terms[..., FOREGROUND]
    return (1.0 - parameters.delta) * mean_over_voxels(ops, background) + parameters.delta * mean_over_voxels(ops, foreground)


def tversky_term(ops: Ops, y: Tensor, p: Tensor, parameters: TverskyParameters, enhanced: slice) -> Tensor:
    """Return the class-wise Tversky distances d, with d^(1 - gamma) for the classes in `enhanced`, reduced to one number."""
    distances = tversky_distance(ops, y, clip_probabilities(ops, p), parameters.delta, parameters)
    powered = power(ops, ops.maximum(distances[..., enhanced], EPSILON), 1.0 - parameters.gamma)
    if enhanced == FOREGROUND:
        powered = ops.concatenate([distances[..., BACKGROUND], powered], axis=-1)
    return reduce_classes(ops, powered, parameters)
