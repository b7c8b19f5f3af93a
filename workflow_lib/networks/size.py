"""How large a network is, and what a training step of it takes in memory; no network is built for it."""

import math
import os
from collections.abc import Sequence

from workflow_lib.networks.adapter import HALF, import_keras

FLOAT32_BYTES = 4
HALF_BYTES = 2

LARGEST_CACHE = 1152 * 2**20
"""Bytes of a last-level cache, of the largest that we know of (AMD EPYC 9684X); convolutions by columns fill it."""

BACKWARD_TENSORS = 13
"""Room for the backward pass beyond the kept activations, in tensors of the first level (batch x patch x filters).

Measured as peak resident memory of a step on CPUs with TensorFlow 2.21: 8 to 12.5 of them, for networks of 340 thousand to
8 million parameters, 2-D and 3-D. They are gradients in flight and the layout copies and workspaces of the convolutions.
"""


def count_parameters(
    n_classes: int, channels: int, patch: Sequence[int], filters: int, depth: int, batch_normalisation: bool
) -> int:
    """Return the number of weights of the U-Net, batch normalisation's moving statistics included, without building it."""
    kernel: int = 3 ** len(patch)
    statistics = 4 if batch_normalisation else 0

    def block(before: int, width: int) -> int:
        """Two convolutions, each with bias and the four vectors of batch normalisation."""
        return kernel * (before + width) * width + 2 * (1 + statistics) * width

    total: int = 0
    before = channels
    for level in range(depth + 1):
        total += block(before, filters * 2**level)
        before = filters * 2**level
    for level in reversed(range(depth)):
        width = filters * 2**level
        total += 2 ** len(patch) * before * width + width  # transposed convolution
        total += block(2 * width, width)
        before = width
    return int(total + before * n_classes + n_classes)


def estimate_memory(
    n_classes: int,
    channels: int,
    patch: Sequence[int],
    filters: int,
    depth: int,
    batch_normalisation: bool,
    batch_size: int,
    precision: str = "float32",
    passes: int = 1,
    gpus: int = 1,
    columns: bool = False,
) -> int:
    """Return the bytes of one training step on each device, the process's own memory (about 0.9 GB with TensorFlow) not counted.

    The batch is divided over `gpus` devices and over `passes` one after the other (gradient accumulation). With `precision`
    bfloat16 or float16 what the layers keep takes half the bytes; weights, gradients, the output and the loss stay float32. So
    does batch normalisation, which keeps a float32 copy of its input for the backward pass and works in float32 there too:
    with it, mixed precision saves little.

    Kept until the backward pass, in units of one tensor of the level (batch x voxels x filters of the level): each convolution's
    rectified output and, with batch normalisation, its normalised one; on the way up the transposed convolution's output and
    the concatenation (1 + 2); the pooled tensors. At the output the softmax, the one-hot labels and both gradients.
    To these come `BACKWARD_TENSORS` tensors of the first level, and four numbers for each weight: itself, its gradient and
    Adam's two moments; a fifth where gradients are accumulated.
    With `columns` (see `convolves_by_columns`) come the neighbourhoods of all voxels in the widest convolution, the first after
    the last concatenation: of one image and of as many more as a processor's cache holds, twice, for the gradients of its input
    and of its kernel. That is an upper bound: for some sizes TensorFlow takes other kernels, which need less.
    """
    dimensions = len(patch)
    voxels = batch_size // (passes * gpus) * math.prod(patch)
    layer = HALF_BYTES if precision in HALF else FLOAT32_BYTES
    # Float32 needs no copy: the normalisation keeps the convolution's output itself.
    copy = FLOAT32_BYTES if precision in HALF else 0
    convolution = 2 * layer + copy if batch_normalisation else layer
    kept = 0
    for level in range(depth + 1):
        tensor = filters * 2**level * (voxels // 2 ** (dimensions * level))
        kept += tensor * 2 * convolution
        if level < depth:
            kept += tensor * (3 * layer + 2 * convolution) + tensor // 2**dimensions * layer
    # Convolutions of 16-bit numbers add up in float32, and so do their workspaces.
    flight = FLOAT32_BYTES if batch_normalisation else (layer + FLOAT32_BYTES) // 2
    backward = BACKWARD_TENSORS * filters * voxels * flight
    output = (4 * n_classes + channels) * voxels
    of_an_image = FLOAT32_BYTES * 3**dimensions * 2 * filters * math.prod(patch)
    images = voxels // math.prod(patch)
    neighbourhoods = 2 * min(images * of_an_image, of_an_image + LARGEST_CACHE) if columns else 0
    parameters = count_parameters(n_classes, channels, patch, filters, depth, batch_normalisation)
    weights = (4 if passes == 1 else 5) * parameters
    return int(kept + backward + FLOAT32_BYTES * (output + weights) + neighbourhoods)


def convolves_by_columns(precision: str) -> bool:
    """Say whether TensorFlow convolves such numbers on this CPU by writing out the neighbourhood of every voxel as a column.

    It does so where oneDNN does not do it: in bfloat16 on processors without AVX-512 or AVX-NE-CONVERT, in float16 on those
    without AVX512-FP16 and the like, in builds without oneDNN, and where TF_ENABLE_ONEDNN_OPTS turns it off. A step in bfloat16
    then takes about ten times as long as one in float32 (measured: 10 and 20 times, 48³ voxels, one thread), and more memory.
    """
    if import_keras().backend.backend() != "tensorflow":
        return False
    if onednn_is_off():
        return True
    import tensorflow as tf

    try:
        from tensorflow.python.util import _pywrap_utils

        supported = _pywrap_utils.IsDataTypeSupportedByOneDNNOnThisCPU
    except (ImportError, AttributeError):
        # TensorFlow's own question to the processor. Of a release without it, the common case is expected.
        return precision in HALF
    return not supported(tf.as_dtype(precision if precision in HALF else "float32").as_datatype_enum)


def onednn_is_off() -> str:
    """Return in words that the user's environment turns oneDNN off, or an empty text."""
    return " while TF_ENABLE_ONEDNN_OPTS is 0" if os.environ.get("TF_ENABLE_ONEDNN_OPTS") == "0" else ""
