"""Check a loss before it is used in a training.

    whichloss check-loss my_losses/soft_f2.py
    whichloss check-loss focal --parameters '{"gamma": 3}'

Checks values, gradients (against central differences), edge cases of a training, half precision and compilation, and measures
the computing time relative to Keras's cross entropy. Prints one line per check. Exit code 0: all checks hold; 1: a check fails;
2: the loss cannot be built.
"""

import argparse
import json
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from workflow_lib.base.errors import Faults, UserError
from workflow_lib.base.seeds import generator
from workflow_lib.losses import registry
from workflow_lib.losses.toolkit import LossFunction
from workflow_lib.networks import runtime

SUMMARY = "check a loss before it is used in a training"
EXAMPLE = "whichloss check-loss my_losses/mine.py"

CLASSES = 3
"""Number of classes of the batches, if the parameters do not determine it."""
FLAT, SOLID, LARGE, COSTLY = (2, 4, 3), (2, 3, 2, 3), (1, 300, 300), (2, 32, 96, 96)
"""Shapes of the batches: samples and spatial axes."""
DIFFERENCE = 1e-6
"""Step of the central differences."""
TOLERANCE = 1e-4
"""Largest accepted difference between gradient and central differences, relative to the largest element."""

Batch = tuple[np.ndarray, np.ndarray]


@dataclass(frozen=True)
class Finding:
    """The result of a check: whether it holds (None for information only), the subject, and the observation."""

    holds: bool | None
    what: str
    seen: str


def chosen(loss: str, parameters: Mapping[str, Any]) -> LossFunction:
    """Return the loss of a name or file with the given parameters. Raises Faults with all faults of the parameters."""
    name = registry.resolve(loss)
    found = registry.faults(name, parameters) or registry.faults(name, parameters, classes_of(name, parameters))
    if found:
        raise Faults(f"Loss {name!r} cannot be built:", found)
    return registry.build(name, parameters)


def classes_of(name: str, parameters: Mapping[str, Any]) -> int | None:
    """Return the number of classes from the first parameter with one value per class, or None if there is none."""
    values = registry.resolved_parameters(name, parameters)
    lists = (values[key] for key in registry.per_class_parameters(name))
    of_parts = (classes_of(part, own) for part, own in registry.components(name, parameters))
    return next((len(value) for value in lists if isinstance(value, list)), None) or next(filter(None, of_parts), None)


def random_batch(shape: tuple[int, ...]) -> Batch:
    """Return one-hot ground truth and softmax output in float64.

    Every sample has every class, if it has enough voxels.
    """
    rng = generator(1, "check_loss", *shape)
    classes = rng.integers(0, shape[-1], shape[:-1])
    some = classes.reshape(shape[0], -1)[:, : shape[-1]]
    some[:] = np.arange(some.shape[-1])
    p = np.exp(rng.normal(0, 1.5, shape))
    return np.eye(shape[-1])[classes], p / p.sum(axis=-1, keepdims=True)


def edges(n_classes: int) -> dict[str, Batch]:
    """Return 3-D batches of edge cases at which losses often fail."""
    y, p = random_batch((*SOLID, n_classes))
    background = np.zeros_like(y)
    background[..., 0] = 1
    wrong = np.roll(y, 1, axis=-1)
    return {
        "no foreground in the patch": (background, p),
        "no foreground, and none found": (background, background),
        "no foreground, but some found": (background, wrong),
        "everything right, probabilities 0 and 1": (y, y),
        "everything wrong, probabilities 0 and 1": (y, wrong),
        "outside the volume (no class)": (np.zeros_like(y), p),
    }


def check(loss: LossFunction) -> Iterator[Finding]:
    """Run the checks and yield their findings."""
    fixed = classes_of(loss.name, loss.parameters.model_dump(mode="json"))
    n_classes = fixed or CLASSES
    yield from _gradients(loss, {"2-D": (*FLAT, fixed or 2), "3-D": (*SOLID, n_classes)})
    yield from _edges(loss, n_classes)
    yield _half_precision(loss, n_classes)
    yield _compiled(loss, n_classes)
    yield _least(loss, n_classes)
    yield _order_of_voxels(loss, n_classes)
    yield _cost(loss, n_classes)


def _gradients(loss: LossFunction, shapes: Mapping[str, tuple[int, ...]]) -> Iterator[Finding]:
    for what, shape in shapes.items():
        y, p = random_batch(shape)
        value, gradient = _value_and_gradient(loss, y, p, "float64")
        expected = np.zeros_like(p)
        for index in np.ndindex(p.shape):
            up, down = p.copy(), p.copy()
            up[index] += DIFFERENCE
            down[index] -= DIFFERENCE
            expected[index] = (_value(loss, y, up) - _value(loss, y, down)) / (2 * DIFFERENCE)
        largest = max(float(np.abs(expected).max()), 1e-12)
        off = float(np.abs(gradient - expected).max()) / largest
        holds = bool(np.isfinite(value)) and off < TOLERANCE
        seen = f"value {value:.4g}; off central differences by {off:.1e}"
        yield Finding(holds, f"gradient, {what}, {shape[-1]} classes", seen)


def _edges(loss: LossFunction, n_classes: int) -> Iterator[Finding]:
    for what, (y, p) in edges(n_classes).items():
        value, gradient = _value_and_gradient(loss, y, p, "float32")
        holds = bool(np.isfinite(value) and np.isfinite(gradient).all())
        yield Finding(holds, what, f"value {value:.4g}, largest gradient {np.abs(gradient).max():.2g}")


def _half_precision(loss: LossFunction, n_classes: int) -> Finding:
    y, p = random_batch((*LARGE, n_classes))
    whole, half = (_value_and_gradient(loss, y, p, dtype) for dtype in ("float32", "float16"))
    holds = bool(np.isfinite(half[1]).all()) and abs(half[0] - whole[0]) <= 0.01 * max(abs(whole[0]), 0.01)
    return Finding(holds, "float16 predictions of 90 000 voxels", f"value {half[0]:.4g}, in float32 {whole[0]:.4g}")


def _compiled(loss: LossFunction, n_classes: int) -> Finding:
    import tensorflow as tf

    y, p = (tf.constant(array, "float32") for array in random_batch((*SOLID, n_classes)))
    values = [float(loss(y, p)), *(float(tf.function(loss, jit_compile=jit)(y, p)) for jit in (False, True))]
    holds = max(values) - min(values) <= 1e-4 * max(abs(values[0]), 1e-3)
    return Finding(holds, "eager, tf.function, XLA", "values " + ", ".join(f"{value:.6g}" for value in values))


def _least(loss: LossFunction, n_classes: int) -> Finding:
    y, _ = random_batch((*SOLID, n_classes))
    rng = generator(2, "check_loss")
    others = [_value(loss, y, rng.dirichlet(np.ones(y.shape[-1]), y.shape[:-1])) for _ in range(20)]
    perfect = _value(loss, y, y)
    return Finding(
        perfect < min(others), "the right answer costs least", f"{perfect:.4g}; the least of 20 others {min(others):.4g}"
    )


def _order_of_voxels(loss: LossFunction, n_classes: int) -> Finding:
    y, p = random_batch((2, 6, 6, n_classes))
    order = generator(3, "check_loss").permutation(36)
    shuffled = (array.reshape(2, 36, n_classes)[:, order].reshape(array.shape) for array in (y, p))
    same = bool(np.isclose(_value(loss, y, p), _value(loss, *shuffled), rtol=1e-9))
    return Finding(None, "the order of the voxels", "does not matter" if same else "matters: it looks at where a voxel is")


def _cost(loss: LossFunction, n_classes: int) -> Finding:
    import tensorflow as tf

    keras = runtime.import_keras()
    shape = (*COSTLY, n_classes)
    y, p = (tf.constant(array, "float32") for array in random_batch(shape))

    def cross_entropy(y: Any, p: Any) -> Any:
        return tf.reduce_mean(keras.losses.categorical_crossentropy(y, p))

    own, theirs = (_seconds(function, y, p) for function in (loss, cross_entropy))
    return Finding(None, "value and gradient", f"{own * 1e3:.0f} ms for {shape}, {own / theirs:.1f} times Keras's cross entropy")


def _seconds(function: Callable[[Any, Any], Any], y: Any, p: Any, repetitions: int = 5) -> float:
    import tensorflow as tf

    def value_and_gradient(y: Any, p: Any) -> Any:
        with tf.GradientTape() as tape:
            tape.watch(p)
            value = function(y, p)
        return value, tape.gradient(value, p)

    step = tf.function(value_and_gradient)
    times = []
    for _ in range(repetitions + 1):
        begin = time.perf_counter()
        step(y, p)[0].numpy()
        times.append(time.perf_counter() - begin)
    return min(times[1:])


def _value(loss: LossFunction, y: np.ndarray, p: np.ndarray) -> float:
    import tensorflow as tf

    return float(loss(tf.constant(y, "float64"), tf.constant(p, "float64")))


def _value_and_gradient(loss: LossFunction, y: np.ndarray, p: np.ndarray, dtype: str) -> tuple[float, np.ndarray]:
    import tensorflow as tf

    prediction = tf.constant(p, dtype)
    with tf.GradientTape() as tape:
        tape.watch(prediction)
        value = loss(tf.constant(y, "float32"), prediction)
    gradient = tape.gradient(value, prediction)
    if gradient is None:
        raise UserError(f"loss {loss.name!r}: the value does not depend on the predictions, so nothing can be learnt with it.")
    return float(value), np.asarray(gradient, dtype=float)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("loss", help="a Python file with your own loss, or the name of a loss")
    parser.add_argument(
        "--parameters", type=_parameters, default={}, metavar="JSON", help="parameters that differ from the defaults"
    )


def _parameters(text: str) -> dict[str, Any]:
    content = json.loads(text)
    if not isinstance(content, dict):
        raise argparse.ArgumentTypeError(f'must be a JSON object like {{"gamma": 3}}, not {text}')
    return content


def _place(error: Exception, loss: str) -> str:
    """Return the line of the user's file that raised an error, if it lies there, and what the error says."""
    said, path = f"{type(error).__name__}: {error}", Path(loss)
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if Path(frame.filename).name == path.name]
    if path.suffix != ".py" or not frames or not path.is_file():
        return f": {said}"
    number = frames[-1].lineno or 1
    line = path.read_text(encoding="utf-8-sig").splitlines()[number - 1].strip()
    return f" in line {number}: {said}\n    {line}"


def run(arguments: argparse.Namespace) -> int:
    """Check the given loss."""
    loss = chosen(arguments.loss, arguments.parameters)
    try:
        runtime.configure_runtime(threads=2, deterministic=False, gpus=0)
        failed = 0
        for finding in check(loss):
            mark = {True: "ok", False: "FAILS", None: "-"}[finding.holds]
            print(f"{mark:6}{finding.what:42}{finding.seen}", flush=True)
            failed += finding.holds is False
    except (UserError, BrokenPipeError):
        raise
    except Exception as error:  # a user's formula may raise anything
        print(f"\nThe formula of {arguments.loss} fails{_place(error, arguments.loss)}\n", file=sys.stderr)
        return 1
    print(f"{loss}: {f'{failed} check(s) fail' if failed else 'all checks hold'}")
    return 1 if failed else 0
