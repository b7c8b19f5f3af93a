"""Whole cases from a network that sees patches."""

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
    """Return the trained network. Raises UserError when the file is missing, damaged or of another network."""
    return load_network(weights, network, n_classes, channels, patch)


def probabilities(
    model: "keras.Model",
    image: np.ndarray,
    patch: Sequence[int],
    overlap: Sequence[int],
    batch_size: int,
    blending: Blending = "miscnn",
) -> np.ndarray:
    """Return the class probabilities of a preprocessed case, (*axes, n_classes) float32, each voxel's sum 1.

    `image`: (*axes, channels) float32, two or three axes; patches at its border that reach beyond a smaller image are padded.
    `overlap`: voxels that neighbouring patches share, per axis. `batch_size`: patches predicted at once; the last batch is filled
    up with its last patch, so that the network is traced for one shape only.
    Raises UserError when a probability is not finite: the weights are damaged or the training diverged.
    """
    blender = Blender(image.shape[:-1], patch, overlap, model.output_shape[-1], blending)
    for first, batch in _batches(image, blender.starts, patch, batch_size):
        predicted = np.asarray(model.predict_on_batch(batch))
        count = min(batch_size, len(blender.starts) - first)
        for offset in range(count):
            blender.add(first + offset, predicted[offset])
    joined = blender.result()
    # Every weight is above 0, so what is not finite in any patch is not finite here.
    if not np.isfinite(joined).all():
        raise UserError(
            "The network gives probabilities that are not finite. Its weights or the image hold NaN or Inf: "
            "look at the history of the training, delete its folder and train again."
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
    """Return the most probable class of each voxel, (*axes,) uint8; of equal ones the first. Arguments as in `probabilities`."""
    from workflow_lib.inference import _kernels

    blended = probabilities(model, image, patch, overlap, batch_size, blending)
    classes = np.empty(blended.shape[:-1], dtype=np.uint8)
    _kernels.most_probable(blended.reshape(-1, blended.shape[-1]), classes.reshape(-1))
    return classes


def exhausted(device: str) -> str:
    """Return the message for a prediction whose device ("cpu", "NVIDIA A100") has no memory left."""
    there = memory.of_host() if device == "cpu" else memory.of_gpu()
    has = "" if there is None else f" {there.name[0].upper()}{there.name[1:]} has {memory.gibibytes(there.size)}."
    larger = "training.memory_mb" if device == "cpu" else "a GPU with more memory, gpu_model (docs/hpc.md)"
    return (
        f"The memory of {'the CPU' if device == 'cpu' else f'the GPU ({device})'} is used up; no prediction was written.{has} "
        f"Lower prediction.batch_size, the patches predicted at once (at 1 there is only the patch itself, training.patch, "
        f"which the network was trained with), or ask for more: {larger}."
    )


def _batches(
    image: np.ndarray, starts: Sequence[tuple[int, ...]], patch: Sequence[int], batch_size: int
) -> Iterator[tuple[int, np.ndarray]]:
    """Yield the index of a batch's first patch, and the batch (batch_size, *patch, channels) float32."""
    for first in range(0, len(starts), batch_size):
        chosen = list(starts[first : first + batch_size])
        chosen += chosen[-1:] * (batch_size - len(chosen))
        yield first, np.stack([cut_patch(image, start, patch) for start in chosen]).astype(np.float32, copy=False)
