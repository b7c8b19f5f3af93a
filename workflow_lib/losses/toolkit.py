"""All names that a loss file of your own needs.

Import them with `from workflow_lib.losses.toolkit import LossParameters, loss_function`. See
docs/add-a-loss.md for a tutorial.
"""

from pydantic import Field

from workflow_lib.losses._distances import squared_distances
from workflow_lib.losses._parameters import LossParameters, Number, OverlapParameters, PerClass, Share, Weight
from workflow_lib.losses._terms import (
    EPSILON,
    LossFunction,
    Ops,
    Tensor,
    cast,
    class_weights,
    clip_probabilities,
    counted_axes,
    cross_entropy_terms,
    loss_function,
    mean_over_voxels,
    power,
    reduce_classes,
    tversky_distance,
)

__all__ = [
    "EPSILON",
    "Field",
    "LossFunction",
    "LossParameters",
    "Number",
    "Ops",
    "OverlapParameters",
    "PerClass",
    "Share",
    "Tensor",
    "Weight",
    "cast",
    "class_weights",
    "clip_probabilities",
    "counted_axes",
    "cross_entropy_terms",
    "loss_function",
    "mean_over_voxels",
    "power",
    "reduce_classes",
    "squared_distances",
    "tversky_distance",
]
