"""The optimiser of a training: Keras's own, written into the step's graph in fewer operations.

Keras writes some forty operations for each of a network's weights, a third of them the same numbers each time, within scopes for
several devices, and takes longer over it than over everything else in the graph. Here the numbers that all weights share are
computed once, and Adam's other operations are TensorFlow's own, the same ones in the same order, so that no bit is different.
On Keras's other backends and on several GPUs it is as Keras does it.
"""

import functools
from collections.abc import Sequence
from typing import Any

from workflow_lib.networks import adapter as networks
from workflow_lib.study.sections.training import Training


def build(training: Training) -> Any:
    """Return the optimiser that the settings ask for."""
    optimizers = networks.import_keras().optimizers
    passes = training.accumulation if training.accumulation > 1 else None
    optimiser = (
        _lean(optimizers.Adam)(training.learning_rate, gradient_accumulation_steps=passes)
        if training.optimiser == "adam"
        else _lean(optimizers.SGD)(
            training.learning_rate,
            momentum=training.momentum,
            nesterov=training.nesterov,
            gradient_accumulation_steps=passes,
        )
    )
    # Small gradients would round to 0 in float16. The factor on the loss is among the optimiser's variables.
    return optimizers.LossScaleOptimizer(optimiser) if training.precision == "float16" else optimiser


@functools.cache
def _lean(kind: Any) -> Any:
    """Return Keras's class of optimisers, or one derived from it that writes less into the graph of a step.

    A Keras that has another name for what is overridden here calls its own, which does the same.
    """
    keras = networks.import_keras()
    if keras.backend.backend() != "tensorflow":
        return kind
    import tensorflow as tf

    class Lean(kind):  # type: ignore[misc]
        def _backend_update_step(self, gradients: Sequence[Any], variables: Sequence[Any], learning_rate: Any) -> None:
            if tf.distribute.get_strategy().num_replicas_in_sync > 1:
                super()._backend_update_step(gradients, variables, learning_rate)
                return
            plain = [variable.value if isinstance(variable, keras.Variable) else variable for variable in variables]
            moments = _moments(self, plain) if kind is keras.optimizers.Adam else None
            if moments is not None:
                _adam_steps(self, gradients, plain, moments, learning_rate)
                return
            for gradient, variable in zip(gradients, plain, strict=True):
                self.update_step(gradient, variable, learning_rate)

    Lean.__name__ = Lean.__qualname__ = kind.__name__
    return Lean


def _moments(adam: Any, variables: Sequence[Any]) -> list[tuple[Any, Any]] | None:
    """Return Keras's two moments of each variable, or None where they are not found, or Keras does something else with them."""
    try:
        places = [adam._get_variable_index(variable) for variable in variables]
        found = [(adam._momentums[place].value, adam._velocities[place].value) for place in places]
    except AttributeError:
        return None
    plain = not getattr(adam, "amsgrad", True) and all(variable.dtype == "float32" for variable in variables)
    return found if plain else None


def _adam_steps(
    adam: Any, gradients: Sequence[Any], variables: Sequence[Any], moments: Sequence[tuple[Any, Any]], learning_rate: Any
) -> None:
    """Write `keras.optimizers.Adam.update_step` for all variables, which are float32."""
    import tensorflow as tf
    from keras import ops

    raw = tf.raw_ops

    def read(variable: Any) -> Any:
        return raw.ReadVariableOp(resource=variable.handle, dtype=variable.dtype)

    def add(variable: Any, value: Any) -> None:
        raw.AssignAddVariableOp(resource=variable.handle, value=value)

    step = ops.cast(adam.iterations + 1, "float32")
    first, second = (ops.power(ops.cast(beta, "float32"), step) for beta in (adam.beta_1, adam.beta_2))
    alpha = ops.cast(learning_rate, "float32") * ops.sqrt(1 - second) / (1 - first)
    rest_1, rest_2, epsilon = (tf.constant(number, "float32") for number in (1 - adam.beta_1, 1 - adam.beta_2, adam.epsilon))
    for gradient, variable, (m, v) in zip(gradients, variables, moments, strict=True):
        add(m, raw.Mul(x=raw.Sub(x=gradient, y=read(m)), y=rest_1))
        add(v, raw.Mul(x=raw.Sub(x=raw.Square(x=gradient), y=read(v)), y=rest_2))
        root = raw.AddV2(x=raw.Sqrt(x=read(v)), y=epsilon)
        change = raw.RealDiv(x=raw.Mul(x=read(m), y=alpha), y=root)
        raw.AssignSubVariableOp(resource=variable.handle, value=change)
