"""What stands before the work: the start of every step, and planning the paper's study.

Training and prediction start when the first step is done, or the first patches are back from the network (a small one: 8 filters,
depth 3, patch 16 x 48 x 48), in CPU seconds of the process, in turn with the same of an earlier commit of this repository, whose
files git has. All else needs no TensorFlow.

A step starts when `python -m workflow_lib.steps.<step> --help` has ended. Planning is `snakemake -n` on `config.yaml` in a
fresh copy of the repository, where nothing has run, against `snakemake -n` on an empty Snakefile, in turn: the difference is
what this project adds to Snakemake's own time. Both are wall seconds.

    python -m benchmarks.start_up
"""

import io
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

from benchmarks import _first
from benchmarks._measure import ONE_THREAD, OURS, ROOT, Row, alone, row, run, side
from benchmarks.batches import synthetic_store
from workflow_lib.provenance import layout

WITH_TENSORFLOW = ("train", "predict")
REPEATS = 5
BEFORE = "a0274f6"
"""The last commit before starts were made shorter."""
STARTS = {"train": "training: start to the end of the first step", "predict": "prediction: start to the first prediction"}
SHAPE = (32, 64, 64)
COPIED = ("Snakefile", "config.yaml", "rules", "workflow_lib", "reports", "studies", "slurm", "envs", "docs")
EMPTY = "rule all:\n    input: []\n    output: []\n    run: pass\n"


def steps() -> list[str]:
    """Return the names of all steps that need no TensorFlow."""
    return sorted(set(layout.STEPS) - set(WITH_TENSORFLOW))


def seconds(command: list[str], folder: Path, environment: Mapping[str, str] | None = None) -> tuple[float, str]:
    """Return the wall seconds of a command, and what it printed."""
    begin = time.perf_counter()
    printed = run(command, folder, environment)
    return time.perf_counter() - begin, printed


def start_of(step: str, repeats: int) -> Row:
    """Return the row of the start of a step without TensorFlow, after one that is not counted."""
    command = [sys.executable, "-m", f"workflow_lib.steps.{step}", "--help"]
    return row(step, side(OURS, [seconds(command, ROOT)[0] for _ in range(repeats + 1)][1:]), light=True)


def checked_out(commit: str, target: Path) -> bool:
    """Write the files of an earlier commit; return whether git has it here."""
    done = subprocess.run(["git", "archive", commit, "workflow_lib"], cwd=ROOT, capture_output=True)
    if done.returncode:
        return False
    with tarfile.open(fileobj=io.BytesIO(done.stdout)) as archive:
        archive.extractall(target, filter="data")
    return True


def first(tree: Path, *arguments: str) -> float:
    """Return the CPU seconds of a process of the code in `tree` until its first step or prediction is done."""
    environment = {**ONE_THREAD, "PYTHONPATH": str(tree), "CUDA_VISIBLE_DEVICES": "-1"}
    script = "_first.py" if tree == ROOT else "_first_edition.py"
    printed = run([sys.executable, "-P", str(ROOT / "benchmarks" / script), *arguments], tree, environment)
    said = [line.removeprefix(_first.FIRST) for line in printed.splitlines() if line.startswith(_first.FIRST)]
    # A whole training says nothing.
    return float(said[-1]) if said else 0.0


def starts_with_tensorflow(repeats: int) -> list[Row]:
    """Return the rows of training and prediction, now and at an earlier commit, in turn, after one each that is not counted."""
    made = []
    with tempfile.TemporaryDirectory() as name:
        folder, weights, earlier = Path(name) / "store", Path(name) / "model.weights.h5", Path(name) / "earlier"
        folder.mkdir()
        synthetic_store(folder, SHAPE)
        trees = {OURS: ROOT} | ({f"commit {BEFORE}": earlier} if checked_out(BEFORE, earlier) else {})
        first(ROOT, "train", str(folder), str(weights))
        for step, further in {"train": [str(folder)], "predict": [str(folder), str(weights)]}.items():
            times: dict[str, list[float]] = {tree: [] for tree in trees}
            for _ in range(repeats + 1):
                for tree, path in trees.items():
                    times[tree].append(first(path, step, *further))
            ours, *before = [side(tree, taken[1:]) for tree, taken in times.items()]
            made.append(row(STARTS[step], ours, before[0] if before else None))
    return made


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
    """Return the rows of training and prediction, those of the other steps, and that of planning, which is the last."""
    repeats = 1 if quick else REPEATS
    return [*starts_with_tensorflow(repeats), *(start_of(step, min(repeats, 3)) for step in steps()), planning(repeats)]


if __name__ == "__main__":
    alone(__doc__, rows)
