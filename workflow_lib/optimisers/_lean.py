"""Keras's optimisers with fewer operations in the graph of a training step.

For each weight array of a network, Keras adds about forty operations within scopes for several devices. A
third of them compute the same numbers for every array. This takes longer than the construction of the rest of
the graph. Here the scopes are omitted, and an optimiser can add all its updates at once (`_adam_steps.py`).
The results are bit-identical. On Keras's other backends and on several GPUs, the code of Keras is used.
"""

import functools
from collections.abc import Callable, Sequence
from typing import Any

from workflow_lib.networks.runtime import import_keras

AllSteps = Callable[[Any, Sequence[Any], Sequence[Any], Any], bool]
"""Function (optimiser, gradients, variables, learning rate) that adds the updates of all variables.

It returns False if Keras must add them.
"""


@functools.cache
def lean(kind: Any, all_steps: AllSteps | None = None) -> Any:
    """Return a subclass of Keras's optimiser class that adds fewer operations to the graph of a step.

    On other backends, the class itself is returned. If a version of Keras has another name for the
    overridden method, it calls its own method, which gives the same result.
    """
    keras = import_keras()
    if keras.backend.backend() != "tensorflow":
        return kind
    import tensorflow as tf

    class Lean(kind):  # type: ignore[misc]
        def _backend_update_step(self, gradients: Sequence[Any], variables: Sequence[Any], learning_rate: Any) -> None:
            if tf.distribute.get_strategy().num_replicas_in_sync > 1:
                super()._backend_update_step(gradients, variables, learning_rate)
                return
            plain = [variable.value if isinstance(variable, keras.Variable) else variable for variable in variables]
            if all_steps is not None and all_steps(self, gradients, plain, learning_rate):
                return
            for gradient, variable in zip(gradients, plain, strict=True):
                self.update_step(gradient, variable, learning_rate)

    Lean.__name__ = Lean.__qualname__ = kind.__name__
    return Lean
