"""Planning a large finished study, in which nothing is to be done: what comparing contents adds to Snakemake's own planning.

The study has 1000 cases and some 3000 jobs; its results are files of a byte with the records that their steps would write,
180000 predictions among them. `snakemake -n` in turn with `--rerun-triggers mtime`, which leaves every decision to Snakemake:
wall seconds. The first comparison of all, which reads every file once, is not counted.

    python -m benchmarks.planning
"""

import json
import sys
import tempfile
from contextlib import chdir
from pathlib import Path
from typing import Any

import yaml

from benchmarks._measure import OURS, ROOT, Row, alone, row, run, side
from tests.made_results import make
from workflow_lib.base.files import sha256_file, write_json
from workflow_lib.images.cases import Case
from workflow_lib.plan import jobs
from workflow_lib.plan.jobs import JobId, Plan
from workflow_lib.provenance import layout

CASES, LOSSES, DATASETS, FOLDS = 1000, 60, ("a", "b", "c"), 5
QUICK_CASES, QUICK_LOSSES = 50, 3
REPEATS = 5
LINKED = ("workflow_lib", "rules", "reports", "Snakefile", "config.yaml", "envs")


def study(losses: int) -> dict[str, Any]:
    """Return a study of that many losses on each of three datasets, which share their images."""
    names = [f"l{number:02d}" for number in range(losses)]
    return {
        "study": {"name": "large", "title": "Large", "datasets": [*DATASETS]},
        "training": {"patch": [16, 16, 16], "epochs": 2, "iterations": 3},
        "prediction": {"overlap": [8, 8, 8]},
        "network": {"depth": 2},
        "cross_validation": {"folds": FOLDS},
        "losses": {name: {"loss": "focal", "parameters": {"gamma": 1 + n / 100}, "label": name} for n, name in enumerate(names)},
        "datasets": {name: {"label": name, "format": "kits19", "root": "data", "losses": names} for name in DATASETS},
    }


def finish(plan: Plan, cases: int) -> None:
    """Write images, results and records of a study, as if it had run."""
    listed = []
    for number in range(cases):
        folder = Path("data") / f"case_{number:05d}"
        folder.mkdir(parents=True)
        for name in ("imaging.nii.gz", "segmentation.nii.gz"):
            (folder / name).write_bytes(b"x")
        case = Case(folder.name, (folder / "imaging.nii.gz",), (folder / "segmentation.nii.gz",))
        found = [path.stat() for path in case.files]
        states = [[f.st_size, f.st_mtime_ns, f.st_ctime_ns, f.st_ino] for f in found]
        digests = {path.as_posix(): sha256_file(path) for path in case.files}
        listed.append(case.to_json() | {"found": {"sha256": digests, "states": dict(zip(digests, states, strict=True))}})
    for place in plan.jobs():
        if place.step == "predict":
            folder = Path(plan.results) / layout.path("predict.predictions", place.dataset, place.loss, place.number)
            folder.mkdir(parents=True)
            for number in range(cases // FOLDS):
                (folder / f"case_{number:05d}.nii.gz").write_bytes(b"x")
        make(plan, place, "x")
        if place.step == "inspect":
            _inspected(plan, place, listed)


def _inspected(plan: Plan, place: JobId, listed: list[dict[str, Any]]) -> None:
    """Give an inspection its cases, and its record the digest."""
    path, record = Path(plan.results) / layout.path("inspect.inspection", place.dataset), Path(plan.results) / place.record
    write_json(path, {"cases": listed})
    content = json.loads(record.read_text())
    content["outputs"]["inspection"][0]["sha256"] = sha256_file(path)
    content["facts"] = {"started": "2026-12-01T00:00:00+00:00"}
    write_json(record, content)


def rows(quick: bool) -> list[Row]:
    """Return the row of a dry run of a finished study."""
    from benchmarks.start_up import seconds

    cases, losses = (QUICK_CASES, QUICK_LOSSES) if quick else (CASES, LOSSES)
    with tempfile.TemporaryDirectory() as name, chdir(name):
        for part in LINKED:
            Path(part).symlink_to(ROOT / part)
        Path("large.yaml").write_text(yaml.safe_dump(study(losses)), encoding="utf-8")
        plan = jobs.load(study(losses))
        finish(plan, cases)
        command = [sys.executable, "-m", "snakemake", "--configfile", "large.yaml", "-n", "--quiet", "rules"]
        printed = run(command, Path(name), {"PYTHONPATH": str(ROOT)})
        if "Nothing to be done" not in printed:
            raise RuntimeError(f"something would be done:\n{printed[-2000:]}")
        times: dict[str, list[float]] = {"ours": [], "reference": []}
        for _ in range(1 if quick else REPEATS):
            times["ours"].append(seconds(command, Path(name), {"PYTHONPATH": str(ROOT)})[0])
            times["reference"].append(seconds([*command, "--rerun-triggers", "mtime"], Path(name), {"PYTHONPATH": str(ROOT)})[0])
        ours, reference = side(OURS, times["ours"]), side("Snakemake's own decision", times["reference"])
        number = len(list(plan.jobs()))
    added = ours["median"] - reference["median"]
    return [row("a large finished study", ours, reference, jobs=number, cases=cases, added=added)]


if __name__ == "__main__":
    alone(__doc__, rows)
