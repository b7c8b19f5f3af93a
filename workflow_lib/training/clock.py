"""How long a training step takes, and how long the network waits for its batches."""

import time

from workflow_lib.training.batches import Batch
from workflow_lib.training.prefetch import Prefetcher
from workflow_lib.training.step import Loss

SLOW_STEP = 4.0
"""Seconds of a step from which on the state before it is kept ready, to be saved when a signal cannot wait for the step."""

MUCH_WAITING = 0.1
"""Share of the time for which the network waits for batches from which on something should be done about it."""


class StepClock:
    """Measures the steps of one run of a training."""

    def __init__(self) -> None:
        self.waited = 0.0
        """Seconds for which the network had nothing to do but wait for a batch."""
        self._latest: Loss | None = None
        self._idle_since = 0.0
        self._step_seconds = 0.0

    @property
    def slow(self) -> bool:
        """Whether the last training step took too long for a signal to wait for the next one."""
        return self._step_seconds >= SLOW_STEP

    def next(self, source: Prefetcher[Batch]) -> Batch:
        """Return the next batch, and count how long the network waited for it."""
        begin = time.perf_counter()
        batch = next(source)
        # While a step is under way the network does not wait, whatever the host does.
        if self._latest is None or self._latest.done():
            self.waited += max(0.0, time.perf_counter() - max(begin, self._idle_since))
        return batch

    def watch(self, loss: Loss) -> Loss:
        """Note when the step of a loss ends, from when on the network waits."""

        def ended(_: Loss) -> None:
            self._idle_since = time.perf_counter()

        self._latest = loss
        loss.add_done_callback(ended)
        return loss

    def measure(self, loss: Loss, begin: float) -> None:
        """Note how long the training step of a loss takes that was begun at `begin`."""

        def ended(_: Loss) -> None:
            self._step_seconds = time.perf_counter() - begin

        loss.add_done_callback(ended)

    def summary(self, seconds: float) -> str:
        """Return the share of a run of so many seconds for which the network waited, and what to do about it."""
        share = self.waited / max(seconds, 1e-9)
        advice = " Raise training.batch_processes to make it faster." if share > MUCH_WAITING else ""
        return f"the network waited for its batches {share:.1%} of the time.{advice}"
