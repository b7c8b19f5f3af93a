"""Construction of a network of any architecture with its initial weights."""

import re
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

from workflow_lib.base.errors import Faults, UserError
from workflow_lib.networks.architectures import registry
from workflow_lib.networks.precision import layers_in, output_in_float32
from workflow_lib.networks.runtime import import_keras
from workflow_lib.study.sections.network import Network

if TYPE_CHECKING:
    import keras


def build_network(
    network: Network,
    n_classes: int,
    channels: int,
    patch: Sequence[int],
    seed: int | None = None,
    precision: str = "float32",
) -> "keras.Model":
    """Build a network: images (batch, *patch, channels) float32 to softmax (batch, *patch, n_classes) float32.

    A patch with two sides gives a 2-D network, one with three sides a 3-D network. With `precision` bfloat16
    or float16, all layers except the last compute in that format, with float32 weights. float32 and tf32
    build the same network. With `seed`, the initial weights depend only on the seed and the arguments; this
    also sets the global seeds of Python, NumPy and the backend.
    Raises UserError for an invalid architecture, parameter or patch.
    """
    if len(patch) not in (2, 3):
        raise UserError(f"A patch has two or three sides, but {list(patch)} has {len(patch)}. Change training.patch.")
    faults = registry.faults(network, patch)
    if faults:
        raise Faults("The network cannot be built:", [f"{key}: {text}" for key, text in faults])
    keras = import_keras()
    architecture, parameters = registry.get(network.architecture), registry.parameters(network)
    if seed is not None:
        keras.utils.set_random_seed(seed)
    with layers_in(precision):
        built = architecture.build((*patch, channels), n_classes, parameters)
    # MIScnn passes its tensors as lists. Keras 3 then warns at every call with a plain array.
    model = keras.Model(built.inputs[0], output_in_float32(built, precision), name="unet")
    _name_layers(model)
    return model


def _name_layers(model: "keras.Model") -> None:
    """Name the layers by kind and position.

    Keras numbers the names per process, and weights files contain them. With these names, the bytes of a
    weights file depend only on the network.
    """
    counter: Counter[str] = Counter()
    for layer in model.layers:
        kind = re.sub(r"(?<!^)(?=[A-Z][a-z])", "_", type(layer).__name__).lower()
        counter[kind] += 1
        layer.name = f"{kind}_{counter[kind]}"
