"""Prediction of whole cases with a network that processes patches."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from workflow_lib.base.errors import UserError
from workflow_lib.host import memory
from workflow_lib.inference.grid import Blender, Blending, cut_patch
from workflow_lib.networks.weights import load_network
from workflow_lib.study.sections.network import Network

if TYPE_CHECKING:
    import keras


def load_model(weights: Path, n_classes: int, channels: int, patch: Sequence[int], network: Network) -> "keras.Model":
    """Return the trained network. Raises UserError if the file is missing, damaged or of another network."""
    return load_network(weights, network, n_classes, channels, patch)


def probabilities(
    model: "keras.Model",
    image: np.ndarray,
    patch: Sequence[int],
    overlap: Sequence[int],
    batch_size: int,
    blending: Blending = "miscnn",
) -> np.ndarray:
    """Return the class probabilities of a preprocessed case, (*axes, n_classes) float32, which add up to 1.

    `image`: (*axes, channels) float32, with two or three axes; patches of an image that is smaller than the
    patch are padded. `overlap`: number of common voxels of neighbouring patches, per axis. `batch_size`:
    number of patches that are predicted at once; the last batch is filled up with its last patch, so that
    the network is traced for only one shape.
    Raises UserError if a probability is not finite: the weights are damaged or the training diverged.
    """
    blender = Blender(image.shape[:-1], patch, overlap, model.output_shape[-1], blending)
    for first, batch in _batches(image, blender.starts, patch, batch_size):
        predicted = np.asarray(model.predict_on_batch(batch))
        count = min(batch_size, len(blender.starts) - first)
        for offset in range(count):
            blender.add(first + offset, predicted[offset])
    joined = blender.result()
    # All weights are above 0, so a value that is not finite in a patch is not finite here either.
    if not np.isfinite(joined).all():
        raise UserError(
            "The network gives probabilities that are not finite. Its weights or the image hold NaN or Inf: "
            "check the history of the training, delete its folder and train again."
        )
    return joined


def predict_case(
    model: "keras.Model",
    image: np.ndarray,
    patch: Sequence[int],
    overlap: Sequence[int],
    batch_size: int,
    blending: Blending = "miscnn",
) -> np.ndarray:
    """Return the most probable class of each voxel, (*axes,) uint8.

    Of equally probable classes, the first is used. The arguments are those of `probabilities`.
    """
    from workflow_lib.inference import _kernels

    blended = probabilities(model, image, patch, overlap, batch_size, blending)
    classes = np.empty(blended.shape[:-1], dtype=np.uint8)
    _kernels.most_probable(blended.reshape(-1, blended.shape[-1]), classes.reshape(-1))
    return classes


def exhausted(device: str) -> str:
    """Return the message for a prediction whose device ("cpu", "NVIDIA A100") is out of memory."""
    available = memory.of_host() if device == "cpu" else memory.of_gpu()
    has = "" if available is None else f" {available.name[0].upper()}{available.name[1:]} has {memory.gibibytes(available.size)}."
    larger = "training.memory_mb" if device == "cpu" else "a GPU with more memory, gpu_model (docs/hpc.md)"
    return (
        f"The memory of {'the CPU' if device == 'cpu' else f'the GPU ({device})'} is used up; no prediction was written.{has} "
        f"Lower prediction.batch_size, the patches predicted at once (at 1 there is only the patch itself, training.patch, "
        f"which the network was trained with), or ask for more: {larger}."
    )


def _batches(
    image: np.ndarray, starts: Sequence[tuple[int, ...]], patch: Sequence[int], batch_size: int
) -> Iterator[tuple[int, np.ndarray]]:
    """Yield the index of the first patch of a batch, and the batch (batch_size, *patch, channels) float32."""
    for first in range(0, len(starts), batch_size):
        chosen = list(starts[first : first + batch_size])
        chosen += chosen[-1:] * (batch_size - len(chosen))
        yield first, np.stack([cut_patch(image, start, patch) for start in chosen]).astype(np.float32, copy=False)
