"""Time of a training step outside the network.

A small network (8 filters, depth 3, patch 16 x 48 x 48, batch 2) on one thread of a CPU, so that what surrounds the network can
show: this project's loop, Keras's `fit` with a generator as MIScnn drives it (one worker, a queue of two), and a bare
`tf.function` over batches that lie in memory, which does nothing but the step. All begin with the same weights and see the same
batches, without augmentation; the rounds alternate. Agreement is that of the epochs' mean losses with those of `fit`.

    python -m benchmarks.training
"""

import csv
import itertools
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks._measure import OURS, Row, alone, row, side, significant
from benchmarks.batches import synthetic_store
from workflow_lib.losses import registry
from workflow_lib.networks import costs, runtime
from workflow_lib.preprocessing.store import Store
from workflow_lib.study.sections.augmentation import Augmentation
from workflow_lib.study.sections.network import Network
from workflow_lib.study.sections.training import Training
from workflow_lib.training import loop
from workflow_lib.training.batches import training_batch
from workflow_lib.training.model import compile_model, with_one_hot
from workflow_lib.training.request import TrainingRequest

SHAPE, PATCH, BATCH, CLASSES = (32, 64, 64), (16, 48, 48), 2, 3
EPOCHS, STEPS, ROUNDS = 3, 20, 3
NETWORK, PLAIN = Network(filters=8, depth=3), Augmentation(probability=0.0, mirror=False)
FULL_PATCHES = {"kits19": (80, 160, 160), "brats20": (96, 96, 96)}
SEED, LOSS = 1, "dice"


def request(folder: Path, store: Store) -> TrainingRequest:
    """Return the small training."""
    cases = store.case_ids
    return TrainingRequest(
        dataset="benchmark",
        loss=LOSS,
        loss_type=LOSS,
        parameters={},
        fold=1,
        seed=SEED,
        n_classes=CLASSES,
        channels=1,
        store=store,
        training_cases=cases[:-1],
        validation_cases=cases[-1:],
        network=NETWORK,
        training=Training(patch=PATCH, batch_size=BATCH, epochs=EPOCHS, iterations=STEPS, threads=1, gpus=0),
        augmentation=PLAIN,
        output=folder / "out",
        checkpoints=folder / "checkpoints",
        fingerprint="benchmark",
    )


def batch_of(store: Store, epoch: int, step: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the batch that all three see."""
    return training_batch(store, store.case_ids[:-1], PATCH, BATCH, PLAIN, SEED, epoch, step)


def our_loop(folder: Path, store: Store) -> tuple[list[float], list[float]]:
    """Return the times of the steps after the first epoch, and the epochs' losses."""
    ends: list[tuple[int, float]] = []
    with tempfile.TemporaryDirectory(dir=folder) as name:
        result = loop.train(request(Path(name), store), lambda epoch, _: ends.append((epoch, time.perf_counter())))
        with result.history.open(encoding="utf-8", newline="") as stream:
            losses = [float(line["training_loss"]) for line in csv.DictReader(stream)]
    return _steps(ends), losses


def _steps(ends: list[tuple[int, float]]) -> list[float]:
    """Return the times between the ends of neighbouring steps, without the first epoch and what lies between epochs."""
    pairs = itertools.pairwise(ends)
    return [after - before for (epoch, before), (same, after) in pairs if epoch == same and epoch > 1]


def keras_fit(folder: Path, store: Store) -> tuple[list[float], list[float]]:
    """Return the same from Keras's `fit`, which draws one-hot batches from a generator."""
    keras = runtime.import_keras()
    model = compile_model(request(folder, store))
    # The generator gives one-hot labels, as MIScnn's does.
    model.compile(optimizer=model.optimizer, loss=registry.build(LOSS, {}), jit_compile=False)
    ends: list[tuple[int, float]] = []

    class Generator(keras.utils.PyDataset):  # type: ignore[misc, name-defined]
        epoch = 1

        def __len__(self) -> int:
            return STEPS

        def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
            images, classes = batch_of(store, self.epoch, index)
            return images, np.eye(CLASSES, dtype=np.float32)[classes]

    source = Generator(workers=1, use_multiprocessing=False, max_queue_size=2)

    class Clock(keras.callbacks.Callback):  # type: ignore[misc, name-defined]
        def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
            # Keras tells the generator of an end of an epoch before the first one too, so it does not count them itself.
            source.epoch = epoch + 1

        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
            ends.append((source.epoch, time.perf_counter()))

    history = model.fit(source, epochs=EPOCHS, shuffle=False, verbose=0, callbacks=[Clock()])
    return _steps(ends), [float(loss) for loss in history.history["loss"]]


def bare(folder: Path, store: Store) -> tuple[list[float], list[float]]:
    """Return the same from a bare `tf.function`."""
    runtime.import_keras()
    import tensorflow as tf

    model = compile_model(request(folder, store))
    loss = with_one_hot(registry.build(LOSS, {}), CLASSES)

    @tf.function(jit_compile=False)  # type: ignore[untyped-decorator]
    def step(images: Any, classes: Any) -> Any:
        with tf.GradientTape() as tape:
            value = loss(classes, model(images, training=True))
        variables = model.trainable_variables
        model.optimizer.apply(tape.gradient(value, variables), variables)
        return value

    ends, losses = [], []
    for epoch in range(1, EPOCHS + 1):
        batches = [tuple(map(tf.constant, batch_of(store, epoch, index))) for index in range(STEPS)]
        values = []
        for images, classes in batches:
            values.append(float(step(images, classes)))
            ends.append((epoch, time.perf_counter()))
        losses.append(float(np.mean(values)))
    return _steps(ends), losses


def network_rows() -> list[Row]:
    """Return what the paper's network takes, counted and not measured."""
    classes = {"kits19": 3, "brats20": 2}
    parameters = {name: costs.count_parameters(Network(), classes[name], 1, patch) for name, patch in FULL_PATCHES.items()}
    return [
        {
            "what": f"the paper's network, {name}",
            "parameters": parameters[name],
            # The weights, the best so far, and Adam's two moments, in float32.
            "checkpoint_mib": significant(4 * 4 * parameters[name] / 2**20, 3),
            "estimated_step_gib": significant(costs.estimate_memory(Network(), classes[name], 1, patch, 2) / 2**30, 3),
            "patch": list(patch),
        }
        for name, patch in FULL_PATCHES.items()
    ]


def rows(quick: bool) -> list[Row]:
    """Return the rows of the step and of the paper's network."""
    kinds: dict[str, Callable[[Path, Store], tuple[list[float], list[float]]]]
    kinds = {OURS: our_loop, "Keras's fit": keras_fit, "bare tf.function": bare}
    times: dict[str, list[float]] = {name: [] for name in kinds}
    losses: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        store = synthetic_store(folder, SHAPE)
        runtime.configure_runtime(threads=1, deterministic=False, gpus=0)
        for _ in range(1 if quick else ROUNDS):
            for kind, measure in kinds.items():
                taken, losses[kind] = measure(folder, store)
                times[kind] += taken
    own = side(OURS, times[OURS])
    made = [_step_row(other, own, times[other], losses[other], losses[OURS]) for other in kinds if other != OURS]
    return [*made, *network_rows()]


def _step_row(other: str, own: Row, times: list[float], theirs: list[float], ours: list[float]) -> Row:
    largest = max(abs(a - b) for a, b in zip(theirs, ours, strict=True))
    return row(f"a step against {other}", own, side(other, times), {"largest_difference": significant(largest, 2)})


if __name__ == "__main__":
    alone(__doc__, rows)
