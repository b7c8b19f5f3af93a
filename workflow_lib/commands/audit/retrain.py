"""Repeat one training from its seeds in a separate folder, by running the steps themselves, and compare the weights.

On a CPU with the same number of threads, package versions and kind of processor, the bytes must be identical. Otherwise they
may differ. Then the losses of the epochs and the DSC are reported, so that the reader can judge the difference.
"""

import csv
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from workflow_lib.base.errors import UserError
from workflow_lib.base.files import read_json, sha256_file, write_json
from workflow_lib.commands.audit import bounded, records
from workflow_lib.commands.audit import folder as safe
from workflow_lib.commands.audit.findings import Finding
from workflow_lib.commands.audit.images import Images
from workflow_lib.commands.audit.records import NAME, Record
from workflow_lib.images.cases import name_fault
from workflow_lib.preprocessing.store import INDEX
from workflow_lib.provenance.fingerprints import PACKAGE_FOLDER
from workflow_lib.provenance.manifest import portable_digest
from workflow_lib.training.request import HISTORY, SUMMARY, WEIGHTS

Say = Callable[[str], None]


@dataclass(frozen=True)
class Request:
    """The training to repeat, the folders to search for images, the user's loss files, and the number of GPUs to use."""

    name: str
    roots: Sequence[Path]
    loss_files: Sequence[Path] = ()
    gpus: int = 0


def require(folder: Path, name: str) -> None:
    """Raise UserError with a list of the trainings unless exactly one has this name.

    Invalid records are reported by the audit.
    """
    try:
        trainings = _trainings(folder)
    except Exception:  # the content is untrusted
        return
    _one_of(trainings, name)


def chosen(study: Path, name: str) -> Record:
    """Return the record of the training `LOSS:FOLD` or `DATASET/LOSS:FOLD`. Raises UserError with a list of the trainings."""
    return _one_of(_trainings(study), name)


def _trainings(study: Path) -> dict[str, Record]:
    return {
        "{}/{}:{}".format(*record.about): record for record in records.every(study) if record.step == "train" and _named(record)
    }


def _one_of(trainings: Mapping[str, Record], name: str) -> Record:
    matching = [record for key, record in trainings.items() if name in (key, key.partition("/")[2])]
    if len(matching) == 1:
        return matching[0]
    why = "is more than one training" if matching else "is not a training of this study"
    raise UserError(f"--retrain: {name!r} {why}. There are: {', '.join(trainings)}")


def _named(record: Record) -> bool:
    dataset, loss, fold = record.about
    return (
        bool(NAME.fullmatch(dataset) and NAME.fullmatch(loss))
        and record.name == f"records/train/{dataset}/{loss}/fold_{fold}.json"
    )


def check(folder: Path, study: Path, request: Request, say: Say) -> Iterator[Finding]:
    """Repeat a training and yield how it compares with the stored one. `study` is the private copy of `folder`."""
    record = chosen(study, request.name)
    with tempfile.TemporaryDirectory(prefix="retrain-") as private:
        work = Path(private)
        try:
            stores = _stores(folder, study, record, request, work, say)
            _train(study, record, request, stores, work, say)
        except UserError as error:
            yield Finding(f"{record} again", "fails", f"could not be made again: {error}")
            return
        yield from _compare(folder, study, record, request, stores, work, say)


def _stores(folder: Path, study: Path, record: Record, request: Request, work: Path, say: Say) -> list[Path]:
    """Return the folders of preprocessed cases: those of the results if they are intact, otherwise recomputed ones."""
    root, found = records.root_of(study), []
    images = Images(request.roots)
    for number, entry in enumerate(record.inputs["stores"], start=1):
        place = records.inside(entry["path"], root)
        try:
            _check_store(folder, place, entry["sha256"])
            found.append(folder / place)
        except UserError as error:
            say(f"preprocessed images, part {number}: {error}; they are made again")
            found.append(_preprocess(study, entry, images, work, say))
    return found


def _check_store(folder: Path, place: str, digest: str) -> None:
    """Raise UserError unless every file of a shard is the one that the training read."""
    if safe.sha256(folder, f"{place}/{INDEX}") != digest:
        raise UserError(f"{place}/{INDEX}: is not the one that the training read")
    for case, stored in safe.read_json(folder, f"{place}/{INDEX}").items():
        if name_fault(case):
            raise UserError(f"{place}/{INDEX}: a case has a name that cannot be one")
        for kind in ("image", "classes"):
            if safe.sha256(folder, f"{place}/{case}.{kind}.npy") != stored["sha256"][kind]:
                raise UserError(f"{place}/{case}.{kind}.npy: is not what was written")


def _preprocess(study: Path, entry: Mapping[str, Any], images: Images, work: Path, say: Say) -> Path:
    """Preprocess the images of a shard again.

    Raises UserError if images are missing or the arrays differ from the stored ones.
    """
    made = [
        record
        for record in records.every(study)
        if record.step == "preprocess" and record.outputs["store"][0]["path"] == entry["path"]
    ]
    if len(made) != 1:
        raise UserError(f"{entry['path']}: no record says how it was made")
    (record,) = made
    dataset, _, shard = record.about
    content = safe.read_json(study, f"data/{dataset}/cases.json")
    mine = sorted(case["id"] for case in content["cases"])[shard - 1 :: record.settings["shards"]]
    located, gone = images.located(content)
    missing = {case: why for case, why in gone.items() if case in mine}
    if missing:
        raise UserError(
            "these images are needed and are not available: " + "; ".join(f"{case}: {why}" for case, why in missing.items())
        )
    # All cases are listed, so that the division into shards is the same. Those of other shards are not read.
    there = {case["id"]: case for case in located["cases"]}
    write_json(work / "cases.json", content | {"cases": [there.get(case["id"], case) for case in content["cases"]]})
    store = work / f"shard_{shard}"
    run("preprocess", record.settings, {"cases": [work / "cases.json"], "store": [store]}, say)
    _check_same_arrays(store, study, entry, records.root_of(study))
    return store


def _check_same_arrays(store: Path, study: Path, entry: Mapping[str, Any], root: Path) -> None:
    """Compare the arrays with the recorded index, if there is one.

    Only digests count: the index also contains paths of images.
    """
    index = study / records.inside(entry["path"], root) / INDEX
    if not index.is_file():
        return
    before, now = read_json(index), read_json(store / INDEX)
    other = [case for case in {*before, *now} if before.get(case, {}).get("sha256") != now.get(case, {}).get("sha256")]
    if other:
        raise UserError(f"preprocessed again, other arrays come out than were trained with: {', '.join(sorted(other))}")


def _train(study: Path, record: Record, request: Request, stores: Sequence[Path], work: Path, say: Say) -> None:
    dataset = record.about[0]
    say(f"{record}: training again, {record.settings['training']['epochs']} epochs at most")
    paths = {
        "cases": [study / f"data/{dataset}/cases.json"],
        "folds": [study / f"data/{dataset}/folds.csv"],
        "stores": stores,
        "loss-files": list(request.loss_files),
        "weights": [work / WEIGHTS],
        "history": [work / HISTORY],
        "summary": [work / SUMMARY],
        "checkpoints": [work / "checkpoints"],
    }
    numbers = {"checkpoint-seconds": 600, "batch-processes": 0, "gpus": request.gpus, "keep-state": 0}
    run("train", record.settings, paths, say, numbers, {"lineage": "retrained"}, record.fingerprint)


def run(
    step: str,
    settings: Mapping[str, Any],
    paths: Mapping[str, Sequence[Path]],
    say: Say,
    numbers: Mapping[str, int] | None = None,
    texts: Mapping[str, str] | None = None,
    fingerprint: str = "by-hand",
) -> None:
    """Run a step in a separate process and report its output. Raises UserError with its last lines if it fails."""
    command = [
        sys.executable,
        "-m",
        f"workflow_lib.steps.{step}",
        "--settings",
        json.dumps(settings),
        "--fingerprint",
        fingerprint,
    ]
    for name, value in {**(numbers or {}), **(texts or {})}.items():
        command += [f"--{name}", str(value)]
    for name, group in paths.items():
        command += [f"--{name}", *(str(path.absolute()) for path in group)]
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join(filter(None, [str(PACKAGE_FOLDER.parent), os.environ.get("PYTHONPATH")]))
    }
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment) as process:
        assert process.stdout is not None
        last: list[str] = []
        broken = False
        for line in process.stdout:
            # Forged settings may cause an exception anywhere. The user is shown the error without its traceback.
            broken = broken or line.startswith("Traceback (most recent call last)")
            last = [line.rstrip()] if broken else [*last[-7:], line.rstrip()]
            if not broken:
                say(f"  {line.rstrip()}")
    if process.returncode != 0:
        raise UserError(f"the step {step} failed: {' '.join(filter(None, last))[-1500:]}")


def _compare(
    folder: Path, study: Path, record: Record, request: Request, stores: Sequence[Path], work: Path, say: Say
) -> Iterator[Finding]:
    root = records.root_of(study)
    stored = {key: records.inside(record.outputs[key][0]["path"], root) for key in ("weights", "history", "summary")}
    same_weights = safe.sha256(folder, stored["weights"]) == sha256_file(work / WEIGHTS)
    same_history = safe.sha256(study, stored["history"]) == sha256_file(work / HISTORY)
    if same_weights and same_history:
        yield Finding(f"{record} again", "holds", "trained again, the same weights and losses byte for byte")
        yield from _summary(study, stored["summary"], work)
        return
    on_cpu = request.gpus == 0 and all(
        attempt.get("device") == "cpu" for attempt in safe.read_json(study, stored["summary"])["attempts"]
    )
    differences = [_loss_difference(study / stored["history"], work / HISTORY)]
    files = [safe.safe_path(folder, stored["weights"]), work / WEIGHTS]
    differences += [
        part if isinstance(part, str) else f"the stored weights: {part.text}"
        for part in bounded.findings("workflow_lib.commands.audit.difference", files)
    ]
    differences.append(_dsc_difference(study, record, request, stores, work, say))
    if not on_cpu:
        why = "a GPU computed one of the two, so the bytes need not be the same"
        yield Finding(f"{record} again", "not checked", f"{why}; {'; '.join(differences)}")
        return
    for subject, same in ((stored["weights"], same_weights), (stored["history"], same_history)):
        if not same:
            why = "is not what its training gives when it is made again (another kind of processor may be why)"
            yield Finding(subject, "fails", f"{why}: {'; '.join(differences)}")


def _summary(study: Path, name: str, work: Path) -> Iterator[Finding]:
    """Compare the results in training.json without facts of the run. Its fingerprint depends on the paths of the images."""
    before, now = read_json(study / name), read_json(work / SUMMARY)
    if before["fingerprint"] == now["fingerprint"] and portable_digest(study / name) != portable_digest(work / SUMMARY):
        yield Finding(name, "fails", "describes the training differently from the repeated one")


def _loss_difference(before: Path, now: Path) -> str:
    one, other = ([float(row["validation_loss"]) for row in _table(path)] for path in (before, now))
    if not one or not other:
        return "no epoch to compare"
    return (
        f"lowest validation loss {min(one):.6g} stored, {min(other):.6g} now; of the last epoch {one[-1]:.6g} and {other[-1]:.6g}"
    )


def _dsc_difference(study: Path, record: Record, request: Request, stores: Sequence[Path], work: Path, say: Say) -> str:
    """Return the mean DSC per class of the stored scores and of the repeated training, or why they are not compared."""
    dataset, loss, fold = record.about
    steps = {other.step: other for other in records.every(study) if other.about == record.about}
    located, gone = Images(request.roots).located(safe.read_json(study, f"data/{dataset}/cases.json"))
    if gone or {"predict", "evaluate"} - set(steps):
        return f"DSC is not compared: {len(gone)} of its cases are not available"
    write_json(work / "located.json", located)
    common = {"cases": [work / "located.json"], "folds": [study / f"data/{dataset}/folds.csv"]}
    network = {"stores": stores, "weights": [work / WEIGHTS], "summary": [work / SUMMARY]}
    try:
        run(
            "predict",
            steps["predict"].settings,
            common | network | {"predictions": [work / "predictions"]},
            say,
            {"gpus": request.gpus},
        )
        scored = common | {"predictions": [work / "predictions"], "scores": [work / "scores.csv"]}
        run("evaluate", steps["evaluate"].settings, scored, say)
    except UserError as error:
        return f"DSC is not compared: {error}"
    before, now = _mean_dsc(study / f"scores/{dataset}/{loss}/fold_{fold}.csv"), _mean_dsc(work / "scores.csv")
    return "mean DSC " + ", ".join(f"{name} {before.get(name, float('nan')):.4f} stored, {now[name]:.4f} now" for name in now)


def _mean_dsc(path: Path) -> dict[str, float]:
    found: dict[str, list[float]] = {}
    for row in _table(path):
        if row["dsc"]:
            found.setdefault(row["class"], []).append(float(row["dsc"]))
    return {name: sum(values) / len(values) for name, values in found.items()}


def _table(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))
