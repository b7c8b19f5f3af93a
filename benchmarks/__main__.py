"""Run the benchmarks one after the other, and write docs/performance.md and the README's numbers from what they measured.

    python -m benchmarks                        all, a quarter of an hour on two quiet cores
    python -m benchmarks --only batches losses  these again; the others stay as they are
    python -m benchmarks --quick                few repetitions, for trying; never written to the pages
    python -m benchmarks --pages                measure nothing, write the pages from benchmarks/results.json

Each runs in a process of its own, and its results are kept when it ends, whatever becomes of the others.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks import _pages, _results
from benchmarks._measure import ONE_THREAD, ROOT, Row
from workflow_lib.base.durations import duration
from workflow_lib.base.errors import UserError
from workflow_lib.base.files import read_json

QUICK_RESULTS = ROOT / "results" / "benchmarks-quick.json"


@dataclass(frozen=True)
class Benchmark:
    """One module of this package. `seconds`: how long it takes where no earlier run tells. `cpu`: it compares CPU seconds."""

    name: str
    seconds: float
    cpu: bool = True


BENCHMARKS = (
    Benchmark("preprocessing", 110),
    Benchmark("batches", 180),
    Benchmark("prediction", 240),
    Benchmark("evaluation", 30),
    Benchmark("inspection", 40),
    Benchmark("losses", 240, cpu=False),
    Benchmark("training", 110, cpu=False),
    Benchmark("start_up", 240, cpu=False),
    Benchmark("planning", 120, cpu=False),
    Benchmark("report", 25),
    Benchmark("storage", 1),
)
NAMES = tuple(benchmark.name for benchmark in BENCHMARKS)


def measure(benchmark: Benchmark, quick: bool) -> list[Row]:
    """Run one benchmark in a process of its own and return its rows. Raises UserError with its last words when it fails."""
    environment = os.environ | (ONE_THREAD if benchmark.cpu else {}) | {"CUDA_VISIBLE_DEVICES": "-1"}
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "rows.json"
        command = [sys.executable, "-m", f"benchmarks.{benchmark.name}", "--json", str(target), *(["--quick"] if quick else [])]
        done = subprocess.run(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        if done.returncode:
            raise UserError(
                f"{benchmark.name} failed with code {done.returncode}; its last words:\n{done.stdout[-3000:].strip()}"
            )
        return list(read_json(target))


def measure_all(chosen: Sequence[Benchmark], results: Path, quick: bool) -> list[str]:
    """Run benchmarks one after the other, keep what each measured, and return the names of those that failed."""
    run = _results.describe_run()
    earlier = {name: float(entry["seconds"]) for name, entry in _results.read(results)["benchmarks"].items()}
    failed = []
    for position, benchmark in enumerate(chosen):
        left = sum(earlier.get(later.name, later.seconds) for later in chosen[position:])
        print(f"[{position + 1}/{len(chosen)}] {benchmark.name} (about {duration(left)} left)", flush=True)
        begin, load = time.monotonic(), os.getloadavg()[0]
        try:
            rows = measure(benchmark, quick)
        except UserError as error:
            print(error, file=sys.stderr, flush=True)
            failed.append(benchmark.name)
            continue
        taken = time.monotonic() - begin
        _results.add(results, run, benchmark.name, rows, taken, load, quick)
        print(f"      {len(rows)} rows in {duration(taken)}", flush=True)
    return failed


def arguments() -> argparse.Namespace:
    """Return what the command was called with."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", nargs="+", choices=NAMES, metavar="NAME", help=f"some of: {', '.join(NAMES)}")
    parser.add_argument("--quick", action="store_true", help=f"few repetitions; kept in {QUICK_RESULTS.relative_to(ROOT)}")
    parser.add_argument("--pages", action="store_true", help="measure nothing, write the pages")
    return parser.parse_args()


def main() -> None:
    """Measure what was asked for, and write the pages if they can be."""
    options = arguments()
    results = QUICK_RESULTS if options.quick else _results.RESULTS
    chosen = [benchmark for benchmark in BENCHMARKS if not options.only or benchmark.name in options.only]
    failed: list[str] = []
    try:
        if not options.pages:
            failed = measure_all(chosen, results, options.quick)
        if not options.quick and not failed:
            _pages.write(_results.read(results), NAMES)
            print(f"Written from {results.relative_to(ROOT)}: {', '.join(_results.PAGES)}")
    except KeyboardInterrupt:
        print(f"\nInterrupted. What was measured is kept in {results.relative_to(ROOT)}; `--only` measures the rest.")
        sys.exit(130)
    except UserError as error:
        print(error, file=sys.stderr)
        sys.exit(2)
    if failed:
        again = f"python -m benchmarks --only {' '.join(failed)}"
        print(f"{len(failed)} of {len(chosen)} failed; the others are kept, no page was written. Mend them, then: {again}")
        sys.exit(1)


if __name__ == "__main__":
    main()
