"""The record that every step writes: inputs, outputs, settings, versions, and facts of the run."""

import functools
import os
import platform
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

from workflow_lib.base.checkout import checkout
from workflow_lib.base.files import canonical_json, read_json, sha256_file, sha256_text, write_json
from workflow_lib.base.version import VERSION
from workflow_lib.host.memory import peak_mib

PACKAGES = (
    "numpy",
    "scipy",
    "pandas",
    "statsmodels",
    "nibabel",
    "tensorflow",
    "keras",
    "miscnn",
    "matplotlib",
    "jinja2",
    "snakemake",
)
"""Packages whose versions are in every record."""


CODE_PLACES = ("?? workflow_lib/", "?? rules/", "?? reports/")
"""Beginnings of lines of `git status` for new files with code."""


def write_record(
    path: Path,
    step: str,
    settings: object,
    fingerprint: str,
    inputs: Mapping[str, Sequence[Path]],
    outputs: Mapping[str, Sequence[Path]],
    started: str,
    seconds: float,
) -> None:
    """Write the record of one finished step as JSON.

    `facts` holds what differs from run to run (time, host, device, attempts); everything else is the same for the same study.
    """
    head = commit()
    write_json(
        path,
        {
            "step": step,
            "fingerprint": fingerprint,
            "settings": settings,
            "inputs": {name: [digest(p) for p in paths] for name, paths in inputs.items()},
            "outputs": {name: [digest(p) for p in paths] for name, paths in outputs.items()},
            "versions": versions(),
            "facts": {
                "started": started,
                "seconds": round(seconds, 3),
                "host": socket.gethostname(),
                "platform": platform.platform(),
                "peak_memory_mib": peak_mib(),
                "slurm_job": os.environ.get("SLURM_JOB_ID"),
                "commit": head,
                "clean": None if head is None else not head.endswith("+changes"),
                "device": device(),
                "attempts": attempts(outputs),
            },
        },
        # The audit makes the report again from its record, and the report shows settings in their order.
        sort_keys=False,
    )


def digest(path: Path) -> dict[str, Any]:
    """Return path and SHA-256 of a file, or of a folder the digest of its files' digests, and these.

    A folder of the store has an index with the digests of its files; the digest of the folder is that of its index.
    """
    if not path.is_dir():
        return {"path": path.as_posix(), "sha256": _sha256_once(path)}
    index = path / "index.json"
    if index.is_file():
        return {"path": path.as_posix(), "sha256": _sha256_once(index), "index": index.name}
    files = {
        file.relative_to(path).as_posix(): _sha256_once(file)
        for file in sorted(path.rglob("*"))
        if file.is_file() and not file.name.startswith(".snakemake")
    }
    return {"path": path.as_posix(), "sha256": sha256_text(canonical_json(files)), "files": files}


def _sha256_once(path: Path) -> str:
    """Return the SHA-256 of a file. It is read again only if its size, dates or inode change."""
    state = path.stat()
    return _sha256_of(path.absolute(), state.st_ino, state.st_size, state.st_mtime_ns, state.st_ctime_ns)


@functools.lru_cache(maxsize=4096)
def _sha256_of(path: Path, *state: int) -> str:
    return sha256_file(path)


def device() -> str:
    """Return what this process computes on: the names of the GPUs that TensorFlow sees, else "cpu"."""
    tensorflow = sys.modules.get("tensorflow")
    if tensorflow is None:
        return "cpu"
    # A step that uses no GPU has hidden the existing ones.
    gpus = tensorflow.config.get_visible_devices("GPU")
    names = [tensorflow.config.experimental.get_device_details(gpu).get("device_name", gpu.name) for gpu in gpus]
    return ", ".join(names) or "cpu"


def attempts(outputs: Mapping[str, Sequence[Path]]) -> int:
    """Return how often the step was started until it finished. Only trainings resume; their summary has the number."""
    for path in outputs.get("summary", []):
        return len(read_json(path)["attempts"])
    return 1


def versions() -> dict[str, str]:
    """Return the versions of the workflow, of Python and of the packages that results depend on."""
    found = {"workflow": VERSION, "python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            found[package] = "absent"
    return found


def commit() -> str | None:
    """Return the commit of the workflow's own checkout, with '+changes' if the tree is not clean; None without a checkout.

    An untracked file is a change if it can be code of the workflow.
    """
    root = checkout()
    if root is None:
        # An installed package may lie in the repository of another project.
        return None
    try:
        head = subprocess.run(["git", "-C", root, "rev-parse", "HEAD"], capture_output=True, text=True, check=True, timeout=10)
        status = subprocess.run(
            ["git", "-C", root, "status", "--porcelain"],
            capture_output=True,
            text=True,
            check=True,
            timeout=30,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    changed = any(not line.startswith("?? ") or line.startswith(CODE_PLACES) for line in status.stdout.splitlines())
    return head.stdout.strip() + ("+changes" if changed else "")
