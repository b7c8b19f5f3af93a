"""Saving of the state of a training: at regular intervals, and after a signal to stop."""

import contextlib
import os
import sys
import time
from collections.abc import Iterator
from typing import NoReturn

from workflow_lib.base.errors import UserError
from workflow_lib.training import attempts, checkpoints
from workflow_lib.training.interruption import StopRequest
from workflow_lib.training.progress import Progress
from workflow_lib.training.underway import UnderWay

RETRY_SECONDS = 60.0
"""Seconds until the next try after a checkpoint could not be written (full disk)."""


class Saving:
    """Saves the state of one running training."""

    def __init__(self, underway: UnderWay, log: attempts.AttemptLog, progress: Progress, stop: StopRequest) -> None:
        self.underway, self.log, self.progress, self.stop = underway, log, progress, stop
        self.request = underway.request
        self.saved = time.monotonic()

    def save_if_due(self) -> None:
        """Save if the interval between checkpoints has passed."""
        if time.monotonic() - self.saved < self.request.checkpoint_minutes * 60:
            return
        self.save()

    def save(self) -> None:
        """Save now. If the disk is full, report it, continue, and try again later."""
        self.underway.settle()
        self.saved = time.monotonic()
        try:
            checkpoints.save(self.request.checkpoints, self.underway.snapshot(), self.request.state_of)
        except UserError as error:
            state = self.underway.state
            self.progress.note(f"no checkpoint at epoch {state.epoch}, step {state.step}: {error}")
            self.saved += RETRY_SECONDS - self.request.checkpoint_minutes * 60

    def leave_if_asked(self) -> None:
        """Save and raise SystemExit if a signal was received."""
        if not self.stop:
            return
        self.stop.something_to_save()
        self.underway.settle()
        self._save_to_leave(self.underway.snapshot())
        sys.exit(self.stop.exit_code)

    @contextlib.contextmanager
    def set_aside(self, slow: bool) -> Iterator[None]:
        """If steps are slow, make a signal within the block save the state from before the block.

        Steps are slow, for example, with the full network on a CPU. Python runs a signal handler only after
        the step. A signal waits for a fast step, for which no copy of the state is made.
        """
        if not slow:
            yield
            return
        self.underway.settle()
        state = self.underway.snapshot()
        with self.stop.saved_aside(lambda: self._leave_with(state)):
            yield

    def _leave_with(self, state: checkpoints.TrainingState) -> NoReturn:
        """Save a state and end the process immediately."""
        try:
            self._save_to_leave(state)
            self.log.write("interrupted")
            sys.stdout.flush()
        finally:
            os._exit(self.stop.exit_code)

    def _save_to_leave(self, state: checkpoints.TrainingState) -> None:
        try:
            path = checkpoints.save(self.request.checkpoints, state, self.request.state_of)
            self.progress.note(f"stopped by signal {self.stop.signal_number}; state saved in {path}. Run again to go on.")
        except UserError as error:
            self.progress.note(f"stopped by signal {self.stop.signal_number}; the state could not be saved: {error}")
