"""The batches of a training, each a function of (seed, epoch, step).

As in MIScnn 1.4.0, the cases are shuffled every epoch. Each step takes the next `batch_size` cases of
the list, which is repeated at its end. Each case gives one random patch. A batch does not depend on
earlier random draws, so a training can resume at any step.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np

from workflow_lib.augmentation import PatchSource, augmented_patch, plain_patch
from workflow_lib.base.errors import UserError
from workflow_lib.base.seeds import generator
from workflow_lib.study.sections.augmentation import Augmentation

Batch = tuple[np.ndarray, np.ndarray]
"""Images (batch, *patch, channels) float32 and classes (batch, *patch) uint8.

Class 255 marks voxels outside the volume.
"""

Kind = Literal["training", "validation"]
KINDS: tuple[Kind, ...] = ("training", "validation")


class CaseStore(Protocol):
    """The preprocessed cases (`preprocessing.store.Store`)."""

    def __getitem__(self, case_id: str) -> PatchSource:
        """Return one case."""


def case_order(cases: Sequence[str], seed: int, epoch: int) -> list[str]:
    """Return the cases in the order of one epoch, which depends on their set, the seed and the epoch."""
    return _shuffled(cases, generator(seed, "order", epoch))


def _shuffled(cases: Sequence[str], rng: np.random.Generator) -> list[str]:
    if not cases:
        raise UserError("A training needs at least one case in each part of the fold, but one part is empty. Use fewer folds.")
    ordered = sorted(cases)
    return [ordered[position] for position in rng.permutation(len(ordered))]


def cases_of_step(order: Sequence[str], batch_size: int, step: int) -> list[str]:
    """Return the cases of a step (from 0): the next `batch_size` of the list, which repeats at its end."""
    return [order[position % len(order)] for position in range(step * batch_size, (step + 1) * batch_size)]


def training_batch(
    store: CaseStore,
    cases: Sequence[str],
    patch: Sequence[int],
    batch_size: int,
    augmentation: Augmentation,
    seed: int,
    epoch: int,
    step: int,
) -> Batch:
    """Return the batch of one step: augmented random patches, images float32 and classes uint8.

    `seed` is derived from the dataset and fold (see `seeds.derive`) and not from the loss, so that all
    losses are trained on the same batches. If there are fewer cases than `batch_size`, a batch has
    several patches of a case.
    """
    chosen = cases_of_step(case_order(cases, seed, epoch), batch_size, step)
    return _stack(
        augmented_patch(store[case], patch, augmentation, generator(seed, "patch", epoch, step, sample))
        for sample, case in enumerate(chosen)
    )


def validation_steps(cases: Sequence[str], batch_size: int) -> int:
    """Return the number of validation batches that contain every case; the last batch is filled up."""
    return math.ceil(len(cases) / batch_size)


def validation_batch(
    store: CaseStore,
    cases: Sequence[str],
    patch: Sequence[int],
    batch_size: int,
    mode: Literal["fixed", "random"],
    seed: int,
    epoch: int,
    step: int,
) -> Batch:
    """Return one validation batch: random patches without augmentation.

    The last batch is filled with other patches of cases from the beginning of the list, as in MIScnn.
    `fixed`: the order and the patches are the same in all epochs. `random`: both are drawn again in every
    epoch, as in MIScnn.
    """
    name = ("validation",) if mode == "fixed" else ("validation", epoch)
    chosen = cases_of_step(_shuffled(cases, generator(seed, *name, "order")), batch_size, step)
    return _stack(
        plain_patch(store[case], patch, generator(seed, *name, "patch", step, sample)) for sample, case in enumerate(chosen)
    )


def _stack(samples: Iterable[tuple[np.ndarray, np.ndarray]]) -> Batch:
    images, classes = zip(*samples, strict=True)
    return np.stack(images), np.stack(classes)


@dataclass(frozen=True)
class BatchMaker:
    """Everything that the batches of a training depend on; a call with kind, epoch and step makes one.

    Epochs count from 1 and steps from 0. The fields are plain data, so that the object can be pickled
    for another process. `validation`: see `validation_batch`. `channels`: the channels of the images.
    """

    store: CaseStore
    training_cases: tuple[str, ...]
    validation_cases: tuple[str, ...]
    patch: tuple[int, ...]
    channels: int
    batch_size: int
    augmentation: Augmentation
    validation: Literal["fixed", "random"]
    seed: int

    def __call__(self, kind: Kind, epoch: int, step: int) -> Batch:
        """Return the batch, which depends only on the fields and the arguments."""
        if kind == "validation":
            return validation_batch(
                self.store, self.validation_cases, self.patch, self.batch_size, self.validation, self.seed, epoch, step
            )
        return training_batch(
            self.store, self.training_cases, self.patch, self.batch_size, self.augmentation, self.seed, epoch, step
        )
