"""The updates of Adam and AdamW with TensorFlow's operations in the order of Keras.

Numbers that are the same for all weights are computed only once.
"""

from collections.abc import Sequence
from typing import Any


def adam_steps(adam: Any, gradients: Sequence[Any], variables: Sequence[Any], learning_rate: Any) -> bool:
    """Add `keras.optimizers.Adam.update_step` for all variables to the graph; return whether it was possible."""
    moments = _moments(adam, variables)
    if moments is None:
        return False
    _write(adam, gradients, variables, moments, learning_rate)
    return True


def _moments(adam: Any, variables: Sequence[Any]) -> list[tuple[Any, Any]] | None:
    """Return Keras's two moments of each variable, or None if this update does not apply.

    It does not apply if Keras does not have these attributes, with AMSGrad, and if a variable is not
    float32.
    """
    try:
        places = [adam._get_variable_index(variable) for variable in variables]
        found = [(adam._momentums[place].value, adam._velocities[place].value) for place in places]
    except AttributeError:
        return None
    plain = not getattr(adam, "amsgrad", True) and all(variable.dtype == "float32" for variable in variables)
    return found if plain else None


def _write(
    adam: Any, gradients: Sequence[Any], variables: Sequence[Any], moments: Sequence[tuple[Any, Any]], learning_rate: Any
) -> None:
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
