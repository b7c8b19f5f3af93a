"""Common parts of the downloads of files and archives: the job, disk space and messages."""

import shutil
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from workflow_lib.base.errors import UserError
from workflow_lib.datasets.download.checksums import FILE, Checksums
from workflow_lib.datasets.download.progress import Meter, size
from workflow_lib.datasets.formats.layouts import raise_faults

LOCK = ".download.lock"

Progress = Callable[[str], None]


@dataclass(frozen=True)
class Job:
    """A download: its destination, the number of connections, and the receiver of its messages."""

    name: str
    root: Path
    progress: Progress | None
    parallel: int
    pauses: Sequence[float]

    def say(self, text: str) -> None:
        """Report a line if there is a receiver."""
        if self.progress:
            self.progress(text)


def meter_of(job: Job, total: int, have: int) -> Meter:
    """Return a meter of `total` bytes, of which `have` are present: one updated line on a terminal, several lines in a log."""
    terminal = sys.stdout if job.progress is not None and sys.stdout.isatty() else None
    return Meter(total, job.progress, have=have, terminal=terminal)


def begun(path: Path) -> int:
    """Return the number of bytes of a file that an earlier call received."""
    part = path.with_name(path.name + ".part")
    return part.stat().st_size if part.is_file() else 0


def free_space(root: Path) -> int:
    """Return the free bytes of the disk of a folder, which need not exist yet."""
    there = next(path for path in (root, *root.parents) if path.exists())
    return shutil.disk_usage(there).free


def check_space(root: Path, needed: int) -> None:
    """Raise UserError unless the disk has `needed` free bytes."""
    free = free_space(root)
    if needed > free:
        raise UserError(f"{root}: about {size(needed)} are needed, {size(free)} are free. Make room, then run again.")


def keep(job: Job, checksums: Checksums) -> None:
    """Save the checksums. It is not a fault if the folder is not writable but all files are present."""
    try:
        checksums.write()
    except UserError as error:
        job.say(f"the checksums cannot be kept: {error}")


def refuse_changed(job: Job, states: Mapping[str, str], remedy: str) -> None:
    """Raise Faults if files have changed or are invalid."""
    known = {"changed": "has changed since it was first seen"}
    faults = [f"{path}: {known.get(state, state)}" for path, state in states.items() if state not in ("missing", "new", "same")]
    heading = f"{len(faults)} file(s) in {job.root} cannot be used. {remedy}; if a change was meant, delete the entry in {FILE}:"
    raise_faults(heading, faults)
