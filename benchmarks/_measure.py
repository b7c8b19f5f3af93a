"""What the benchmarks share: rows of plain data, clocks, peak memory, processes of their own, and how one runs alone.

A row is what goes into results.json: `what` was done, by `ours` and where there is one by a `reference`, each with its seconds;
their `ratio`; and the `agreement` of the two results.
"""

import argparse
import json
import multiprocessing
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from workflow_lib.base.files import read_json, write_json

Row = dict[str, Any]
OURS, MISCNN = "this project", "MIScnn 1.4.0"
ROOT = Path(__file__).resolve().parent.parent
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"), "1")
"""Environment in which CPU seconds are those of the work and not of waiting threads."""

_Result = TypeVar("_Result")


def side(name: str, seconds: Sequence[float], **further: Any) -> Row:
    """Return one side of a comparison: all its times, their median, mean and the mean's error, and what else is known."""
    times = [significant(value, 5) for value in seconds]
    error = statistics.stdev(times) / len(times) ** 0.5 if len(times) > 1 else None
    numbers = {"seconds": times, "median": statistics.median(times), "mean": statistics.fmean(times), "error": error}
    return {"name": name, **{key: significant(value, 5) for key, value in numbers.items()}, **significant(further, 5)}


def row(
    what: str, ours: Row, reference: Row | None = None, agreement: Row | None = None, by: str = "median", **further: Any
) -> Row:
    """Return a row; with a reference it has the ratio of the times, by their `median` or `mean`."""
    made: Row = {"what": what, "ours": ours, **significant(further, 5)}
    if reference is not None:
        made |= {"reference": reference, "ratio": significant(reference[by] / ours[by], 4)}
    if agreement is not None:
        made["agreement"] = agreement
    return made


def ratio_error(reference: Row, ours: Row) -> float | None:
    """Return the standard error of the ratio of two means, or None where one has a single time."""
    if reference["error"] is None or ours["error"] is None:
        return None
    relative = np.hypot(reference["error"] / reference["mean"], ours["error"] / ours["mean"])
    return float(reference["mean"] / ours["mean"] * relative)


def difference(theirs: np.ndarray, ours: np.ndarray) -> Row:
    """Return the agreement of two arrays of numbers, plane by plane so that no copy of a volume is needed."""
    if theirs.shape != ours.shape:
        raise ValueError(f"results of shapes {theirs.shape} and {ours.shape} cannot be compared")
    pairs = zip(np.atleast_1d(theirs), np.atleast_1d(ours), strict=True)
    largest = max((float(np.abs(np.asarray(a, float) - np.asarray(b, float)).max()) for a, b in pairs), default=0.0)
    return {"largest_difference": significant(largest, 2)}


def voxels_that_differ(theirs: np.ndarray, ours: np.ndarray) -> Row:
    """Return the agreement of two arrays of labels."""
    if theirs.shape != ours.shape:
        raise ValueError(f"results of shapes {theirs.shape} and {ours.shape} cannot be compared")
    return {"differ": sum(int(np.count_nonzero(a != b)) for a, b in zip(theirs, ours, strict=True)), "of": int(ours.size)}


def significant(value: Any, digits: int) -> Any:
    """Return a number with so many significant digits, also inside lists and mappings; anything else as it is."""
    if isinstance(value, (bool, int, str)) or value is None:
        return value
    if isinstance(value, Mapping):
        return {key: significant(item, digits) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [significant(item, digits) for item in value]
    return float(f"{value:.{digits}g}")


def cpu_seconds(work: Callable[[], _Result], repeats: int, warm: bool = True) -> tuple[list[float], _Result]:
    """Return the CPU seconds of some calls, after one that is not counted if `warm`, and the last result."""
    result = work() if warm else None
    times = []
    for _ in range(repeats):
        begin = time.process_time()
        result = work()
        times.append(time.process_time() - begin)
    assert result is not None
    return times, result


def current_memory() -> float:
    """Return the resident memory of this process in MiB."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize() / 2**20


def peak_memory() -> float:
    """Return the largest resident memory of this process since its start or since `reset_peak`, in MiB."""
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) / 1024


def reset_peak() -> None:
    """Let Linux count the peak from here on."""
    Path("/proc/self/clear_refs").write_text("5")


def used(work: Callable[[], _Result]) -> tuple[Row, _Result]:
    """Return what one call took (`cpu` and `wall` seconds, `peak_mib`, `above_mib` the memory before), and its result."""
    before = current_memory()
    reset_peak()
    begin, wall = time.process_time(), time.perf_counter()
    result = work()
    usage = {"cpu": time.process_time() - begin, "wall": time.perf_counter() - wall, "peak_mib": peak_memory()}
    return usage | {"above_mib": usage["peak_mib"] - before}, result


def in_fresh_process(function: Callable[..., _Result], *arguments: Any) -> _Result:
    """Return what the function returns in a process of its own, whose peak memory is its own."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        return pool.submit(function, *arguments).result()


def used_by_module(module: str, *arguments: str, folder: Path = ROOT) -> Row:
    """Run `python -m module arguments` and return its `cpu` and `wall` seconds and `peak_mib`, all from its start on."""
    with tempfile.TemporaryDirectory() as name:
        report = Path(name) / "usage.json"
        begin = time.perf_counter()
        run([sys.executable, "-m", "benchmarks._process", str(report), module, *arguments], folder)
        wall = time.perf_counter() - begin
        return dict(read_json(report)) | {"wall": wall}


def run(command: Sequence[str], folder: Path = ROOT, environment: Mapping[str, str] | None = None) -> str:
    """Run a command and return what it printed; if it fails, end with the end of its output."""
    done = subprocess.run(
        command, cwd=folder, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=os.environ | (environment or {})
    )
    if done.returncode:
        raise SystemExit(f"{' '.join(command)[:300]} failed with code {done.returncode}:\n{done.stdout[-3000:]}")
    return done.stdout


def parser(description: str | None) -> argparse.ArgumentParser:
    """Return the parser of a benchmark that runs alone."""
    made = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("--quick", action="store_true", help="few repetitions, for trying")
    made.add_argument("--json", type=Path, metavar="FILE", help="write the rows to a file instead of printing them")
    return made


def deliver(rows: Sequence[Row], target: Path | None) -> None:
    """Write rows as JSON, or print them for people."""
    if target is not None:
        write_json(target, list(rows))
        return
    for item in rows:
        print(described(item), flush=True)


def alone(description: str | None, rows: Callable[[bool], list[Row]]) -> None:
    """Be the command of one benchmark."""
    options = parser(description).parse_args()
    deliver(rows(options.quick), options.json)


def described(item: Row) -> str:
    """Return a row in words, a line for each side."""
    lines = [item["what"]]
    for key in ("reference", "ours"):
        if key in item:
            numbers = {name: value for name, value in item[key].items() if name not in {"name", "seconds"} and value is not None}
            lines.append(f"    {item[key]['name']}: " + ", ".join(f"{name} {value:.4g}" for name, value in numbers.items()))
    rest = {key: value for key, value in item.items() if key not in {"what", "reference", "ours"}}
    return "\n".join([*lines, *([f"    {json.dumps(rest, ensure_ascii=False)}"] if rest else [])])
