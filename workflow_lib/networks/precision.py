"""The number formats of the computations in a network."""

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING

from workflow_lib.networks.runtime import import_keras

if TYPE_CHECKING:
    import keras

HALF = ("bfloat16", "float16")
"""16-bit number formats for the layers of a network."""


@contextlib.contextmanager
def layers_in(precision: str) -> Iterator[None]:
    """Within the block, new layers compute in this number format; their weights are always float32."""
    keras = import_keras()
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(f"mixed_{precision}" if precision in HALF else "float32")
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


def output_in_float32(network: "keras.Model", precision: str) -> "keras.KerasTensor":
    """Return the network's output, which the last layer computes in float32 for every precision.

    The last layer includes the softmax. Probabilities near 0 and 1 need more digits than 16 bits have.
    """
    if precision not in HALF:
        return network.outputs[0]
    last = network.layers[-1]
    last.dtype_policy = import_keras().dtype_policies.DTypePolicy("float32")
    return last(network.layers[-2].output)
