"""What the file of an architecture holds.

NAME          the file's name, by which a study chooses it
LABEL         its name in text
CITATION      its source
NOTES         what a reader should know of it, a tuple of texts
Parameters    a model with the keys of the section `network`, in the limits of the architecture, and with parameters of its own
build         the Keras network; its last layer gives the softmax
layers        the same network on a `Walk`, layer by layer, for costs
divisor       what the sides of a patch must divide by

An architecture that does not work with the libraries of today has NAME, LABEL, CITATION and REFUSED, the reason, and no more.
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
    """What every U-Net of MIScnn takes: the keys of the section `network`, with its limits."""

    filters: WholeNumber = Field(32, ge=1, le=256, description="Filters of the first level; doubled on each level below.")
    depth: WholeNumber = Field(4, ge=1, le=7, description="Number of poolings.")
    batch_normalisation: bool = Field(True, description="Batch normalisation (momentum 0.99) after each convolution.")

    def width(self, level: int) -> int:
        """Return the filters of a level, 0 the first."""
        return int(self.filters * 2**level)


class Architecture(Protocol):
    """The file of an architecture."""

    NAME: str
    LABEL: str
    CITATION: str
    NOTES: tuple[str, ...]
    Parameters: type[base.Parameters]

    def build(self, shape: Sequence[int], n_classes: int, parameters: base.Parameters) -> "keras.Model":
        """Return the network for images of this shape, channels last; its softmax is the last layer, or the activation of it."""

    def layers(self, walk: Walk, image: Tensor, n_classes: int, parameters: base.Parameters) -> Tensor:
        """Add all layers behind the input to `walk` in the order of their making, and return the output."""

    def divisor(self, parameters: base.Parameters) -> int:
        """Return what every side of a patch must divide by."""
