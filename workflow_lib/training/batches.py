"""The batches of a training, each a function of (seed, epoch, step), and their preparation in the background.

As in MIScnn 1.4.0, the cases are shuffled every epoch, and each step takes the next `batch_size` cases of the list, from the
beginning again at its end; every case gives one random patch. Nothing depends on what was drawn before, so a training can
start at any step.
"""

import math
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Generic, Literal, Protocol, TypeVar

import numpy as np

from workflow_lib.augmentation import PatchSource, augmented_patch, plain_patch
from workflow_lib.errors import UserError
from workflow_lib.sections.augmentation import Augmentation
from workflow_lib.seeds import generator

Batch = tuple[np.ndarray, np.ndarray]
"""Images (batch, *patch, channels) float32 and classes (batch, *patch) uint8; 255 is outside the volume."""

T = TypeVar("T")


class CaseStore(Protocol):
    """Where the preprocessed cases are (`preprocessing.store.Store`)."""

    def __getitem__(self, case_id: str) -> PatchSource:
        """Return one case."""


def case_order(cases: Sequence[str], seed: int, epoch: int) -> list[str]:
    """Return the cases in the order of one epoch: a function of their set, the seed and the epoch."""
    return _shuffled(cases, generator(seed, "order", epoch))


def _shuffled(cases: Sequence[str], rng: np.random.Generator) -> list[str]:
    if not cases:
        raise UserError("A training needs at least one case in each part of the fold, but one part is empty. Use fewer folds.")
    ordered = sorted(cases)
    return [ordered[position] for position in rng.permutation(len(ordered))]


def cases_of_step(order: Sequence[str], batch_size: int, step: int) -> list[str]:
    """Return the cases of a step (from 0): the next `batch_size` of the list, which begins again at its end."""
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

    `seed` stands for the dataset and fold (see `seeds.derive`), not for the loss: all losses see the same batches.
    A set of fewer cases than `batch_size` gives several patches of a case.
    """
    chosen = cases_of_step(case_order(cases, seed, epoch), batch_size, step)
    return _stack(
        augmented_patch(store[case], patch, augmentation, generator(seed, "patch", epoch, step, sample))
        for sample, case in enumerate(chosen)
    )


def validation_steps(cases: Sequence[str], batch_size: int) -> int:
    """Return the number of validation batches: every case once, the last batch filled up."""
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

    The last batch is filled with cases from the beginning of the list, other patches of them, as MIScnn's rolling list does.
    `fixed`: one order and one set of patches, whatever the epoch. `random`: both new every epoch, as MIScnn.
    """
    name = ("validation",) if mode == "fixed" else ("validation", epoch)
    chosen = cases_of_step(_shuffled(cases, generator(seed, *name, "order")), batch_size, step)
    return _stack(
        plain_patch(store[case], patch, generator(seed, *name, "patch", step, sample)) for sample, case in enumerate(chosen)
    )


def validation_batches(
    store: CaseStore,
    cases: Sequence[str],
    patch: Sequence[int],
    batch_size: int,
    mode: Literal["fixed", "random"],
    seed: int,
    epoch: int,
) -> list[Batch]:
    """Return all validation batches of an epoch (see `validation_batch`): ceil(cases / batch_size), all of full size."""
    steps = range(validation_steps(cases, batch_size))
    return [validation_batch(store, cases, patch, batch_size, mode, seed, epoch, step) for step in steps]


def _stack(samples: Iterable[tuple[np.ndarray, np.ndarray]]) -> Batch:
    images, classes = zip(*samples, strict=True)
    return np.stack(images), np.stack(classes)


class Prefetcher(Generic[T]):
    """Makes the batches of `steps` in background threads, a bounded number ahead, and gives them in order.

    The batches are those of `make_batch(step)` whatever the number of workers; 0 makes each when it is asked for. NumPy,
    SciPy and compiled kernels release the interpreter's lock in their loops, so threads work side by side and nothing is copied
    between processes. An exception in a worker is raised where its batch would have come. Leave the `with` block, for whatever
    reason, and no thread is left:

        with Prefetcher(make_batch, range(100), workers=2) as batches:
            for images, classes in batches: ...
        batches.seconds_waited
    """

    def __init__(self, make_batch: Callable[[int], T], steps: Iterable[int], workers: int = 1, depth: int = 4) -> None:
        """`depth` batches at most are ready or in the making, and at least one a worker."""
        if workers < 0 or depth < 1:
            raise ValueError(f"workers must be 0 or more and depth 1 or more, not {workers} and {depth}")
        self._make = make_batch
        self._steps = iter(steps)
        self._depth = max(depth, workers)
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix="batches") if workers else None
        self._pending: deque[Future[T]] = deque()
        self.seconds_waited = 0.0
        """Seconds for which the consumer stood still for want of a batch."""
        self._fill()

    def _fill(self) -> None:
        while self._pool is not None and len(self._pending) < self._depth:
            step = next(self._steps, None)
            if step is None:
                return
            self._pending.append(self._pool.submit(self._make, step))

    def __iter__(self) -> Iterator[T]:
        """Return the iterator over the batches that are left."""
        return self

    def __next__(self) -> T:
        """Return the next batch. After an error nothing follows."""
        begin = time.perf_counter()
        try:
            if self._pool is None:
                return self._make(next(self._steps))
            if not self._pending:
                raise StopIteration
            batch = self._pending.popleft().result()
            self._fill()
            return batch
        except BaseException:
            self.close()
            raise
        finally:
            self.seconds_waited += time.perf_counter() - begin

    def close(self) -> None:
        """Drop what was not begun and wait for the batches in the making."""
        self._steps = iter(())
        self._pending.clear()
        if self._pool is not None:
            self._pool.shutdown(wait=True, cancel_futures=True)

    def __enter__(self) -> "Prefetcher[T]":
        """Return itself; leaving the block closes it."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Close, whatever happened."""
        self.close()


def prefetch(make_batch: Callable[[int], T], steps: int, workers: int = 1, depth: int = 4) -> Prefetcher[T]:
    """Return the batches 0 … steps - 1, made in the background (see `Prefetcher`)."""
    return Prefetcher(make_batch, range(steps), workers, depth)
