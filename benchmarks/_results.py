"""results.json: what was measured, and of every benchmark in which run, when, where, with what.

`benchmarks` holds of each its `rows`, the `seconds` it took, the `load` of the machine when it began, whether it was `quick`,
and the `run` it belongs to; `runs` holds of each run date, commit, machine and versions. A run that no benchmark belongs to any
more is dropped.
"""

import datetime
import os
import platform
import subprocess
from collections.abc import Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

from benchmarks._measure import ROOT, Row
from workflow_lib.base.errors import UserError
from workflow_lib.base.files import read_json, write_json

RESULTS = ROOT / "benchmarks" / "results.json"
PAGES = ("docs/performance.md", "README.md")
"""What is written from results.json: with it, they do not make a tree unclean."""
PACKAGES = ("numpy", "scipy", "tensorflow", "keras", "miscnn", "batchgenerators", "nibabel", "numba", "snakemake")


def read(path: Path) -> dict[str, Any]:
    """Return what was measured so far."""
    if not path.exists():
        return {"benchmarks": {}, "runs": {}}
    content = read_json(path)
    if not isinstance(content, dict) or not {"benchmarks", "runs"} <= content.keys():
        raise UserError(f"{path} holds no results of benchmarks. Delete it and run: python -m benchmarks")
    return content


def add(path: Path, run: Mapping[str, Any], name: str, rows: Sequence[Row], seconds: float, load: float, quick: bool) -> None:
    """Put one benchmark's rows in the place of its earlier ones, and leave the others as they are."""
    content = read(path)
    key = str(run["date"])
    entry = {"rows": list(rows), "seconds": round(seconds, 1), "load": round(load, 2), "quick": quick, "run": key}
    benchmarks = content["benchmarks"] | {name: entry}
    used = {entry["run"] for entry in benchmarks.values()}
    runs = {date: found for date, found in (content["runs"] | {key: dict(run)}).items() if date in used}
    write_json(path, {"benchmarks": benchmarks, "runs": runs})


def describe_run() -> dict[str, Any]:
    """Return date, commit, machine and versions of a run that begins now."""
    commit = _git("rev-parse", "HEAD")
    changed = _git(
        "status", "--porcelain", "--untracked-files=no", "--", ".", f":!{RESULTS.relative_to(ROOT)}", *(f":!{p}" for p in PAGES)
    )
    return {
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "commit": commit,
        "clean": None if changed is None else not changed,
        "load": [round(value, 2) for value in os.getloadavg()],
        "machine": machine(),
        "versions": {"python": platform.python_version()} | {name: metadata.version(name) for name in PACKAGES},
    }


def machine() -> dict[str, Any]:
    """Return processor, cores that may be used, memory in GiB, and system."""
    processors = _fields("/proc/cpuinfo")
    memory = int(_fields("/proc/meminfo").get("MemTotal", "0 kB").split()[0]) / 2**20
    system = platform.freedesktop_os_release().get("PRETTY_NAME", "") if Path("/etc/os-release").exists() else ""
    return {
        "cpu": processors.get("model name", platform.machine()),
        "cores": len(os.sched_getaffinity(0)),
        "memory_gib": round(memory, 1),
        "os": f"{system or platform.system()}, kernel {platform.release()}",
    }


def _fields(path: str) -> dict[str, str]:
    """Return the first value of each key of a file of /proc."""
    found: dict[str, str] = {}
    for line in Path(path).read_text(encoding="utf-8").splitlines():
        key, _, value = line.partition(":")
        found.setdefault(key.strip(), value.strip())
    return found


def _git(*arguments: str) -> str | None:
    """Return what git says about the repository, or None outside git."""
    try:
        done = subprocess.run(["git", "-C", ROOT, *arguments], capture_output=True, text=True, check=True, timeout=30)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()
