"""The number formats that a network computes in."""

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING

from workflow_lib.networks.runtime import import_keras

if TYPE_CHECKING:
    import keras

HALF = ("bfloat16", "float16")
"""Number formats of 16 bits that a network's layers can compute in."""


@contextlib.contextmanager
def layers_in(precision: str) -> Iterator[None]:
    """Within the block new layers compute in this number format; their weights are float32 all the same."""
    keras = import_keras()
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(f"mixed_{precision}" if precision in HALF else "float32")
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


def output_in_float32(network: "keras.Model", precision: str) -> "keras.KerasTensor":
    """Return the network's output, computed in float32 by its last layer whatever the precision of the others.

    The softmax is part of the last layer; probabilities near 0 and 1 need more digits than 16 bits have.
    """
    if precision not in HALF:
        return network.outputs[0]
    last = network.layers[-1]
    last.dtype_policy = import_keras().dtype_policies.DTypePolicy("float32")
    return last(network.layers[-2].output)
