"""Measurement of the duration of a training step and of the time spent waiting for batches."""

import time

from workflow_lib.training.batches import Batch
from workflow_lib.training.prefetch import Prefetcher
from workflow_lib.training.step import Loss

SLOW_STEP = 4.0
"""From this duration of a step (seconds), the state before the step is copied.

A signal that cannot wait for the end of the step then saves this copy.
"""

MUCH_WAITING = 0.1
"""From this share of time spent waiting for batches, advice is given."""


class StepClock:
    """Clock for the steps of one attempt of a training."""

    def __init__(self) -> None:
        self.waited = 0.0
        """Seconds for which the network was idle because it waited for a batch."""
        self._latest: Loss | None = None
        self._idle_since = 0.0
        self._step_seconds = 0.0

    @property
    def slow(self) -> bool:
        """Whether the last training step was so long that a signal cannot wait for the next one."""
        return self._step_seconds >= SLOW_STEP

    def next(self, source: Prefetcher[Batch]) -> Batch:
        """Return the next batch and add the time for which the network waited for it."""
        begin = time.perf_counter()
        batch = next(source)
        # The network does not wait while a step runs, even if the host does.
        if self._latest is None or self._latest.done():
            self.waited += max(0.0, time.perf_counter() - max(begin, self._idle_since))
        return batch

    def watch(self, loss: Loss) -> Loss:
        """Record when the step of a loss ends: from then on the network waits."""

        def ended(_: Loss) -> None:
            self._idle_since = time.perf_counter()

        self._latest = loss
        loss.add_done_callback(ended)
        return loss

    def measure(self, loss: Loss, begin: float) -> None:
        """Record the duration of the training step that started at `begin` and gives `loss`."""

        def ended(_: Loss) -> None:
            self._step_seconds = time.perf_counter() - begin

        loss.add_done_callback(ended)

    def summary(self, seconds: float) -> str:
        """Return a message with the share of `seconds` spent waiting, with advice if it is large."""
        share = self.waited / max(seconds, 1e-9)
        advice = " Raise training.batch_processes to make it faster." if share > MUCH_WAITING else ""
        return f"the network waited for its batches {share:.1%} of the time.{advice}"
