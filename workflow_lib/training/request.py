"""What a training is asked for with, and what it gives back."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from workflow_lib.study.sections.augmentation import Augmentation
from workflow_lib.study.sections.network import Network
from workflow_lib.study.sections.training import Training
from workflow_lib.training import batches

WEIGHTS, HISTORY, SUMMARY = "model.weights.h5", "history.csv", "training.json"


@dataclass(frozen=True)
class TrainingRequest:
    """Everything a training depends on, and where it puts what comes out.

    `loss` is the name in the study, `loss_type` the registry's, with its `parameters`. `seed` stands for dataset and fold and is
    the same for all losses. `batch_processes` processes prepare batches, or, where it is 0, `workers` threads.
    `checkpoints` is the folder of this training alone; its files belong to trainings of the same `lineage`, which is the
    fingerprint without the number of epochs (empty: the fingerprint). With `keep_state` the last state is saved, too.
    `events` is the folder of the files for TensorBoard, None for none.
    `checkpoint_minutes`, `workers`, `batch_processes`, `gpus` (0 or 1) steer the run; on a CPU they do not change the result.
    More GPUs do, and are in `training`.
    """

    dataset: str
    loss: str
    loss_type: str
    parameters: dict[str, Any]
    fold: int
    seed: int
    n_classes: int
    channels: int
    store: batches.CaseStore
    training_cases: Sequence[str]
    validation_cases: Sequence[str]
    network: Network
    training: Training
    augmentation: Augmentation
    output: Path
    checkpoints: Path
    fingerprint: str
    label: str = ""
    events: Path | None = None
    checkpoint_minutes: float = 10.0
    workers: int = 1
    batch_processes: int = 0
    gpus: int = 0
    lineage: str = ""
    keep_state: bool = False

    @property
    def state_of(self) -> str:
        """The digest that names the trainings whose checkpoints this one may go on from."""
        return self.lineage or self.fingerprint


@dataclass(frozen=True)
class TrainingResult:
    """The three files of a finished training, and what training.json says."""

    weights: Path
    history: Path
    summary: Path
    record: dict[str, Any] = field(default_factory=dict)


def gpus_of(request: TrainingRequest) -> int:
    """Return the GPUs of the training: as many as its settings say where that is part of the result, else those of the run."""
    return request.training.gpus if request.training.gpus > 1 else min(1, request.gpus)


def steps_per_epoch(request: TrainingRequest) -> int:
    """Return the steps of an epoch: as many as asked for, or as show every training case once."""
    return request.training.iterations or math.ceil(len(request.training_cases) / request.training.batch_size)
