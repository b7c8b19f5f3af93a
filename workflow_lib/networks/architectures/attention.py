"""MIScnn's attention U-Net."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from workflow_lib.networks.architectures import _unet
from workflow_lib.networks.architectures._attention import gate
from workflow_lib.networks.architectures.interface import UNetParameters
from workflow_lib.networks.walk import Tensor, Walk

if TYPE_CHECKING:
    import keras

NAME = "attention"
LABEL = "Attention U-Net"
CITATION = "O. Oktay et al., Attention U-Net: Learning Where to Look for the Pancreas, MIDL 2018, arXiv:1804.03999."
NOTES = (
    "The standard U-Net with a gate on each concatenation: the tensor from below says how much each voxel counts. The gates "
    "end in a batch normalisation also where `batch_normalisation` is false.",
)
Parameters = UNetParameters
divisor = _unet.divisor


def build(shape: Sequence[int], n_classes: int, parameters: UNetParameters) -> "keras.Model":
    """Build the network."""
    return _unet.miscnn("attention", shape, n_classes, **_unet.options(parameters))


def layers(walk: Walk, image: Tensor, n_classes: int, parameters: UNetParameters) -> Tensor:
    """Add the layers of the network to the walk."""
    normalised = parameters.batch_normalisation

    def block(x: Tensor, width: int) -> Tensor:
        for _ in range(2):
            x = _unet.convolve(walk, x, width, normalised)
        return x

    def link(kept: Tensor, below: Tensor, width: int) -> Tensor:
        return gate(walk, kept, below, width, normalised)

    return _unet.walk_unet(walk, image, n_classes, parameters, block, block, block, link)
