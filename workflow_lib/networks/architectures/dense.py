"""MIScnn's dense U-Net."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from workflow_lib.networks.architectures import _unet
from workflow_lib.networks.architectures.interface import UNetParameters
from workflow_lib.networks.walk import Tensor, Walk

if TYPE_CHECKING:
    import keras

NAME = "dense"
LABEL = "Dense U-Net"
CITATION = (
    "M. Kolařík, R. Burget, V. Uher, K. Říha, M. K. Dutta, Optimized High Resolution 3D Dense-U-Net Network for Brain and Spine "
    "Segmentation, Applied Sciences 9(3), 2019."
)
NOTES = ("As the compact U-Net, and the block's input is concatenated with the first convolution too.",)
Parameters = UNetParameters
divisor = _unet.divisor


def build(shape: Sequence[int], n_classes: int, parameters: UNetParameters) -> "keras.Model":
    """Build the network."""
    return _unet.miscnn("dense", shape, n_classes, **_unet.options(parameters))


def layers(walk: Walk, image: Tensor, n_classes: int, parameters: UNetParameters) -> Tensor:
    """Add the layers of the network to the walk."""

    def block(x: Tensor, width: int) -> Tensor:
        inner = x
        for _ in range(2):
            inner = walk.concatenate(x, _unet.convolve(walk, inner, width, parameters.batch_normalisation))
        return inner

    return _unet.walk_unet(walk, image, n_classes, parameters, block, block, block, lambda kept, below, width: kept)
