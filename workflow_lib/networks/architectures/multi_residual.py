"""MIScnn's MultiResUNet."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from workflow_lib.networks.architectures import _unet
from workflow_lib.networks.architectures.interface import UNetParameters
from workflow_lib.networks.walk import Tensor, Walk

if TYPE_CHECKING:
    import keras

NAME = "multi_residual"
LABEL = "MultiResUNet"
CITATION = (
    "N. Ibtehaz, M. S. Rahman, MultiResUNet: Rethinking the U-Net Architecture for Multimodal Biomedical Image Segmentation, "
    "Neural Networks 121, 2020, arXiv:1902.04049."
)
NOTES = (
    "Blocks of three convolutions in a row, of which all three outputs are joined, and chains of residual convolutions where the "
    "others concatenate. MIScnn fixes its width, its depth and its batch normalisation.",
)
WIDER = 1.67
"""Total width of the three convolutions of a block, relative to the width of the level."""


class Parameters(UNetParameters):
    """Parameters with the only values that MIScnn supports."""

    filters: Literal[32] = Field(32, description="Fixed by MIScnn.")
    depth: Literal[4] = Field(4, description="Fixed by MIScnn.")
    batch_normalisation: Literal[True] = Field(True, description="Fixed by MIScnn.")


divisor = _unet.divisor


def build(shape: Sequence[int], n_classes: int, parameters: Parameters) -> "keras.Model":
    """Build the network."""
    return _unet.miscnn("multiRes", shape, n_classes)


def layers(walk: Walk, image: Tensor, n_classes: int, parameters: Parameters) -> Tensor:
    """Add the layers of the network to the walk."""
    x, kept = image, []
    for level in range(parameters.depth):
        width = parameters.width(level)
        x = _block(walk, x, width)
        pooled = walk.pool(x)
        kept.append(_path(walk, x, width, parameters.depth - level))
        x = pooled
    x = _block(walk, x, parameters.width(parameters.depth))
    for level in reversed(range(parameters.depth)):
        width = parameters.width(level)
        x = _block(walk, walk.concatenate(walk.transposed(x, width), kept[level]), width)
    return walk.activate(_convolve(walk, x, n_classes, kernel=1))


def _convolve(walk: Walk, x: Tensor, width: int, kernel: int) -> Tensor:
    return walk.normalise(walk.convolution(x, width, kernel, bias=False), scale=False)


def _block(walk: Walk, x: Tensor, width: int) -> Tensor:
    widths = [int(WIDER * width * share) for share in (0.167, 0.333, 0.5)]
    shortcut = _convolve(walk, x, sum(widths), kernel=1)
    parts = []
    for own in widths:
        x = walk.activate(_convolve(walk, x, own, kernel=3))
        parts.append(x)
    return _join(walk, shortcut, walk.normalise(walk.concatenate(*parts)))


def _path(walk: Walk, x: Tensor, width: int, length: int) -> Tensor:
    for _ in range(length):
        shortcut = _convolve(walk, x, width, kernel=1)
        x = _join(walk, shortcut, walk.activate(_convolve(walk, x, width, kernel=3)))
    return x


def _join(walk: Walk, shortcut: Tensor, x: Tensor) -> Tensor:
    return walk.normalise(walk.activate(walk.add(shortcut, x)))
