"""The record of a training's attempts, and the memory and time to request for the next one.

The module imports only light packages because the Snakemake rules also read the records.
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
"""The largest number of times that the memory request is doubled."""

NEAR_THE_LIMIT = 0.9
"""An attempt that stopped after this share of its time limit counts as stopped by the limit.

The share is below 1 because the start of the job also takes time.
"""


@dataclass
class Attempt:
    """One run of the training on one machine. Times are in seconds.

    `device` is "starting" until the runtime is configured. `gpus` is the number of GPUs: the GPU time
    is `gpus` times `seconds`. `visible_gpus` is CUDA_VISIBLE_DEVICES, or null if it is not set.
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
    """The record of all attempts, `attempts.json`.

    The file is written at the start and updated during the run, so that it includes killed attempts.
    `ended` of an attempt is `finished`, `diverged`, `interrupted` (by a signal), `out of memory` (of
    the host), `failed` (another error), or `running` (still running, or killed).
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
        """Return the earlier attempts, or an empty list if the record cannot be read."""
        try:
            earlier = read_json(self._path)
        except UserError:
            return []
        return list(earlier) if isinstance(earlier, list) else []

    def advance(self, epoch: int, step: int, waiting_seconds: float) -> None:
        """Count a finished step. Write the file at most every `interval` seconds."""
        self.attempt.last_epoch, self.attempt.last_step = epoch, step
        self.attempt.waiting_seconds = round(waiting_seconds, 3)
        self.attempt.steps += 1
        if time.monotonic() - self._written >= self._interval:
            self.write()

    def write(self, ended: str = RUNNING) -> None:
        """Write the record now. If that fails (full disk), the training continues."""
        self._written = time.monotonic()
        self.attempt.seconds = round(self._written - self._clock, 3)
        self.attempt.ended = ended
        with contextlib.suppress(UserError):
            write_json(self._path, self.all())

    def all(self) -> list[dict[str, Any]]:
        """Return all attempts, this one last."""
        return [*self._earlier, asdict(self.attempt)]


def newest(folder: Path) -> Path | None:
    """Return the most recent record below the checkpoint folder, which has one per fingerprint."""
    return max(folder.glob(f"*/{FILE}"), key=lambda path: path.stat().st_mtime, default=None)


def read(folder: Path) -> list[dict[str, Any]]:
    """Return the attempts of an unfinished training; empty if there is no readable record."""
    try:
        path = newest(folder)
        found = read_json(path) if path is not None else []
    except (OSError, UserError):
        return []
    return found if isinstance(found, list) else []


def memory_factor(attempts: Sequence[Mapping[str, Any]], retry: int) -> int:
    """Return the factor of the memory request: doubled per attempt that ran out of memory, at most 8.

    `retry` is the number of times that the job has failed in this run of the workflow. A job that
    the system kills because of its memory cannot record the reason. So two more kinds of attempts
    count: those of the last `retry` attempts that ended without a recorded reason, and those that
    ended before their record began. Attempts that were interrupted by a signal, or failed for
    another reason, do not count.
    """
    recorded = sum(attempt["ended"] == OUT_OF_MEMORY for attempt in attempts)
    recent = attempts[-retry:] if retry else []
    silent = sum(attempt["ended"] == RUNNING for attempt in recent) + retry - len(recent)
    return int(2 ** min(recorded + silent, MOST_DOUBLINGS))


def time_limit(attempts: Sequence[Mapping[str, Any]], minutes: int, longest: int | None) -> int:
    """Return the time limit in minutes.

    Each attempt that reached its limit adds `minutes`, up to `longest`. If `longest` is None, the limit
    stays at `minutes`.
    """
    if longest is None:
        return minutes
    limit = minutes
    for attempt in attempts:
        stopped = attempt["ended"] in {RUNNING, "interrupted"}
        if stopped and attempt["seconds"] >= NEAR_THE_LIMIT * 60 * limit:
            limit = min(limit + minutes, max(longest, minutes))
    return limit
