"""Signals that ask a training to stop: obeyed between two steps, or at once while there is nothing to save.

Where a step takes longer than a scheduler waits, the state before it lies ready in memory and is saved from there.
"""

import contextlib
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from types import FrameType, TracebackType

SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1)
"""What SLURM sends before a time limit or pre-emption, what Ctrl-C sends, and the usual choice for `sbatch --signal`."""

PATIENCE = 5.0
"""Seconds for which a signal waits for the step under way to end. SLURM kills 30 s after its signal, unless told otherwise."""


class StopRequest:
    """While its block runs, `signal_number` tells whether (and by which signal) the process was asked to stop."""

    def __init__(self) -> None:
        self.signal_number = 0
        self._before: dict[int, object] = {}
        self._leave: Callable[[], None] | None = None
        self._patience = 0.0
        self._lock = threading.Lock()
        self._wakeup = -1
        self._wakeup_before = -1

    def __bool__(self) -> bool:
        """Tell whether a signal came."""
        return self.signal_number != 0

    @property
    def exit_code(self) -> int:
        """Return 128 + the signal's number, as a shell does: 143 for SIGTERM. Never 0, so that nobody takes the run for done."""
        return 128 + self.signal_number

    def nothing_to_save(self, leave: Callable[[], None]) -> None:
        """From now on a signal calls `leave` at once, in a thread of its own; it should end the process.

        Python runs handlers between two of its instructions only, and a first step can be compiled for minutes.
        """
        with self._lock:
            self._leave, self._patience = leave, 0.0
        if self:
            leave()

    @contextlib.contextmanager
    def saved_aside(self, leave: Callable[[], None]) -> Iterator[None]:
        """Within the block a signal calls `leave` in a thread of its own, unless the block ends within PATIENCE."""
        with self._lock:
            self._leave, self._patience = leave, PATIENCE
        try:
            yield
        finally:
            self.something_to_save()

    def something_to_save(self) -> None:
        """From now on a signal is only noted."""
        with self._lock:
            self._leave = None

    def __enter__(self) -> "StopRequest":
        """Take over the signals; in a thread, where Python allows no handlers, leave them alone."""
        try:
            for number in SIGNALS:
                self._before[number] = signal.signal(number, self._note)
        except ValueError:
            self._before.clear()
            return self
        read, self._wakeup = os.pipe()
        os.set_blocking(self._wakeup, False)
        self._wakeup_before = signal.set_wakeup_fd(self._wakeup, warn_on_full_buffer=False)
        threading.Thread(target=self._watch, args=(read,), daemon=True).start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Give the signals back."""
        self.something_to_save()
        if self._before:
            signal.set_wakeup_fd(self._wakeup_before)
            os.close(self._wakeup)
        for number, handler in self._before.items():
            signal.signal(number, handler)  # type: ignore[arg-type]

    def _note(self, number: int, frame: FrameType | None) -> None:
        self.signal_number = number

    def _watch(self, read: int) -> None:
        """Call `leave` when a signal comes: the interpreter writes its number into the pipe the moment it comes."""
        while numbers := os.read(read, 1):
            if numbers[0] not in SIGNALS:
                continue
            self.signal_number = numbers[0]
            deadline = time.monotonic() + self._patience
            while self._leave is not None and time.monotonic() < deadline:
                time.sleep(0.05)
            with self._lock:
                if self._leave is not None:
                    self._leave()
        os.close(read)
