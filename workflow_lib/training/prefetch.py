"""Batches asked for ahead of time, a bounded number, and given in order."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import Generic, TypeVar

T = TypeVar("T")


class Prefetcher(Generic[T]):
    """Gives what `begin(step)` promises for every step, in order, with `depth` of them asked for ahead.

    `begin` asks for one and returns the function that waits for it (see `training.workers`). What went wrong with one is raised
    where it would have come, and nothing follows.
    """

    def __init__(self, begin: Callable[[int], Callable[[], T]], steps: Iterable[int], depth: int) -> None:
        """Ask for the first `depth` at once."""
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
        """Return the iterator over what is left."""
        return self

    def __next__(self) -> T:
        """Return the next one."""
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
