"""Adam, the optimiser of the Mixed Focal loss paper."""

from typing import Any

from pydantic import Field

from workflow_lib.base import parameters as base
from workflow_lib.base.parameters import Number
from workflow_lib.networks.runtime import import_keras
from workflow_lib.optimisers import _lean
from workflow_lib.optimisers._adam_steps import adam_steps

NAME = "adam"
LABEL = "Adam"
CITATION = "D. P. Kingma, J. Ba, Adam: A Method for Stochastic Optimization, ICLR 2015, arXiv:1412.6980."
NOTES = ("Steps along the mean of past gradients, each weight's divided by the root of the mean of their squares.",)


class Parameters(base.Parameters):
    """Parameters of Adam, with Keras's defaults."""

    beta_1: Number = Field(0.9, ge=0, lt=1, description="Share of the first moment that a step keeps.")
    beta_2: Number = Field(0.999, ge=0, lt=1, description="Share of the second moment that a step keeps.")
    epsilon: Number = Field(1e-7, gt=0, description="Added to the root of the second moment.")


def build(learning_rate: float, parameters: Parameters, passes: int | None) -> Any:
    """Return the optimiser."""
    adam = _lean.lean(import_keras().optimizers.Adam, adam_steps)
    return adam(learning_rate, gradient_accumulation_steps=passes, **parameters.model_dump())


def state_arrays(parameters: Parameters) -> int:
    """Return 2, the number of moments."""
    return 2
