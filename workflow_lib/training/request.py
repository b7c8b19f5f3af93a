"""The input of a training and its result."""

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
    """Everything that a training depends on, and the folders for its results.

    `loss` is the name in the study and `loss_type` the name in the registry, with its `parameters`.
    `seed` is derived from dataset and fold and is the same for all losses. Batches are prepared by
    `batch_processes` processes or, if that is 0, by `workers` threads.
    `checkpoints` is the folder of this training only. Its files belong to trainings of the same `lineage`,
    the fingerprint without the number of epochs; if `lineage` is empty, the fingerprint is used. With
    `keep_state` the last state is also saved. `events` is the folder of the files for TensorBoard, or None.
    `checkpoint_minutes`, `workers`, `batch_processes` and `gpus` (0 or 1) control the run; on a CPU they
    do not change the result. More than one GPU changes it; that number is in `training`.
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
        """The digest of the trainings from whose checkpoints this training can resume."""
        return self.lineage or self.fingerprint


@dataclass(frozen=True)
class TrainingResult:
    """The three files of a finished training, and the content of training.json."""

    weights: Path
    history: Path
    summary: Path
    record: dict[str, Any] = field(default_factory=dict)


def gpus_of(request: TrainingRequest) -> int:
    """Return the number of GPUs: that of the settings if it is above 1, else that of the run, at most 1."""
    return request.training.gpus if request.training.gpus > 1 else min(1, request.gpus)


def steps_per_epoch(request: TrainingRequest) -> int:
    """Return the steps per epoch: `iterations`, or as many as needed to use every training case."""
    return request.training.iterations or math.ceil(len(request.training_cases) / request.training.batch_size)
