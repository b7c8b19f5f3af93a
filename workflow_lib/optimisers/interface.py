"""The interface of an optimiser: the attributes of its file.

NAME           the name of the file, which is used in a study
LABEL          the name in text
CITATION       the source
NOTES          notes for the reader, a tuple of strings
Parameters     a model of its parameters with their limits, without the learning rate
build          builds the Keras optimiser
state_arrays   returns the number of arrays in its state that have the size of the weights
"""

from typing import Any, Protocol

from workflow_lib.base import parameters as base


class Optimiser(Protocol):
    """The module of an optimiser."""

    NAME: str
    LABEL: str
    CITATION: str
    NOTES: tuple[str, ...]
    Parameters: type[base.Parameters]

    def build(self, learning_rate: float, parameters: base.Parameters, passes: int | None) -> Any:
        """Return the Keras optimiser.

        `passes` is the number of passes whose gradients are accumulated before an update, or None for one.
        """

    def state_arrays(self, parameters: base.Parameters) -> int:
        """Return the number of arrays in the state with the size of the weights.

        Accumulated gradients are not included.
        """
