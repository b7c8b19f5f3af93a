"""How large a network is, what a step of it multiplies, and what a training step takes in memory; no network is built for it."""

import math
from collections.abc import Sequence

from workflow_lib.networks.architectures import registry
from workflow_lib.networks.precision import HALF
from workflow_lib.networks.walk import Layer, Tensor, Walk
from workflow_lib.study.sections.network import Network

FLOAT32_BYTES = 4
HALF_BYTES = 2

LARGEST_CACHE = 1152 * 2**20
"""Bytes of a last-level cache, of the largest that we know of (AMD EPYC 9684X); convolutions by columns fill it."""

BACKWARD_TENSORS = 13
"""Room for the backward pass beyond the kept activations, in halves of the largest tensor of an image.

Of the standard U-Net that is the concatenation on the first level, and half of it is one tensor of that level (batch x patch x
filters). Measured as peak resident memory of a step on CPUs with TensorFlow 2.21: 8 to 12.5 of them, for networks of 340 thousand
to 8 million parameters, 2-D and 3-D. They are gradients in flight and the layout copies and workspaces of the convolutions.
"""

ADAM_MOMENTS = 2


def layers_of(network: Network, n_classes: int, channels: int, patch: Sequence[int]) -> list[Layer]:
    """Return the layers of a network behind its input."""
    walk = Walk()
    image = Tensor(tuple(patch), channels)
    registry.get(network.architecture).layers(walk, image, n_classes, registry.parameters(network))
    return walk.layers


def count_parameters(network: Network, n_classes: int, channels: int, patch: Sequence[int]) -> int:
    """Return the number of weights of a network, batch normalisation's moving statistics included, without building it."""
    return sum(layer.weights for layer in layers_of(network, n_classes, channels, patch))


def multiplications(network: Network, n_classes: int, channels: int, patch: Sequence[int]) -> int:
    """Return the multiplications of a network's convolutions for one image, forward."""
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
    """Return the bytes of one training step on each device, the process's own memory (about 0.9 GB with TensorFlow) not counted.

    The batch is divided over `gpus` devices and over `passes` one after the other (gradient accumulation). With `precision`
    bfloat16 or float16 what the layers keep takes half the bytes; weights, gradients, the output and the loss stay float32. So
    does batch normalisation, which keeps a float32 copy of its input for the backward pass and works in float32 there too:
    with it, mixed precision saves little.

    Kept until the backward pass is what each layer gives. Of the output come the softmax, the one-hot labels and both gradients.
    To these come `BACKWARD_TENSORS`, and the numbers for each weight: itself, its gradient, the `optimiser_arrays` of the
    optimiser's state, and one more where gradients are accumulated.
    With `columns` (see `processor.convolves_by_columns`) come the neighbourhoods of all voxels in the widest convolution: of one
    image and of as many more as a processor's cache holds, twice, for the gradients of its input and of its kernel. That is an
    upper bound: for some sizes TensorFlow takes other kernels, which need less.
    """
    layers = layers_of(network, n_classes, channels, patch)
    images = batch_size // (passes * gpus)
    *inner, _ = layers
    normalised = any(layer.kind == "batch_normalization" for layer in inner)
    half = precision in HALF
    kept = sum(_kept_bytes(layer, half) for layer in inner)
    # Convolutions of 16-bit numbers add up in float32, and so do their workspaces.
    flight = FLOAT32_BYTES if normalised or not half else (HALF_BYTES + FLOAT32_BYTES) // 2
    backward = BACKWARD_TENSORS * max(layer.output.size for layer in inner) // 2 * flight
    output = (4 * n_classes + channels) * math.prod(patch)
    of_an_image = FLOAT32_BYTES * max(layer.neighbourhood for layer in layers)
    neighbourhoods = 2 * min(images * of_an_image, of_an_image + LARGEST_CACHE) if columns else 0
    arrays = 2 + optimiser_arrays + (0 if passes == 1 else 1)
    weights = arrays * sum(layer.weights for layer in layers)
    return int(images * (kept + backward + FLOAT32_BYTES * output) + FLOAT32_BYTES * weights + neighbourhoods)


def _kept_bytes(layer: Layer, half: bool) -> int:
    """Return the bytes that a layer keeps of an image; float32 needs no copy, as the normalisation keeps its input itself."""
    value = HALF_BYTES if half else FLOAT32_BYTES
    copy = FLOAT32_BYTES if half and layer.kind == "batch_normalization" else 0
    return layer.output.size * (value + copy)
