"""What a process takes until its first training step, or its first prediction, is done.

    python -P benchmarks/_first.py train STORE | train STORE WEIGHTS | predict STORE WEIGHTS

Run as a file with the repository to be measured on PYTHONPATH, which may be an earlier commit, so it imports nothing of the
benchmarks. It does what the step does, from the import of the step on, prints the CPU seconds of the process and ends it. With
WEIGHTS a training goes to its end and keeps them there.
"""

import importlib
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, NoReturn

FIRST = "CPU seconds:"
PATCH, CLASSES, SEED = (16, 48, 48), 3, 1
NETWORK = {"filters": 8, "depth": 3}
TRAINING = {"patch": PATCH, "batch_size": 2, "epochs": 1, "iterations": 2, "threads": 1, "gpus": 0}


def end() -> NoReturn:
    """Say what the process has taken, and end it."""
    print(FIRST, time.process_time(), flush=True)
    os._exit(0)


def train(folder: Path, weights: Path | None = None) -> None:
    """Train the small network until its first step is done, or to the end and keep its weights."""
    importlib.import_module("workflow_lib.steps.train")
    from workflow_lib.preprocessing.store import Store
    from workflow_lib.study.sections.augmentation import Augmentation
    from workflow_lib.study.sections.network import Network
    from workflow_lib.study.sections.training import Training
    from workflow_lib.training import loop, step
    from workflow_lib.training.request import TrainingRequest

    store = Store([folder])
    begin_step: Any = step.Steps.train

    def first_step(steps: Any, images: Any, classes: Any) -> NoReturn:
        begin_step(steps, images, classes).result()
        end()

    if weights is None:
        setattr(step.Steps, "train", first_step)  # noqa: B010 -- for mypy
    with tempfile.TemporaryDirectory() as name:
        result = loop.train(
            TrainingRequest(
                dataset="benchmark",
                loss="dice",
                loss_type="dice",
                parameters={},
                fold=1,
                seed=SEED,
                n_classes=CLASSES,
                channels=1,
                store=store,
                training_cases=store.case_ids[:-1],
                validation_cases=store.case_ids[-1:],
                network=Network.model_validate(NETWORK),
                training=Training.model_validate(TRAINING),
                augmentation=Augmentation(),
                output=Path(name) / "out",
                checkpoints=Path(name) / "checkpoints",
                fingerprint="benchmark",
            )
        )
        if weights is not None:
            weights.write_bytes(result.weights.read_bytes())


def predict(folder: Path, weights: Path) -> None:
    """Predict with these weights until the first patches are back from the network."""
    importlib.import_module("workflow_lib.steps.predict")
    import numpy as np

    from workflow_lib.inference import grid
    from workflow_lib.inference import predict as whole
    from workflow_lib.networks import runtime
    from workflow_lib.preprocessing.store import Store
    from workflow_lib.study.sections.network import Network

    setattr(grid.Blender, "add", lambda *_: end())  # noqa: B010 -- for mypy
    runtime.configure_runtime(threads=1, deterministic=False, gpus=0)
    model = whole.load_model(weights, CLASSES, 1, PATCH, Network.model_validate(NETWORK))
    store = Store([folder])
    image = np.asarray(store[store.case_ids[0]].image)
    whole.predict_case(model, image, PATCH, [side // 2 for side in PATCH], batch_size=2)


if __name__ == "__main__":
    kind, *paths = sys.argv[1:]
    {"train": train, "predict": predict}[kind](*map(Path, paths))
