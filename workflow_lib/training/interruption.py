"""Signals that ask a training to stop.

The training stops between two steps, or immediately if there is nothing to save. If a step takes longer
than a scheduler waits, a copy of the state before the step is saved.
"""

import contextlib
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from types import FrameType, TracebackType

SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1)
"""SIGTERM: sent by SLURM before a time limit or pre-emption. SIGINT: Ctrl-C.

SIGUSR1: the usual choice for `sbatch --signal`.
"""

PATIENCE = 5.0
"""Seconds to wait, after a signal, for the current step to end.

By default, SLURM kills the job 30 s after its signal.
"""


class StopRequest:
    """Context manager that records the signal by which the process was asked to stop.

    `signal_number` is 0 without a signal.
    """

    def __init__(self) -> None:
        self.signal_number = 0
        self._before: dict[int, object] = {}
        self._leave: Callable[[], None] | None = None
        self._patience = 0.0
        self._lock = threading.Lock()
        self._wakeup = -1
        self._wakeup_before = -1

    def __bool__(self) -> bool:
        """Return whether a signal was received."""
        return self.signal_number != 0

    @property
    def exit_code(self) -> int:
        """Return 128 plus the signal number, the shell convention: 143 for SIGTERM.

        It is never 0, so that the run does not count as finished.
        """
        return 128 + self.signal_number

    def nothing_to_save(self, leave: Callable[[], None]) -> None:
        """From now on, call `leave` immediately after a signal, in a separate thread.

        `leave` should end the process. The thread is needed because Python runs signal handlers only
        between two bytecode instructions, and the compilation of the first step can take minutes.
        """
        with self._lock:
            self._leave, self._patience = leave, 0.0
        if self:
            leave()

    @contextlib.contextmanager
    def saved_aside(self, leave: Callable[[], None]) -> Iterator[None]:
        """Within the block, call `leave` in a separate thread after a signal.

        `leave` is not called if the block ends within PATIENCE seconds.
        """
        with self._lock:
            self._leave, self._patience = leave, PATIENCE
        try:
            yield
        finally:
            self.something_to_save()

    def something_to_save(self) -> None:
        """From now on, only record a signal."""
        with self._lock:
            self._leave = None

    def __enter__(self) -> "StopRequest":
        """Install the signal handlers. Outside the main thread Python does not allow that, so skip it."""
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
        """Restore the previous signal handlers."""
        self.something_to_save()
        if self._before:
            signal.set_wakeup_fd(self._wakeup_before)
            os.close(self._wakeup)
        for number, handler in self._before.items():
            signal.signal(number, handler)  # type: ignore[arg-type]

    def _note(self, number: int, frame: FrameType | None) -> None:
        self.signal_number = number

    def _watch(self, read: int) -> None:
        """Call `leave` after a signal; the interpreter writes the signal number into the pipe at once."""
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
