"""Assign GPUs of a machine to jobs if no scheduler does it, because two simultaneous jobs must not share one.

Each GPU has a lock file per user in the temporary folder. A job holds the locks of its GPUs until its process ends, also if it
is killed.
"""

import fcntl
import os
import tempfile
from collections.abc import MutableMapping
from pathlib import Path
from typing import IO

VISIBLE = "CUDA_VISIBLE_DEVICES"

_HELD: list[IO[str]] = []
"""The locks of this process."""


def visible(environment: MutableMapping[str, str] | None = None, devices: Path = Path("/dev")) -> list[str]:
    """Return the GPUs that a process with this environment may use, with their names in CUDA_VISIBLE_DEVICES."""
    given = (os.environ if environment is None else environment).get(VISIBLE)
    if given is None:
        # CUDA numbers the devices that it finds consecutively, independently of the names of their files.
        return [str(index) for index, _ in enumerate(devices.glob("nvidia[0-9]*"))]
    names = [name.strip() for name in given.split(",")]
    # CUDA ignores all names after the first invalid one.
    end = next((index for index, name in enumerate(names) if name in ("", "-1")), len(names))
    return names[:end]


def take(
    count: int, environment: MutableMapping[str, str] | None = None, devices: Path = Path("/dev"), folder: Path | None = None
) -> list[str]:
    """Reserve `count` free GPUs for this process, restrict CUDA_VISIBLE_DEVICES to them, and return their names.

    Returns [] and changes nothing if no more than `count` are visible (a scheduler has chosen them), or if fewer are free. Must
    be
    called before a CUDA library is loaded.
    """
    environment = os.environ if environment is None else environment
    names = visible(environment, devices)
    if not 0 < count < len(names):
        return []
    folder = folder or Path(tempfile.gettempdir()) / f"losses-gpus-{os.getuid()}"
    folder.mkdir(parents=True, exist_ok=True)
    taken: dict[str, IO[str]] = {}
    for name in names:
        if len(taken) < count:
            lock: IO[str] = open(folder / f"{name.replace('/', '_')}.lock", "w")  # noqa: SIM115 -- held until the process ends
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                taken[name] = lock
            except OSError:
                lock.close()
    if len(taken) < count:
        for lock in taken.values():
            lock.close()
        return []
    _HELD.extend(taken.values())
    environment[VISIBLE] = ",".join(taken)
    return list(taken)
