"""What the file of an optimiser holds.

NAME           the file's name, by which a study chooses it
LABEL          its name in text
CITATION       its source
NOTES          what a reader should know of it, a tuple of texts
Parameters     a model of its parameters, with limits, beside the learning rate
build          the Keras optimiser
state_arrays   arrays of the size of the weights that its state holds
"""

from typing import Any, Protocol

from workflow_lib.base import parameters as base


class Optimiser(Protocol):
    """The file of an optimiser."""

    NAME: str
    LABEL: str
    CITATION: str
    NOTES: tuple[str, ...]
    Parameters: type[base.Parameters]

    def build(self, learning_rate: float, parameters: base.Parameters, passes: int | None) -> Any:
        """Return the Keras optimiser; `passes`: of how many batches gradients are added up before a step, None for one."""

    def state_arrays(self, parameters: base.Parameters) -> int:
        """Return how many arrays of the size of the weights its state holds, added gradients not counted."""
