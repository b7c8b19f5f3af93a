"""A tiny training for the tests of the training loop."""

import os
import signal
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.unit.augmentation_support import smooth_case
from workflow_lib.networks.processor import convolves_by_columns
from workflow_lib.study.sections.augmentation import Augmentation
from workflow_lib.study.sections.network import Network
from workflow_lib.study.sections.training import Training
from workflow_lib.training import batches
from workflow_lib.training.loop import train
from workflow_lib.training.request import TrainingRequest

# One thread in every process that trains, because the number of threads changes the rounding of sums.
os.environ["TF_NUM_INTRAOP_THREADS"] = os.environ["TF_NUM_INTEROP_THREADS"] = "1"

CASES = ("a", "b", "c", "d", "e")


def tiny_request(
    folder: Path, shape: tuple[int, ...] = (12, 10, 9), patch: tuple[int, ...] = (8, 8, 8), **changes: Any
) -> TrainingRequest:
    """Return a request for three epochs of two steps with two foreground classes, three training and two validation cases."""
    training: dict[str, Any] = {
        "patch": patch,
        "epochs": 3,
        "iterations": 2,
        "learning_rate": 3e-2,
        "threads": 1,
        "plateau_patience": 1,
    }
    settings: dict[str, Any] = {
        "dataset": "tiny",
        "loss": "my_dice",
        "loss_type": "dice",
        "parameters": {},
        "fold": 1,
        "seed": 12,
        "n_classes": 3,
        "channels": 1,
        "store": {name: smooth_case(shape, seed=index, name=name) for index, name in enumerate(CASES)},
        "training_cases": CASES[:3],
        "validation_cases": CASES[3:],
        "network": Network(filters=4, depth=1),
        "training": Training(**training | changes.pop("training", {})),
        "augmentation": Augmentation(elastic_alpha=None),
        "output": folder / "out",
        "checkpoints": folder / "checkpoints" / "abc",
        "fingerprint": "abc",
    }
    return TrainingRequest(**settings | changes)


def skip_where_onednn_is_held_back() -> None:
    """Skip a test in 16 bits if ONEDNN_MAX_CPU_ISA disables instructions that the processor has and TensorFlow requests."""
    limit = os.environ.get("ONEDNN_MAX_CPU_ISA", "ALL").upper()
    if not any(name in limit for name in ("ALL", "DEFAULT", "AVX512", "AVX10", "AMX")) and not convolves_by_columns("bfloat16"):
        pytest.skip(
            f"ONEDNN_MAX_CPU_ISA={limit} forbids oneDNN the 16-bit convolutions that TensorFlow asks it for on this processor"
        )


def main() -> None:
    """Train in a separate process until after a given step: folder, epoch, step, and how the process ends.

    By default it is killed with SIGKILL. With the number of a signal and a number of batch processes, all of them receive it.
    """
    folder, epoch, step = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    number, processes = (int(text) for text in sys.argv[4:]) if len(sys.argv) > 4 else (signal.SIGKILL, 0)

    def end(*position: int) -> None:
        if position == (epoch, step):
            os.killpg(0, number) if processes else os.kill(os.getpid(), number)

    train(tiny_request(folder, checkpoint_minutes=1e-9, batch_processes=processes), end)


if __name__ == "__main__":
    main()


def validation_batches(store, cases, patch, batch_size, mode, seed, epoch):
    """Return all validation batches of an epoch (see `batches.validation_batch`)."""
    steps = range(batches.validation_steps(cases, batch_size))
    return [batches.validation_batch(store, cases, patch, batch_size, mode, seed, epoch, step) for step in steps]
