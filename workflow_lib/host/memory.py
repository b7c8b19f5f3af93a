"""Determine the memory of the machine, the job and an NVIDIA GPU, and recognise errors due to a lack of memory.

All information comes from files, the environment and `nvidia-smi`. No large library is imported.
"""

import contextlib
import os
import re
import resource
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from workflow_lib.base.errors import UserError

UNLIMITED = 2**60
"""Control groups v1 report a number near 2**63 if there is no limit."""


@dataclass(frozen=True)
class Memory:
    """A number of bytes and its owner, as the subject of "has 40.0 GiB" ("NVIDIA A100", "the machine")."""

    size: int
    name: str


def gibibytes(size: int) -> str:
    """Return a number of bytes as text: "14.1 GiB"."""
    return f"{size / 2**30:.1f} GiB"


def of_host(root: Path = Path("/"), environment: Mapping[str, str] | None = None) -> Memory | None:
    """Return the memory available to this process: the minimum of the free memory and the limits of its job and control groups.

    Memory that the process already uses is subtracted from limits. None if nothing can be read (macOS). `root` and
    `environment`
    replace the root of the file system and the process's environment.
    """
    environment = os.environ if environment is None else environment
    held = _kilobytes(root / "proc/self/status", "VmRSS") or 0
    found = [Memory(max(0, size - held), name) for size, name in [*_group_limits(root), *_slurm_limits(environment)]]
    free = _kilobytes(root / "proc/meminfo", "MemAvailable")
    if free is not None:
        found.append(Memory(free, "the machine"))
    return min(found, key=lambda memory: memory.size, default=None)


def _kilobytes(path: Path, key: str) -> int | None:
    """Return the bytes from a line `key: <number> kB`."""
    match = re.search(rf"^{key}:\s*(\d+) kB", _read(path), flags=re.MULTILINE)
    return int(match[1]) * 1024 if match else None


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def _group_limits(root: Path) -> Iterator[tuple[int, str]]:
    """Yield the memory limits of the process's control groups (v1 and v2) and of their parent groups."""
    mount = root / "sys/fs/cgroup"
    for line in _read(root / "proc/self/cgroup").splitlines():
        _, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if controllers == "":
            folder, file = mount, "memory.max"
        elif "memory" in controllers.split(","):
            folder, file = mount / "memory", "memory.limit_in_bytes"
        else:
            continue
        # In a container the path may be that of the host, of which only the mount point exists.
        for group in [PurePosixPath(path), *PurePosixPath(path).parents]:
            text = _read(folder / str(group).lstrip("/") / file).strip()
            if text.isdigit() and int(text) < UNLIMITED:
                yield int(text), "this job's control group"


def _slurm_limits(environment: Mapping[str, str]) -> Iterator[tuple[int, str]]:
    def number(key: str) -> int:
        match = re.match(r"\d+", environment.get(key, ""))
        return int(match[0]) if match else 0

    per_node = number("SLURM_MEM_PER_NODE") or number("SLURM_MEM_PER_CPU") * number("SLURM_CPUS_ON_NODE")
    if per_node:
        yield per_node * 2**20, "the SLURM job"


def of_gpu(environment: Mapping[str, str] | None = None) -> Memory | None:
    """Return the memory of the smallest visible NVIDIA GPU, or None if `nvidia-smi` gives no answer."""
    environment = os.environ if environment is None else environment
    command = shutil.which("nvidia-smi", path=environment.get("PATH"))
    if command is None:
        return None
    query = [command, "--query-gpu=index,uuid,name,memory.total", "--format=csv,noheader,nounits"]
    try:
        text = subprocess.run(query, capture_output=True, text=True, timeout=30, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        return None
    return smallest_gpu(text, environment.get("CUDA_VISIBLE_DEVICES"))


def smallest_gpu(table: str, visible: str | None) -> Memory | None:
    """Return the smallest GPU that nvidia-smi lists as `index, uuid, name, MiB` and that CUDA_VISIBLE_DEVICES allows.

    If `visible` is None, all are allowed. Returns None for a part of a GPU (MIG), which is not listed.
    """
    wanted = None if visible is None else [name.strip() for name in visible.split(",") if name.strip()]
    found = []
    for line in table.splitlines():
        index, uuid, name, size = (field.strip() for field in (line.split(",") + [""] * 4)[:4])
        if size.isdigit() and (wanted is None or any(entry == index or uuid.startswith(entry) for entry in wanted)):
            found.append(Memory(int(size) * 2**20, name if name.startswith("NVIDIA") else f"NVIDIA {name}"))
    return min(found, key=lambda memory: memory.size, default=None)


def ran_out(error: BaseException) -> bool:
    """Return whether an exception of NumPy, TensorFlow, JAX or PyTorch is due to a lack of memory.

    The classes are recognised by name, so that these libraries need not be imported.
    """
    kinds = {kind.__name__ for kind in type(error).__mro__}
    if kinds & {"MemoryError", "ResourceExhaustedError", "OutOfMemoryError"}:
        return True
    text = str(error)
    if "InvalidArgumentError" in kinds:
        # TensorFlow raises this if there is no memory for a tensor of zeros that its optimiser made a constant.
        return "Cannot parse tensor from proto" in text
    return "RESOURCE_EXHAUSTED" in text or ("InternalError" in kinds and "out of memory" in text.lower())


def peak_mib() -> int:
    """Return the peak resident memory of this process in MiB.

    On Linux, getrusage inherits the value of the parent process, so it is read from /proc.
    """
    status = Path("/proc/self/status")
    if status.exists():
        for line in status.read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) // 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return int(peak // (1024 * 1024 if sys.platform == "darwin" else 1024))


RESERVE = 32 * 2**20
"""Bytes of address space that are reserved for reporting a lack of memory. They are never used and take no memory."""


@contextlib.contextmanager
def explained(message: Callable[[], str], of_the_host: Callable[[], str] | None = None) -> Iterator[None]:
    """Within the `with` statement, convert a lack of memory to a UserError with a message.

    `of_the_host` is the message if Python's own memory is exhausted; by default `message` is used for both.
    """
    reserve = [bytearray(RESERVE)]
    try:
        yield
    except Exception as error:
        reserve.clear()
        if ran_out(error):
            explanation = of_the_host if of_the_host and isinstance(error, MemoryError) else message
            raise UserError(explanation()) from error
        raise
