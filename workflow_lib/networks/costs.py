"""Number of weights and multiplications of a network, and memory of a training step, without building it."""

import math
from collections.abc import Sequence

from workflow_lib.networks.architectures import registry
from workflow_lib.networks.precision import HALF
from workflow_lib.networks.walk import Layer, Tensor, Walk
from workflow_lib.study.sections.network import Network

FLOAT32_BYTES = 4
HALF_BYTES = 2

LARGEST_CACHE = 1152 * 2**20
"""Size in bytes of the largest known last-level cache (AMD EPYC 9684X).

Convolutions by columns (im2col) fill the cache.
"""

BACKWARD_TENSORS = 13
"""Memory of the backward pass beyond the kept activations, in halves of the largest tensor of an image.

In the standard U-Net, the largest tensor is the concatenation on the first level, and half of it is one
tensor of that level (batch x patch x filters). The measured peak resident memory of a step was 8 to 12.5
of these halves, on CPUs with TensorFlow 2.21, for 2-D and 3-D networks of 340 thousand to 8 million
parameters. The memory is used by gradients, and by layout copies and workspaces of the convolutions.
"""

ADAM_MOMENTS = 2


def layers_of(network: Network, n_classes: int, channels: int, patch: Sequence[int]) -> list[Layer]:
    """Return the layers of a network after its input."""
    walk = Walk()
    image = Tensor(tuple(patch), channels)
    registry.get(network.architecture).layers(walk, image, n_classes, registry.parameters(network))
    return walk.layers


def count_parameters(network: Network, n_classes: int, channels: int, patch: Sequence[int]) -> int:
    """Return the number of weights of a network, including the moving statistics of batch normalisation."""
    return sum(layer.weights for layer in layers_of(network, n_classes, channels, patch))


def multiplications(network: Network, n_classes: int, channels: int, patch: Sequence[int]) -> int:
    """Return the multiplications in a network's convolutions for the forward pass of one image."""
    return sum(layer.multiplications for layer in layers_of(network, n_classes, channels, patch))


def estimate_memory(
    network: Network,
    n_classes: int,
    channels: int,
    patch: Sequence[int],
    batch_size: int,
    precision: str = "float32",
    passes: int = 1,
    gpus: int = 1,
    columns: bool = False,
    optimiser_arrays: int = ADAM_MOMENTS,
) -> int:
    """Return the estimated memory of one training step on each device, in bytes.

    The base memory of the process (about 0.9 GB with TensorFlow) is not included.

    The batch is divided over `gpus` devices and over `passes` consecutive passes (gradient accumulation).
    With `precision` bfloat16 or float16, the kept outputs of the layers take half the bytes. Weights,
    gradients, the output and the loss remain float32. Batch normalisation also remains float32: it keeps
    a float32 copy of its input for the backward pass and computes that pass in float32. With batch
    normalisation, mixed precision therefore saves little memory.

    The estimate is the sum of these parts: the output of each layer, kept until the backward pass;
    `BACKWARD_TENSORS`; for the network's output, the softmax, the one-hot labels and both gradients; and for
    each weight, its value, its gradient, the `optimiser_arrays` of the optimiser's state, and one more
    array if gradients are accumulated.
    With `columns` (see `processor.convolves_by_columns`), the neighbourhoods of all voxels in the widest
    convolution are added: those of one image and of as many more images as the cache of a processor holds.
    They count twice, for the gradients of the input and of the kernel. This is an upper bound: for some
    sizes TensorFlow uses other kernels, which need less memory.
    """
    layers = layers_of(network, n_classes, channels, patch)
    images = batch_size // (passes * gpus)
    *inner, _ = layers
    normalised = any(layer.kind == "batch_normalization" for layer in inner)
    half = precision in HALF
    kept = sum(_kept_bytes(layer, half) for layer in inner)
    # Convolutions of 16-bit numbers accumulate in float32, and their workspaces are float32.
    flight = FLOAT32_BYTES if normalised or not half else (HALF_BYTES + FLOAT32_BYTES) // 2
    backward = BACKWARD_TENSORS * max(layer.output.size for layer in inner) // 2 * flight
    output = (4 * n_classes + channels) * math.prod(patch)
    of_an_image = FLOAT32_BYTES * max(layer.neighbourhood for layer in layers)
    neighbourhoods = 2 * min(images * of_an_image, of_an_image + LARGEST_CACHE) if columns else 0
    arrays = 2 + optimiser_arrays + (0 if passes == 1 else 1)
    weights = arrays * sum(layer.weights for layer in layers)
    return int(images * (kept + backward + FLOAT32_BYTES * output) + FLOAT32_BYTES * weights + neighbourhoods)


def _kept_bytes(layer: Layer, half: bool) -> int:
    """Return the bytes that a layer keeps for one image.

    In 16 bits, batch normalisation also keeps a float32 copy of its input. In float32 it needs no copy.
    """
    value = HALF_BYTES if half else FLOAT32_BYTES
    copy = FLOAT32_BYTES if half and layer.kind == "batch_normalization" else 0
    return layer.output.size * (value + copy)
