"""Adam with decoupled weight decay."""

from typing import Any

from pydantic import Field

from workflow_lib.base import parameters as base
from workflow_lib.base.parameters import Number
from workflow_lib.networks.runtime import import_keras
from workflow_lib.optimisers import _lean
from workflow_lib.optimisers._adam_steps import adam_steps

NAME = "adamw"
LABEL = "AdamW"
CITATION = "I. Loshchilov, F. Hutter, Decoupled Weight Decay Regularization, ICLR 2019, arXiv:1711.05101."
NOTES = (
    "Adam, before whose step every weight loses the share `weight_decay` × learning rate of itself: kernels, and as in Keras "
    "also biases and the offsets and factors of batch normalisation.",
)


class Parameters(base.Parameters):
    """Parameters of AdamW, with Keras's defaults."""

    weight_decay: Number = Field(
        4e-3, ge=0, description="Share of each weight that is subtracted in a step, times the learning rate."
    )
    beta_1: Number = Field(0.9, ge=0, lt=1, description="Share of the first moment that a step keeps.")
    beta_2: Number = Field(0.999, ge=0, lt=1, description="Share of the second moment that a step keeps.")
    epsilon: Number = Field(1e-7, gt=0, description="Added to the root of the second moment.")


def build(learning_rate: float, parameters: Parameters, passes: int | None) -> Any:
    """Return the optimiser."""
    adamw = _lean.lean(import_keras().optimizers.AdamW, adam_steps)
    return adamw(learning_rate, gradient_accumulation_steps=passes, **parameters.model_dump())


def state_arrays(parameters: Parameters) -> int:
    """Return 2, the number of moments."""
    return 2
