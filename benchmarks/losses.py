"""Value and gradient of every loss on a batch of the paper's size, against Keras's cross entropy in the same run.

The batch is 2 x 80 x 160 x 160 x 3 (softmax output and one-hot ground truth with two nested structures). Time: minimum and median
over the repetitions, the losses in turn, so that a slow spell of the machine hits all of them. Memory: the peak of a process of
its own while it computes value and gradient, in maps of the input (46.9 MiB: one float32 for each voxel and class), the gradient
itself included.

    python -m benchmarks.losses
    python -m benchmarks.losses --losses boundary mixed_focal --jit
"""

import multiprocessing
import os
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from typing import Any

import numpy as np

from benchmarks._measure import OURS, Row, current_memory, deliver, parser, peak_memory, reset_peak, row, side
from workflow_lib.losses import registry
from workflow_lib.networks import runtime

SHAPE = (2, 80, 160, 160, 3)
MAP_MIB = 4 * int(np.prod(SHAPE)) / 2**20
REPETITIONS = 7
REFERENCE = "Keras cross entropy"
FURTHER: dict[str, tuple[str, dict[str, Any]]] = {
    "boundary, cut off at 8": ("boundary", {"max_distance": 8}),
    "dilated_balanced_cross_entropy, radius 1": ("dilated_balanced_cross_entropy", {"radius": 1}),
    "dilated_balanced_cross_entropy, radius 8": ("dilated_balanced_cross_entropy", {"radius": 8}),
    "dilated_balanced_cross_entropy, radius 20": ("dilated_balanced_cross_entropy", {"radius": 20}),
}
"""Losses with other parameters than the defaults, for their cost."""


def batch() -> tuple[Any, Any]:
    """Return one-hot ground truth and softmax output as tensors."""
    import tensorflow as tf

    rng = np.random.default_rng(0)
    classes = np.zeros(SHAPE[:-1], np.uint8)
    classes[:, 20:50, 40:100, 40:100] = 1
    classes[:, 30:40, 50:70, 50:70] = 2
    logits = rng.normal(0, 1.5, SHAPE).astype("float32")
    return tf.constant(np.eye(3, dtype="float32")[classes]), tf.nn.softmax(logits)


def loss_of(name: str) -> Callable[[Any, Any], Any]:
    """Return a loss of the registry, one of FURTHER, or the reference."""
    if name == REFERENCE:
        import tensorflow as tf

        keras = runtime.import_keras()
        return lambda y, p: tf.reduce_mean(keras.losses.categorical_crossentropy(y, p))
    return registry.build(*FURTHER.get(name, (name, {})))


def step_of(name: str, jit: bool) -> Callable[[Any, Any], Any]:
    """Return the compiled function (y, p) -> (value, gradient)."""
    import tensorflow as tf

    loss = loss_of(name)

    def value_and_gradient(y: Any, p: Any) -> Any:
        with tf.GradientTape() as tape:
            tape.watch(p)
            value = loss(y, p)
        return value, tape.gradient(value, p)

    compiled: Callable[[Any, Any], Any] = tf.function(value_and_gradient, jit_compile=jit)
    return compiled


def seconds(step: Callable[[Any, Any], Any], y: Any, p: Any) -> float:
    """Return the wall time of one call."""
    begin = time.perf_counter()
    step(y, p)[0].numpy()
    return time.perf_counter() - begin


def configure() -> None:
    """Set TensorFlow up as a training on a CPU does, with all cores."""
    os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
    runtime.configure_runtime(threads=os.cpu_count() or 1, deterministic=False, gpus=0)


def peak_maps(name: str, jit: bool) -> float:
    """Return how much this process grows at most while it first computes value and gradient at this size, in maps."""
    configure()
    import tensorflow as tf

    y, p = batch()
    step = step_of(name, jit)
    step(tf.zeros((1, 4, 4, 4, 3)), tf.fill((1, 4, 4, 4, 3), 1 / 3))
    reset_peak()
    before = current_memory()
    step(y, p)[0].numpy()
    return (peak_memory() - before) / MAP_MIB


def timed(names: Sequence[str], repetitions: int, jit: bool) -> dict[str, list[float]]:
    """Return the wall times of each, the losses in turn; the first call, which traces, is not counted."""
    configure()
    y, p = batch()
    steps = {name: step_of(name, jit) for name in names}
    times: dict[str, list[float]] = {name: [] for name in names}
    for repetition in range(repetitions + 1):
        for name, step in steps.items():
            taken = seconds(step, y, p)
            if repetition:
                times[name].append(taken)
    return times


def rows(quick: bool, losses: Sequence[str] | None = None, jit: bool = False) -> list[Row]:
    """Return a row for each loss; `ratio` is the reference's time to the loss's, `factor` the inverse, as losses are judged."""
    names = list(losses or [name for name in registry.names() if not registry.faults(name)] + list(FURTHER))
    times = timed([REFERENCE, *names], 1 if quick else REPETITIONS, jit)
    # Side by side, after the timing is done: memory does not mind.
    with ProcessPoolExecutor(os.cpu_count(), mp_context=multiprocessing.get_context("spawn"), max_tasks_per_child=1) as pool:
        maps = dict(zip(times, pool.map(peak_maps, times, [jit] * len(times)), strict=True))
    reference = side(REFERENCE, times[REFERENCE], maps=maps[REFERENCE])
    sides = {name: side(OURS, times[name], maps=maps[name], fastest=min(times[name])) for name in names}
    return [row(name, own, reference, factor=own["median"] / reference["median"]) for name, own in sides.items()]


def main() -> None:
    """Measure all losses, or those asked for."""
    options = parser(__doc__)
    options.add_argument("--losses", nargs="*", help="names of losses (default: all)")
    options.add_argument("--jit", action="store_true", help="compile with XLA")
    chosen = options.parse_args()
    deliver(rows(chosen.quick, chosen.losses, chosen.jit), chosen.json)


if __name__ == "__main__":
    main()
