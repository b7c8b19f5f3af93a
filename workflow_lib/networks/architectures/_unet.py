"""The shape that MIScnn's U-Nets share, and how they are built."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from workflow_lib.base import imports
from workflow_lib.networks.architectures.interface import UNetParameters
from workflow_lib.networks.walk import Tensor, Walk

if TYPE_CHECKING:
    import keras

Block = Callable[[Tensor, int], Tensor]
"""A block of layers: from a tensor and the width of the level to a tensor."""

Link = Callable[[Tensor, Tensor, int], Tensor]
"""What becomes of the tensor that a level of the way down hands to the way up, given the tensor that comes from below."""


def miscnn(name: str, shape: Sequence[int], n_classes: int, **options: Any) -> "keras.Model":
    """Build a U-Net of MIScnn with softmax as its output.

    MIScnn's package imports scikit-learn, matplotlib and more for what is not used here, and a network that needs
    tensorflow_addons; so the one module is imported alone.
    """
    module = imports.module_alone(f"miscnn.neural_network.architecture.unet.{name}")
    architecture = module.Architecture(activation="softmax", **options)
    create = architecture.create_model_2D if len(shape) == 3 else architecture.create_model_3D
    return create(tuple(shape), n_classes)


def options(parameters: UNetParameters) -> dict[str, Any]:
    """Return the parameters by the names that MIScnn has for them."""
    return {
        "n_filters": parameters.filters,
        "depth": parameters.depth,
        "batch_normalization": parameters.batch_normalisation,
    }


def convolve(walk: Walk, x: Tensor, width: int, normalised: bool, kernel: int = 3) -> Tensor:
    """Add a convolution and, where asked for, its normalisation."""
    x = walk.convolution(x, width, kernel)
    return walk.normalise(x) if normalised else x


def walk_unet(
    walk: Walk, image: Tensor, n_classes: int, parameters: UNetParameters, block: Block, middle: Block, up: Block, link: Link
) -> Tensor:
    """Walk down `depth` levels of `block` and pooling, through `middle`, and up again through concatenations and `up`."""
    x, kept = image, []
    for level in range(parameters.depth):
        x = block(x, parameters.width(level))
        kept.append(x)
        x = walk.pool(x)
    x = middle(x, parameters.width(parameters.depth))
    for level in reversed(range(parameters.depth)):
        width = parameters.width(level)
        other = link(kept[level], x, width)
        x = up(walk.concatenate(walk.transposed(x, width), other), width)
    return walk.convolution(x, n_classes, kernel=1)


def divisor(parameters: UNetParameters) -> int:
    """Return what the sides of a patch must divide by, so that all poolings give whole voxels."""
    return int(2**parameters.depth)
