"""Evaluate every loss on the Keras backend named by KERAS_BACKEND and print JSON, which test_losses_backends.py reads."""

import json
import os
from typing import Any

import keras
import numpy as np
from keras import ops

from tests.unit.losses_batches import EXAMPLES, SHAPES, edge_batches, random_batch
from workflow_lib.losses import registry

BACKEND = keras.backend.backend()
BATCHES = ("2-D binary", "3-D three classes")
LEARNERS = ("mixed_focal", "asymmetric_unified_focal", "dilated_balanced_cross_entropy", "boundary", "top_k_cross_entropy")


def value_and_gradient(loss: Any, y: np.ndarray, p: np.ndarray, compiled: bool = False) -> tuple[Any, np.ndarray]:
    """Return the loss as the backend's tensor, and its gradient with respect to p."""
    if BACKEND == "torch":
        prediction = ops.convert_to_tensor(p).detach().requires_grad_(True)
        value = loss(ops.convert_to_tensor(y.astype("float32")), prediction)
        value.backward()
        return value, prediction.grad.cpu().numpy()
    import jax

    function = jax.value_and_grad(lambda p: loss(y.astype("float32"), p))
    value, gradient = (jax.jit(function) if compiled else function)(jax.numpy.asarray(p))
    return value, np.asarray(gradient)


def number(tensor: Any) -> float:
    """Return a scalar of the backend as a float."""
    return float(ops.convert_to_numpy(tensor))


def tried(name: str) -> dict[str, Any]:
    """Return the results for a loss: values, gradients, dtypes, edge cases."""
    loss = registry.build(name, EXAMPLES.get(name, {}))
    found: dict[str, Any] = {"edges": {}}
    for shape in BATCHES:
        y, p = random_batch(SHAPES[shape])
        value, gradient = value_and_gradient(loss, y, p.astype("float32"))
        half, _ = value_and_gradient(loss, y, p.astype("float16"))
        compiled, _ = value_and_gradient(loss, y, p.astype("float32"), compiled=True)
        found[shape] = {
            "value": number(value),
            "dtype": keras.backend.standardize_dtype(value.dtype),
            "gradient": gradient.tolist(),
            "compiled": number(compiled),
            "half": number(half),
            "half_dtype": keras.backend.standardize_dtype(half.dtype),
        }
    for what, (y, p) in edge_batches().items():
        value, gradient = value_and_gradient(loss, y, p.astype("float32"))
        found["edges"][what] = bool(np.isfinite(number(value)) and np.isfinite(gradient).all())
    return found


def learnt(name: str) -> list[float]:
    """Return the training loss of each epoch of a small model."""
    y, _ = random_batch((2, 8, 8, 3))
    x = y @ np.array([[0.0], [1.0], [2.0]])
    keras.utils.set_random_seed(1)
    layers = [keras.Input((8, 8, 1)), keras.layers.Conv2D(4, 3, padding="same"), keras.layers.Conv2D(3, 1, activation="softmax")]
    model = keras.Sequential(layers)
    loss = registry.build(name, EXAMPLES.get(name, {}))
    model.compile(optimizer=keras.optimizers.Adam(0.03), loss=loss, jit_compile=BACKEND == "jax")
    return [float(value) for value in model.fit(x, y, batch_size=2, epochs=10, verbose=0).history["loss"]]


if __name__ == "__main__":
    assert os.environ["KERAS_BACKEND"] == BACKEND
    print(json.dumps({"losses": {n: tried(n) for n in registry.names()}, "learnt": {n: learnt(n) for n in LEARNERS}}))
