"""MIScnn's U-Net with attention gates and residual blocks."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from workflow_lib.networks.architectures import _unet
from workflow_lib.networks.architectures._attention import gate
from workflow_lib.networks.architectures.interface import UNetParameters
from workflow_lib.networks.walk import Tensor, Walk

if TYPE_CHECKING:
    import keras

NAME = "attention_residual"
LABEL = "Attention residual U-Net"
CITATION = (
    "O. Oktay et al., Attention U-Net: Learning Where to Look for the Pancreas, MIDL 2018, arXiv:1804.03999; K. He, X. Zhang, "
    "S. Ren, J. Sun, Deep Residual Learning for Image Recognition, CVPR 2016, arXiv:1512.03385. MIScnn names S. Bhattiprolu's "
    "code (github.com/bnsreenu/python_for_microscopists) as its source."
)
NOTES = (
    "The attention U-Net with residual blocks on the way down. MIScnn takes the shortcut of a 2-D block from the block's input, "
    "and that of a 3-D block from its second convolution, so that in 3-D no path goes around the convolutions.",
)
Parameters = UNetParameters
divisor = _unet.divisor


def build(shape: Sequence[int], n_classes: int, parameters: UNetParameters) -> "keras.Model":
    """Build the network."""
    return _unet.miscnn("attention_residual", shape, n_classes, **_unet.options(parameters))


def layers(walk: Walk, image: Tensor, n_classes: int, parameters: UNetParameters) -> Tensor:
    """Add the layers of the network to the walk."""
    normalised = parameters.batch_normalisation

    def block(x: Tensor, width: int) -> Tensor:
        for _ in range(2):
            x = _unet.convolve(walk, x, width, normalised)
        return x

    def residual(x: Tensor, width: int) -> Tensor:
        inner = block(x, width)
        shortcut = _unet.convolve(walk, x if len(image.sides) == 2 else inner, width, normalised, kernel=1)
        return walk.activate(walk.add(shortcut, inner))

    def link(kept: Tensor, below: Tensor, width: int) -> Tensor:
        return gate(walk, kept, below, width, normalised)

    return _unet.walk_unet(walk, image, n_classes, parameters, residual, block, block, link)
