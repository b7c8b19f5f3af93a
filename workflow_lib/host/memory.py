"""How much memory there is: of the machine, of the job, of an NVIDIA GPU; and how an error says that it was not enough.

Everything is read from files, the environment and `nvidia-smi`; nothing heavy is imported.
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
"""A control group of the first kind writes a number near 2**63 where there is no limit."""


@dataclass(frozen=True)
class Memory:
    """So many bytes, and whose they are, in words that stand before "has 40.0 GiB" ("NVIDIA A100", "the machine")."""

    size: int
    name: str


def gibibytes(size: int) -> str:
    """Return a number of bytes in words: "14.1 GiB"."""
    return f"{size / 2**30:.1f} GiB"


def of_host(root: Path = Path("/"), environment: Mapping[str, str] | None = None) -> Memory | None:
    """Return what this process may still take: the smallest of the free memory and of the limits of its job and control groups.

    Of a limit what the process holds already is taken off. None where nothing can be read (macOS). `root` and `environment`
    stand for the file system's root and the process's environment.
    """
    environment = os.environ if environment is None else environment
    held = _kilobytes(root / "proc/self/status", "VmRSS") or 0
    found = [Memory(max(0, size - held), name) for size, name in [*_group_limits(root), *_slurm_limits(environment)]]
    free = _kilobytes(root / "proc/meminfo", "MemAvailable")
    if free is not None:
        found.append(Memory(free, "the machine"))
    return min(found, key=lambda memory: memory.size, default=None)


def _kilobytes(path: Path, key: str) -> int | None:
    """Return the bytes of a line `key: <number> kB`."""
    match = re.search(rf"^{key}:\s*(\d+) kB", _read(path), flags=re.MULTILINE)
    return int(match[1]) * 1024 if match else None


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def _group_limits(root: Path) -> Iterator[tuple[int, str]]:
    """Yield the memory limits of the process's control groups, of both kinds, and of the groups around them."""
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
        # In a container the path may be the host's, of which only the mount itself is there.
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
    """Return the memory of the smallest NVIDIA GPU that this process sees, or None where `nvidia-smi` does not tell."""
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
    """Return the smallest of the GPUs that nvidia-smi lists as `index, uuid, name, MiB` and CUDA_VISIBLE_DEVICES lets through.

    `visible` None lets all through. A part of a GPU (MIG) stands in no such table: None.
    """
    wanted = None if visible is None else [name.strip() for name in visible.split(",") if name.strip()]
    found = []
    for line in table.splitlines():
        index, uuid, name, size = (field.strip() for field in (line.split(",") + [""] * 4)[:4])
        if size.isdigit() and (wanted is None or any(entry == index or uuid.startswith(entry) for entry in wanted)):
            found.append(Memory(int(size) * 2**20, name if name.startswith("NVIDIA") else f"NVIDIA {name}"))
    return min(found, key=lambda memory: memory.size, default=None)


def ran_out(error: BaseException) -> bool:
    """Say whether an exception of NumPy, TensorFlow, JAX or PyTorch tells that memory was used up.

    Their classes are known by name, so that none of them has to be imported.
    """
    kinds = {kind.__name__ for kind in type(error).__mro__}
    if kinds & {"MemoryError", "ResourceExhaustedError", "OutOfMemoryError"}:
        return True
    text = str(error)
    if "InvalidArgumentError" in kinds:
        # What TensorFlow says when there is no room for a tensor of zeros, which its optimiser made a constant.
        return "Cannot parse tensor from proto" in text
    return "RESOURCE_EXHAUSTED" in text or ("InternalError" in kinds and "out of memory" in text.lower())


def peak_mib() -> int:
    """Return the largest resident memory this process has had, in MiB.

    Linux carries what getrusage says over from the parent process, so there it is read from /proc.
    """
    status = Path("/proc/self/status")
    if status.exists():
        for line in status.read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) // 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return int(peak // (1024 * 1024 if sys.platform == "darwin" else 1024))


RESERVE = 32 * 2**20
"""Bytes of address space kept for telling of it when there is no more; never touched, they take no memory."""


@contextlib.contextmanager
def explained(message: Callable[[], str], of_the_host: Callable[[], str] | None = None) -> Iterator[None]:
    """Within the block, memory that is used up raises UserError with a message for people.

    `of_the_host` is the message where it is Python's own memory; without it `message` stands for both.
    """
    reserve = [bytearray(RESERVE)]
    try:
        yield
    except Exception as error:
        reserve.clear()
        if ran_out(error):
            told = of_the_host if of_the_host and isinstance(error, MemoryError) else message
            raise UserError(told()) from error
        raise
