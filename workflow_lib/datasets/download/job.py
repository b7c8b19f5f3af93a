"""What the downloads of files and of archives share: the job, the disk, and what is told."""

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
    """A download under way: where to, with how many connections, and whom it tells."""

    name: str
    root: Path
    progress: Progress | None
    parallel: int
    pauses: Sequence[float]

    def say(self, text: str) -> None:
        """Tell a line, if anybody listens."""
        if self.progress:
            self.progress(text)


def meter_of(job: Job, total: int, have: int) -> Meter:
    """Return the progress of `total` bytes, of which `have` are there: one line on a terminal, some lines in a log."""
    terminal = sys.stdout if job.progress is not None and sys.stdout.isatty() else None
    return Meter(total, job.progress, have=have, terminal=terminal)


def begun(path: Path) -> int:
    """Return the bytes of a file that an earlier call fetched."""
    part = path.with_name(path.name + ".part")
    return part.stat().st_size if part.is_file() else 0


def free_space(root: Path) -> int:
    """Return the free bytes of the disk that a folder lies on, or will."""
    there = next(path for path in (root, *root.parents) if path.exists())
    return shutil.disk_usage(there).free


def check_space(root: Path, needed: int) -> None:
    """Raise UserError unless the disk holds so many bytes more."""
    free = free_space(root)
    if needed > free:
        raise UserError(f"{root}: about {size(needed)} are needed, {size(free)} are free. Make room, then run again.")


def keep(job: Job, checksums: Checksums) -> None:
    """Write the checksums. A folder that cannot be written, where all files are there, is no fault."""
    try:
        checksums.write()
    except UserError as error:
        job.say(f"the checksums cannot be kept: {error}")


def refuse_changed(job: Job, states: Mapping[str, str], remedy: str) -> None:
    """Raise Faults where files are no longer what they were, or were never what they should be."""
    known = {"changed": "is no longer what it was when it was first seen"}
    faults = [f"{path}: {known.get(state, state)}" for path, state in states.items() if state not in ("missing", "new", "same")]
    heading = f"{len(faults)} file(s) in {job.root} cannot be used. {remedy}; if a change was meant, delete the entry in {FILE}:"
    raise_faults(heading, faults)
