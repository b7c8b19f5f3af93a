"""MIScnn's residual U-Net."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from workflow_lib.networks.architectures import _unet
from workflow_lib.networks.architectures.interface import UNetParameters
from workflow_lib.networks.walk import Tensor, Walk

if TYPE_CHECKING:
    import keras

NAME = "residual"
LABEL = "Residual U-Net"
CITATION = "Z. Zhang, Q. Liu, Y. Wang, Road Extraction by Deep Residual U-Net, IEEE GRSL 15(5), 2018, arXiv:1711.10684."
NOTES = ("The block of the standard U-Net, to which a convolution of kernel 1 of its input is added.",)
Parameters = UNetParameters
divisor = _unet.divisor


def build(shape: Sequence[int], n_classes: int, parameters: UNetParameters) -> "keras.Model":
    """Build the network."""
    return _unet.miscnn("residual", shape, n_classes, **_unet.options(parameters))


def layers(walk: Walk, image: Tensor, n_classes: int, parameters: UNetParameters) -> Tensor:
    """Add the layers of the network to the walk."""

    def block(x: Tensor, width: int) -> Tensor:
        inner = x
        for _ in range(2):
            inner = _unet.convolve(walk, inner, width, parameters.batch_normalisation)
        return walk.add(walk.convolution(x, width, kernel=1), inner)

    return _unet.walk_unet(walk, image, n_classes, parameters, block, block, block, lambda kept, below, width: kept)
