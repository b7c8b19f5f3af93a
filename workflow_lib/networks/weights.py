"""Saving and loading of the weights of a trained network."""

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from workflow_lib.base.errors import UserError
from workflow_lib.base.files import atomic_path
from workflow_lib.networks.build import build_network
from workflow_lib.networks.runtime import import_keras
from workflow_lib.study.sections.network import Network

if TYPE_CHECKING:
    import keras


def save_network(model: "keras.Model", path: Path) -> None:
    """Write only the weights to a file `*.weights.h5`, atomically; equal weights give equal bytes.

    For a compiled model Keras also saves the optimiser's state. Therefore the same layers are saved as a
    model that is not compiled.
    """
    keras = import_keras()
    plain = keras.Model(model.inputs[0], model.outputs[0], name="unet")
    with atomic_path(path) as temporary:
        plain.save_weights(temporary)


def load_network(weights: Path, network: Network, n_classes: int, channels: int, patch: Sequence[int]) -> "keras.Model":
    """Build a network and load its weights.

    Raises UserError if the file is missing, damaged or belongs to another network.
    """
    if not weights.is_file():
        raise UserError(f"{weights} does not exist. Run the training that makes it first.")
    model = build_network(network, n_classes, channels, patch)
    try:
        # Keras ignores additional arrays in a file.
        held = _numbers_in(weights)
        if held != model.count_params():
            raise ValueError(f"it holds {held} numbers, the network has {model.count_params()} weights.")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            model.load_weights(weights)
    except (OSError, ValueError, KeyError) as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise UserError(
            f"{weights} does not fit the network ({network.architecture}, {network.filters} filters, depth {network.depth}, "
            f"{channels} channel(s), {n_classes} classes), or is damaged: {reason} Delete it and run the training again."
        ) from error
    return model


def _numbers_in(weights: Path) -> int:
    import h5py

    sizes: list[int] = []

    def count(name: str, item: Any) -> None:
        if isinstance(item, h5py.Dataset):
            sizes.append(item.size)

    with h5py.File(weights, "r") as file:
        file.visititems(count)
    return sum(sizes)
