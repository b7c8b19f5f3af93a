"""Signals that ask a training to stop: noted when they come, obeyed between two steps."""

import signal
from types import FrameType, TracebackType

SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1)
"""What SLURM sends before a time limit or pre-emption, what Ctrl-C sends, and the usual choice for `sbatch --signal`."""


class StopRequest:
    """While its block runs, `signal_number` tells whether (and by which signal) the process was asked to stop."""

    def __init__(self) -> None:
        self.signal_number = 0
        self._before: dict[int, object] = {}

    def __bool__(self) -> bool:
        """Tell whether a signal came."""
        return self.signal_number != 0

    @property
    def exit_code(self) -> int:
        """Return 128 + the signal's number, as a shell does: 143 for SIGTERM. Never 0, so that nobody takes the run for done."""
        return 128 + self.signal_number

    def __enter__(self) -> "StopRequest":
        """Take over the signals; in a thread, where Python allows no handlers, leave them alone."""
        try:
            for number in SIGNALS:
                self._before[number] = signal.signal(number, self._note)
        except ValueError:
            self._before.clear()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Give the signals back."""
        for number, handler in self._before.items():
            signal.signal(number, handler)  # type: ignore[arg-type]

    def _note(self, number: int, frame: FrameType | None) -> None:
        self.signal_number = number
