"""The progress of a training: a progress bar on a terminal, one line per epoch in a log file."""

import sys
import time
from typing import TextIO

from workflow_lib.base.durations import duration

TERMINAL_SECONDS = 0.2
LOG_SECONDS = 60.0
BAR_WIDTH = 24


class Progress:
    """Display of epoch, rate and remaining time.

    On a terminal, a bar is updated at most five times a second. Elsewhere, one line is written at the end
    of each epoch, and one per minute within an epoch.
    """

    def __init__(self, name: str, epochs: int, steps: int, stream: TextIO | None = None) -> None:
        self._name, self._epochs, self._steps = name, epochs, steps
        self._stream = stream or sys.stdout
        self._terminal = self._stream.isatty()
        self._started = self._last_report = time.monotonic()
        self._done_before: int | None = None
        self._done = 0
        self._open_line = False

    def step(self, epoch: int, step: int, loss: float) -> None:
        """Report a finished step; `loss` is the mean of the epoch so far."""
        self._done = (epoch - 1) * self._steps + step
        if self._done_before is None:
            # Rate and remaining time leave out the first step, which compiles the network.
            self._done_before, self._started = self._done, time.monotonic()
        now = time.monotonic()
        if now - self._last_report < (TERMINAL_SECONDS if self._terminal else LOG_SECONDS):
            return
        self._last_report = now
        if self._terminal:
            filled = round(BAR_WIDTH * step / self._steps)
            bar = "█" * filled + "·" * (BAR_WIDTH - filled)
            self._write(f"\r\033[K{self._name}  epoch {epoch}/{self._epochs} {bar} {step}/{self._steps}  {self._pace(loss)}")
            self._open_line = True
        else:
            self._write(f"{self._name}: epoch {epoch}/{self._epochs}, step {step}/{self._steps}, {self._pace(loss)}\n")

    def epoch(self, epoch: int, training_loss: float, validation_loss: float, rate: float, best: bool) -> None:
        """Report a finished epoch."""
        mark = " (lowest so far)" if best else ""
        self.note(
            f"epoch {epoch}/{self._epochs}: training loss {training_loss:.5g}, validation loss {validation_loss:.5g}{mark}, "
            f"learning rate {rate:g}, {self._rate_and_rest()}"
        )
        self._last_report = time.monotonic()

    def note(self, message: str) -> None:
        """Write a message on a separate line."""
        if self._open_line:
            self._write("\r\033[K")
            self._open_line = False
        self._write(f"{self._name}: {message}\n")

    def _pace(self, loss: float) -> str:
        return f"training loss {loss:.5g}, {self._rate_and_rest()}"

    def _rate_and_rest(self) -> str:
        done = self._done - (self._done_before or 0)
        seconds = time.monotonic() - self._started
        if done < 1 or seconds <= 0:
            return "rate not known yet"
        rest = (self._epochs * self._steps - self._done) * seconds / done
        return f"{done / seconds:.3g} steps/s, {duration(rest)} left"

    def _write(self, text: str) -> None:
        self._stream.write(text)
        self._stream.flush()
