"""The common structure of MIScnn's U-Nets, and their construction."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from workflow_lib.base import imports
from workflow_lib.networks.architectures.interface import UNetParameters
from workflow_lib.networks.walk import Tensor, Walk

if TYPE_CHECKING:
    import keras

Block = Callable[[Tensor, int], Tensor]
"""A block of layers: (tensor, width of the level) -> tensor."""

Link = Callable[[Tensor, Tensor, int], Tensor]
"""A skip connection: (tensor of the contracting path, tensor from the lower level, width) -> tensor."""


def miscnn(name: str, shape: Sequence[int], n_classes: int, **options: Any) -> "keras.Model":
    """Build a U-Net of MIScnn with a softmax output.

    Only the one module is imported. MIScnn's package would also import scikit-learn, matplotlib and other
    packages that are not used here, and a network that needs tensorflow_addons.
    """
    module = imports.module_alone(f"miscnn.neural_network.architecture.unet.{name}")
    architecture = module.Architecture(activation="softmax", **options)
    create = architecture.create_model_2D if len(shape) == 3 else architecture.create_model_3D
    return create(tuple(shape), n_classes)


def options(parameters: UNetParameters) -> dict[str, Any]:
    """Return the parameters under their names in MIScnn."""
    return {
        "n_filters": parameters.filters,
        "depth": parameters.depth,
        "batch_normalization": parameters.batch_normalisation,
    }


def convolve(walk: Walk, x: Tensor, width: int, normalised: bool, kernel: int = 3) -> Tensor:
    """Add a convolution and, if `normalised`, a batch normalisation."""
    x = walk.convolution(x, width, kernel)
    return walk.normalise(x) if normalised else x


def walk_unet(
    walk: Walk, image: Tensor, n_classes: int, parameters: UNetParameters, block: Block, middle: Block, up: Block, link: Link
) -> Tensor:
    """Add the layers of a U-Net.

    The contracting path has `depth` levels of `block` and pooling. It is followed by `middle` and the
    expanding path of concatenations and `up`.
    """
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
    """Return the number that must divide the sides of a patch, so that all poolings give whole voxels."""
    return int(2**parameters.depth)
