"""What stands before the work: the start of every step that needs no TensorFlow, and planning the paper's study.

A step starts when `python -m workflow_lib.steps.<step> --help` has ended. Planning is `snakemake -n` on `config.yaml` in a
fresh copy of the repository, where nothing has run, against `snakemake -n` on an empty Snakefile, in turn: the difference is
what this project adds to Snakemake's own time. Both are wall seconds.

    python -m benchmarks.startup
"""

import shutil
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

from benchmarks._measure import OURS, ROOT, Row, alone, row, run, side

WITH_TENSORFLOW = ("train", "predict")
REPEATS = 5
COPIED = ("Snakefile", "config.yaml", "rules", "workflow_lib", "reports", "studies", "slurm", "envs", "docs")
EMPTY = "rule all:\n    input: []\n    output: []\n    run: pass\n"


def steps() -> list[str]:
    """Return the names of all steps that need no TensorFlow."""
    files = (ROOT / "workflow_lib" / "steps").glob("[a-z]*.py")
    return sorted(path.stem for path in files if path.stem not in WITH_TENSORFLOW)


def seconds(command: list[str], folder: Path, environment: Mapping[str, str] | None = None) -> tuple[float, str]:
    """Return the wall seconds of a command, and what it printed."""
    begin = time.perf_counter()
    printed = run(command, folder, environment)
    return time.perf_counter() - begin, printed


def start_of(step: str, repeats: int) -> Row:
    """Return the row of one step's start, after one that is not counted."""
    command = [sys.executable, "-m", f"workflow_lib.steps.{step}", "--help"]
    return row(step, side(OURS, [seconds(command, ROOT)[0] for _ in range(repeats + 1)][1:]))


def copy_repository(target: Path) -> None:
    """Copy what a plan needs; no results."""
    target.mkdir()
    for name in COPIED:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, target / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy2(ROOT / name, target / name)


def planned_jobs(printed: str) -> int:
    """Return the number of jobs that a dry run tells."""
    totals = [line.split()[1] for line in printed.splitlines() if line.split()[:1] == ["total"]]
    if not totals:
        raise SystemExit(f"snakemake -n tells no number of jobs:\n{printed[-2000:]}")
    return int(totals[-1])


def planning(repeats: int) -> Row:
    """Return the row of planning, `ours` with the study and `reference` without; `added` is the difference of the medians."""
    command = [sys.executable, "-m", "snakemake", "-n", "--quiet", "rules"]
    study, empty, printed = [], [], ""
    with tempfile.TemporaryDirectory() as name:
        copy_repository(Path(name) / "study")
        (Path(name) / "empty").mkdir()
        (Path(name) / "empty" / "Snakefile").write_text(EMPTY, encoding="utf-8")
        for _ in range(repeats + 1):
            taken, printed = seconds(command, Path(name) / "study")
            study.append(taken)
            empty.append(seconds(command, Path(name) / "empty")[0])
    ours, reference = side(OURS, study[1:]), side("an empty Snakefile", empty[1:])
    return row("planning", ours, reference, added=ours["median"] - reference["median"], jobs=planned_jobs(printed))


def rows(quick: bool) -> list[Row]:
    """Return the row of each step, and that of planning, which is the last."""
    repeats = 1 if quick else REPEATS
    return [*(start_of(step, min(repeats, 3)) for step in steps()), planning(repeats)]


if __name__ == "__main__":
    alone(__doc__, rows)
