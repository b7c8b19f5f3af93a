"""The interface of an architecture: the attributes of its file.

NAME          the name of the file, which is used in a study
LABEL         the name in text
CITATION      the source
NOTES         notes for the reader, a tuple of strings
Parameters    a model with the keys of the section `network`, with the limits of the architecture, and with
              additional parameters
build         builds the Keras network, whose last layer includes the softmax
layers        adds the same network to a `Walk`, layer by layer, for the estimation of costs
divisor       returns the number that must divide the sides of a patch

An architecture that does not work with the current libraries defines only NAME, LABEL, CITATION and REFUSED
(the reason).
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

from pydantic import Field

from workflow_lib.base import parameters as base
from workflow_lib.base.parameters import WholeNumber
from workflow_lib.networks.walk import Tensor, Walk

if TYPE_CHECKING:
    import keras


class UNetParameters(base.Parameters):
    """Parameters of every U-Net of MIScnn: the keys of the section `network`, with their limits."""

    filters: WholeNumber = Field(32, ge=1, le=256, description="Filters of the first level; doubled on each level below.")
    depth: WholeNumber = Field(4, ge=1, le=7, description="Number of poolings.")
    batch_normalisation: bool = Field(True, description="Batch normalisation (momentum 0.99) after each convolution.")

    def width(self, level: int) -> int:
        """Return the number of filters of a level; the first level is 0."""
        return int(self.filters * 2**level)


class Architecture(Protocol):
    """The module of an architecture."""

    NAME: str
    LABEL: str
    CITATION: str
    NOTES: tuple[str, ...]
    Parameters: type[base.Parameters]

    def build(self, shape: Sequence[int], n_classes: int, parameters: base.Parameters) -> "keras.Model":
        """Return the network for images of this shape, channels last.

        The softmax is the last layer or its activation.
        """

    def layers(self, walk: Walk, image: Tensor, n_classes: int, parameters: base.Parameters) -> Tensor:
        """Add all layers after the input to `walk` in the order of their creation; return the output."""

    def divisor(self, parameters: base.Parameters) -> int:
        """Return the number that must divide every side of a patch."""
