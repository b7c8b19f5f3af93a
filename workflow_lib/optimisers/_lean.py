"""Keras's optimisers, written into the graph of a training step in fewer operations.

Keras writes some forty operations for each of a network's weights, a third of them the same numbers each time, within scopes for
several devices, and takes longer over it than over everything else in the graph. Here the scopes are left out, and an optimiser
may write all its updates at once (`_adam_steps.py`), so that no bit is different. On Keras's other backends and on several GPUs
it is as Keras does it.
"""

import functools
from collections.abc import Callable, Sequence
from typing import Any

from workflow_lib.networks.runtime import import_keras

AllSteps = Callable[[Any, Sequence[Any], Sequence[Any], Any], bool]
"""Writes the updates of all variables (optimiser, gradients, variables, learning rate); returns False to leave them to Keras."""


@functools.cache
def lean(kind: Any, all_steps: AllSteps | None = None) -> Any:
    """Return Keras's class of optimisers, or one derived from it that writes less into the graph of a step.

    A Keras that has another name for what is overridden here calls its own, which does the same.
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
