"""MIScnn's standard U-Net, the network of the Mixed Focal loss paper."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from workflow_lib.networks.architectures import _unet
from workflow_lib.networks.architectures.interface import UNetParameters
from workflow_lib.networks.walk import Tensor, Walk

if TYPE_CHECKING:
    import keras

NAME = "standard"
LABEL = "U-Net"
CITATION = (
    "O. Ronneberger, P. Fischer, T. Brox, U-Net: Convolutional Networks for Biomedical Image Segmentation, MICCAI 2015, "
    "arXiv:1505.04597."
)
NOTES = ("Two convolutions on each level, and a concatenation with the level's tensor on the way up.",)
Parameters = UNetParameters
divisor = _unet.divisor


def build(shape: Sequence[int], n_classes: int, parameters: UNetParameters) -> "keras.Model":
    """Build the network."""
    return _unet.miscnn("standard", shape, n_classes, **_unet.options(parameters))


def layers(walk: Walk, image: Tensor, n_classes: int, parameters: UNetParameters) -> Tensor:
    """Add the layers of the network to the walk."""

    def block(x: Tensor, width: int) -> Tensor:
        for _ in range(2):
            x = _unet.convolve(walk, x, width, parameters.batch_normalisation)
        return x

    return _unet.walk_unet(walk, image, n_classes, parameters, block, block, block, lambda kept, below, width: kept)
