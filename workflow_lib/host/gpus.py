"""Which of a machine's GPUs a job takes, where no scheduler has given it some: two simultaneous jobs must not share one.

Each GPU has a lock file in the temporary folder, per user; a job holds the locks of its GPUs until its process ends, however it
ends.
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
    """Return the GPUs that a process of this environment may use, as CUDA_VISIBLE_DEVICES names them."""
    given = (os.environ if environment is None else environment).get(VISIBLE)
    if given is None:
        # CUDA counts those it finds, whatever numbers their files have.
        return [str(index) for index, _ in enumerate(devices.glob("nvidia[0-9]*"))]
    names = [name.strip() for name in given.split(",")]
    # CUDA stops at the first name that is none.
    end = next((index for index, name in enumerate(names) if name in ("", "-1")), len(names))
    return names[:end]


def take(
    count: int, environment: MutableMapping[str, str] | None = None, devices: Path = Path("/dev"), folder: Path | None = None
) -> list[str]:
    """Take so many free GPUs for this process and narrow CUDA_VISIBLE_DEVICES to them; return their names.

    Nothing is narrowed, and [] returned, where no more are visible than asked for (a scheduler has chosen), or where not so many
    are free. To be called before anything of CUDA is loaded.
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
