"""The attempts of a training: each of them from its start to its end or death, and what the next one shall ask for.

Nothing heavy is imported: the rules read the records, too.
"""

import contextlib
import os
import socket
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from workflow_lib.base.errors import UserError
from workflow_lib.base.files import read_json, write_json

FILE = "attempts.json"

OUT_OF_MEMORY = "out of memory"
RUNNING = "running"

MOST_DOUBLINGS = 3
"""Memory that was doubled so often, and is still not enough, is not doubled again."""

NEAR_THE_LIMIT = 0.9
"""An attempt that was stopped after this share of its time limit was stopped by it: the job has to start, too."""


@dataclass
class Attempt:
    """One run of the training on one machine, from its start to its end or death. Times in seconds.

    `device` is "starting" until the runtime is up. `gpus` is their number, so that GPU time is `gpus` times
    `seconds`, and `visible_gpus` CUDA_VISIBLE_DEVICES, null where it is not set.
    """

    host: str
    device: str
    started: str
    first_epoch: int
    first_step: int
    last_epoch: int
    last_step: int
    seconds: float = 0.0
    gpus: int = 0
    waiting_seconds: float = 0.0
    steps: int = 0
    ended: str = RUNNING
    visible_gpus: str | None = field(default_factory=lambda: os.environ.get("CUDA_VISIBLE_DEVICES"))


class AttemptLog:
    """The record of all attempts, `attempts.json`, brought up to date from the first second so that a killed attempt counts.

    `ended` of an attempt is `finished`, `diverged`, `interrupted` (a signal), `out of memory` (the host's), `failed` (another
    error), or `running`: it runs, or it was killed.
    """

    def __init__(self, folder: Path, epoch: int, step: int, interval: float = 30.0) -> None:
        self._path = folder / FILE
        self._earlier: list[dict[str, Any]] = self._read_earlier()
        self._clock = time.monotonic()
        self._interval = interval
        self._written = -float("inf")
        started = datetime.now(UTC).isoformat(timespec="seconds")
        self.attempt = Attempt(socket.gethostname(), "starting", started, epoch, step + 1, epoch, step)
        self.write()

    def _read_earlier(self) -> list[dict[str, Any]]:
        """Return the earlier attempts; a record that cannot be read is left out rather than stopping the training."""
        try:
            earlier = read_json(self._path)
        except UserError:
            return []
        return list(earlier) if isinstance(earlier, list) else []

    def advance(self, epoch: int, step: int, waiting_seconds: float) -> None:
        """Note that a step is done; written at most every `interval` seconds."""
        self.attempt.last_epoch, self.attempt.last_step = epoch, step
        self.attempt.waiting_seconds = round(waiting_seconds, 3)
        self.attempt.steps += 1
        if time.monotonic() - self._written >= self._interval:
            self.write()

    def write(self, ended: str = RUNNING) -> None:
        """Write the record now. A full disk does not stop the training for its sake."""
        self._written = time.monotonic()
        self.attempt.seconds = round(self._written - self._clock, 3)
        self.attempt.ended = ended
        with contextlib.suppress(UserError):
            write_json(self._path, self.all())

    def all(self) -> list[dict[str, Any]]:
        """Return all attempts, this one last."""
        return [*self._earlier, asdict(self.attempt)]


def newest(folder: Path) -> Path | None:
    """Return the record that was written last, of those below the checkpoint folder of a training: one for each fingerprint."""
    return max(folder.glob(f"*/{FILE}"), key=lambda path: path.stat().st_mtime, default=None)


def read(folder: Path) -> list[dict[str, Any]]:
    """Return the attempts of an unfinished training, none where there is no record that can be read."""
    try:
        path = newest(folder)
        found = read_json(path) if path is not None else []
    except (OSError, UserError):
        return []
    return found if isinstance(found, list) else []


def memory_factor(attempts: Sequence[Mapping[str, Any]], retry: int) -> int:
    """Return how many times the memory to ask for: twice as much for each attempt that ran out of it, eight times at most.

    `retry` is the number of times that the job has failed in this run of the workflow. A job that the system killed for its
    memory could not write so: each of the last `retry` attempts that died without a word counts, too, and each that died before
    it began its record. One that was interrupted by a signal, or failed for another reason, does not.
    """
    told = sum(attempt["ended"] == OUT_OF_MEMORY for attempt in attempts)
    recent = attempts[-retry:] if retry else []
    silent = sum(attempt["ended"] == RUNNING for attempt in recent) + retry - len(recent)
    return int(2 ** min(told + silent, MOST_DOUBLINGS))


def time_limit(attempts: Sequence[Mapping[str, Any]], minutes: int, longest: int | None) -> int:
    """Return the time limit in minutes: `minutes` more for each attempt that met its own, up to `longest`; without it no more."""
    if longest is None:
        return minutes
    limit = minutes
    for attempt in attempts:
        stopped = attempt["ended"] in {RUNNING, "interrupted"}
        if stopped and attempt["seconds"] >= NEAR_THE_LIMIT * 60 * limit:
            limit = min(limit + minutes, max(longest, minutes))
    return limit
