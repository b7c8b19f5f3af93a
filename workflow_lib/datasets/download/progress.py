"""The progress of a download: bytes of all files together, rate and remaining time."""

import threading
import time
from collections import deque
from collections.abc import Callable
from typing import TextIO

from workflow_lib.base.durations import duration

REPORT_EVERY = 10.0
"""Seconds between two lines of progress in a log."""
REFRESH_EVERY = 0.5
"""Seconds between two updates of the line on a terminal."""
WINDOW = 60.0
"""Seconds over which the rate is averaged."""
_CLEAR = "\r\x1b[K"


class Meter:
    """Count the bytes that arrive in any thread, and report at intervals.

    In a log, a line is written every `every` seconds. On a terminal, one line is updated.
    """

    def __init__(
        self,
        total: int,
        say: Callable[[str], None] | None,
        have: int = 0,
        every: float | None = None,
        clock: Callable[[], float] = time.monotonic,
        terminal: TextIO | None = None,
    ) -> None:
        """`total`: expected bytes, possibly an estimate, 0 if unknown; `have`: bytes that are already present."""
        self.total = total
        self._say, self._clock, self._terminal = say, clock, terminal
        self._every = every if every is not None else REPORT_EVERY if terminal is None else REFRESH_EVERY
        self._lock = threading.Lock()
        self._received = have
        self._reported = clock()
        self._marks: deque[tuple[float, int]] = deque([(self._reported, have)])

    def add(self, count: int) -> None:
        """Count received bytes. A negative number removes discarded bytes."""
        with self._lock:
            self._received += count
            now = self._clock()
            if self._say is None or now - self._reported < self._every:
                return
            self._reported = now
            self._marks.append((now, self._received))
            while len(self._marks) > 2 and now - self._marks[0][0] > WINDOW:
                self._marks.popleft()
            line = self._line(now)
            if self._terminal is None:
                self._say(line)
            else:
                self._terminal.write(_CLEAR + line)
                self._terminal.flush()

    def say(self, text: str) -> None:
        """Report a message on a separate line."""
        with self._lock:
            self._clear()
            if self._say is not None:
                self._say(text)

    def close(self) -> None:
        """Remove the line from the terminal."""
        with self._lock:
            self._clear()

    def _clear(self) -> None:
        if self._terminal is not None:
            self._terminal.write(_CLEAR)
            self._terminal.flush()

    def _line(self, now: float) -> str:
        then, before = self._marks[0]
        rate = max(0.0, (self._received - before) / max(now - then, 1e-9))
        if not self.total:
            return f"{size(self._received)} so far, {size(rate)}/s"
        left = max(0, self.total - self._received)
        share = min(100.0, 100 * self._received / self.total)
        time_left = f", {duration(left / rate)} left" if rate > 0 else ""
        return f"{size(self._received)} of {size(self.total)} ({share:.0f} %), {size(rate)}/s{time_left}"


def size(count: float) -> str:
    """Return a number of bytes as text, for example 12.3 MB."""
    for unit, factor in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count >= factor:
            return f"{count / factor:.1f} {unit}"
    return f"{count:.0f} B"
