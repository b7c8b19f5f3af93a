"""Prefetching of a limited number of batches, which are returned in order."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import Generic, TypeVar

T = TypeVar("T")


class Prefetcher(Generic[T]):
    """Iterator over the results of `begin(step)` for every step, in order, with `depth` requests ahead.

    `begin` requests a result and returns a function that waits for it (see `training.workers`). An error
    is raised in the place of its result and ends the iteration.
    """

    def __init__(self, begin: Callable[[int], Callable[[], T]], steps: Iterable[int], depth: int) -> None:
        """Request the first `depth` results immediately."""
        if depth < 1:
            raise ValueError(f"depth must be 1 or more, not {depth}")
        self._begin = begin
        self._steps = iter(steps)
        self._depth = depth
        self._pending: deque[Callable[[], T]] = deque()
        self._fill()

    def _fill(self) -> None:
        while len(self._pending) < self._depth:
            step = next(self._steps, None)
            if step is None:
                return
            self._pending.append(self._begin(step))

    def __iter__(self) -> Iterator[T]:
        """Return the iterator itself."""
        return self

    def __next__(self) -> T:
        """Return the next result."""
        if not self._pending:
            raise StopIteration
        try:
            batch = self._pending.popleft()()
            self._fill()
        except BaseException:
            self._steps = iter(())
            self._pending.clear()
            raise
        return batch
