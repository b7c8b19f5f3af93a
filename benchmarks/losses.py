"""Value and gradient of every loss on a batch of the paper's size, against Keras's cross entropy in the same run.

The batch is 2 x 80 x 160 x 160 x 3 (softmax output and one-hot ground truth with two nested structures). Time: minimum and median
over the repetitions, the losses in turn, so that a slow spell of the machine hits all of them. Memory: the peak of a process of
its own while it computes value and gradient, in maps of the input (46.9 MiB: one float32 for each voxel and class), the gradient
itself included.

    python -m benchmarks.losses
    python -m benchmarks.losses --losses boundary mixed_focal --jit
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from workflow_lib import networks
from workflow_lib.losses import registry

SHAPE = (2, 80, 160, 160, 3)
MAP_BYTES = 4 * int(np.prod(SHAPE))
REFERENCE = "Keras cross entropy"
FURTHER: dict[str, tuple[str, dict[str, Any]]] = {
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

        keras = networks.import_keras()
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

    return tf.function(value_and_gradient, jit_compile=jit)


def seconds(step: Callable[[Any, Any], Any], y: Any, p: Any) -> float:
    """Return the wall time of one call."""
    begin = time.perf_counter()
    step(y, p)[0].numpy()
    return time.perf_counter() - begin


def status(key: str) -> int:
    """Return a size of /proc/self/status in bytes."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(key))


def peak_bytes(name: str, jit: bool) -> int:
    """Return how much this process grows at most while it computes value and gradient for the first time at this size."""
    import tensorflow as tf

    y, p = batch()
    step = step_of(name, jit)
    step(tf.zeros((1, 4, 4, 4, 3)), tf.fill((1, 4, 4, 4, 3), 1 / 3))
    Path("/proc/self/clear_refs").write_text("5")  # the peak starts anew
    before = status("VmRSS")
    step(y, p)[0].numpy()
    return status("VmHWM") - before


def memory_of(name: str, jit: bool) -> float:
    """Return the peak of a process of its own, in maps of the input."""
    command = [sys.executable, "-m", "benchmarks.losses", "--memory-of", name, *(["--jit"] if jit else [])]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=True)
    return float(json.loads(done.stdout)) / MAP_BYTES


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repetitions", type=int, default=7, help="timed calls of each loss (default 7)")
    parser.add_argument("--losses", nargs="*", help="names of losses (default: all)")
    parser.add_argument("--jit", action="store_true", help="compile with XLA")
    parser.add_argument("--memory-of", help=argparse.SUPPRESS)
    options = parser.parse_args()
    os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
    networks.configure_runtime(threads=os.cpu_count() or 1, deterministic=False, gpus=0)
    if options.memory_of:
        print(peak_bytes(options.memory_of, options.jit))
        return
    names = options.losses or [name for name in registry.names() if not registry.faults(name)] + list(FURTHER)
    y, p = batch()
    steps = {name: step_of(name, options.jit) for name in (REFERENCE, *names)}
    times: dict[str, list[float]] = {name: [] for name in steps}
    for repetition in range(options.repetitions + 1):
        for name, step in steps.items():
            taken = seconds(step, y, p)
            if repetition:  # the first call traces
                times[name].append(taken)
    median = statistics.median(times[REFERENCE])
    print(f"{'':42}{'min s':>8}{'median s':>10}{'times':>7}{'maps':>6}")
    for name in steps:
        middle = statistics.median(times[name])
        maps = memory_of(name, options.jit)
        print(f"{name:42}{min(times[name]):8.3f}{middle:10.3f}{middle / median:7.2f}{maps:6.1f}", flush=True)


if __name__ == "__main__":
    main()
