"""Stochastic gradient descent with optional momentum."""

from typing import Any

from pydantic import Field

from workflow_lib.base import parameters as base
from workflow_lib.base.parameters import Number
from workflow_lib.networks.runtime import import_keras
from workflow_lib.optimisers import _lean

NAME = "sgd"
LABEL = "SGD"
CITATION = (
    "I. Sutskever, J. Martens, G. Dahl, G. Hinton, On the Importance of Initialization and Momentum in Deep Learning, ICML 2013, "
    "for the momentum and Nesterov's form of it."
)
NOTES = ("Steps against the gradient, or along the momentum that past gradients leave.",)


class Parameters(base.Parameters):
    """Parameters of SGD. In a study they can also be keys of `training`."""

    momentum: Number = Field(0.0, ge=0, lt=1, description="Share of the last step that a step keeps.")
    nesterov: bool = Field(False, description="Nesterov's form of the momentum.")


def build(learning_rate: float, parameters: Parameters, passes: int | None) -> Any:
    """Return the optimiser."""
    sgd = _lean.lean(import_keras().optimizers.SGD)
    return sgd(learning_rate, gradient_accumulation_steps=passes, **parameters.model_dump())


def state_arrays(parameters: Parameters) -> int:
    """Return 1 with momentum, else 0."""
    return 1 if parameters.momentum else 0
