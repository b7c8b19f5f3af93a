"""Recompute the scores from the predictions and the original masks, and redraw the figures that show images."""

import csv
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from workflow_lib.base.errors import UserError
from workflow_lib.base.files import write_json
from workflow_lib.commands.audit import folder as safe
from workflow_lib.commands.audit import left_out, records
from workflow_lib.commands.audit.bounded import guarded
from workflow_lib.commands.audit.findings import Finding
from workflow_lib.commands.audit.images import Images, check_grid
from workflow_lib.commands.audit.recompute import compared
from workflow_lib.commands.audit.records import NAME, Record
from workflow_lib.datasets.folds import Assignment, read_folds, split_cases, write_folds
from workflow_lib.evaluation.scores import columns
from workflow_lib.images.casefiles import DIVERGED, prediction_name
from workflow_lib.images.cases import Case, name_fault
from workflow_lib.images.readers.dicom import is_segmentation
from workflow_lib.steps import evaluate, figures_dataset
from workflow_lib.steps.command import Context

SHOWN = 5
PREDICTION_BYTES = 256 << 20
"""Size limit of a compressed prediction. The predictions that the workflow writes have at most 1 MB."""

Row = dict[str, str]


def check(folder: Path, study: Path, roots: Sequence[Path]) -> Iterator[Finding | str]:
    """Rescore the predictions and yield the findings.

    `study` is the private copy of `folder`; images are searched in `roots`.
    """
    images = Images(roots)
    every = list(records.every(study))
    located: dict[str, dict[str, Any]] = {}
    for dataset in sorted({record.about[0] for record in every if record.step == "evaluate"}):
        if not NAME.fullmatch(dataset):
            raise UserError(f"{dataset[:80]!r} is not the name of a dataset")
        yield f"looking for the images of {dataset}"
        located[dataset], gone = images.located(safe.read_json(study, f"data/{dataset}/cases.json"))
        if gone:
            reasons = "; ".join(f"{case}: {why}" for case, why in list(gone.items())[:SHOWN])
            more = f"; and {len(gone) - SHOWN} more" if len(gone) > SHOWN else ""
            total = len(gone) + len(located[dataset]["cases"])
            yield Finding(
                f"images of {dataset}", "not checked", f"{len(gone)} of {total} cases are not available. {reasons}{more}"
            )
    for record in every:
        if record.step == "evaluate":
            yield f"scores: {record}"
            yield from guarded(str(record), _fold, folder, study, record, located[record.about[0]])
    for record in every:
        if record.step == "figures_dataset" and located[record.about[0]]["cases"]:
            yield f"figures that show images: {record}"
            yield from guarded(f"{record}, figures of images", _figures, folder, study, record, located[record.about[0]])


def _fold(folder: Path, study: Path, record: Record, cases: Mapping[str, Any]) -> Iterator[Finding]:
    dataset, _, fold = record.about
    root = records.root_of(study)
    (entry,), (scores,) = record.inputs["predictions"], record.outputs["scores"]
    name = records.inside(scores["path"], root)
    stored = _rows(study / name, columns(record.settings["metrics"]))
    places = read_folds(study / f"data/{dataset}/folds.csv")
    expected = split_cases(places, fold).test
    if set(entry.get("files", {})) == {DIVERGED}:
        expected = []
    faults = list(_not_of_the_fold(name, stored, expected))
    place, declared = records.inside(entry["path"], root), left_out.declared(study)
    there = {case["id"]: case for case in cases["cases"] if not _left_out(folder, place, case, declared)}
    if len(there) < len(cases["cases"]):
        yield Finding(f"{record} from its predictions", "not checked", "the bundle leaves predictions out")
    scored = [case for case in expected if case in there]
    for case in scored:
        try:
            again = _score(folder, study, record, place, there[case], places[case])
            faults += _differences(name, case, stored, again)
        except UserError as error:
            faults.append(Finding(name, "fails", f"{case} cannot be scored again: {error}"))
    yield from faults
    if not faults and (scored or not expected):
        yield Finding(f"{record} from its predictions", "holds", f"{len(scored)} cases scored again, every number the same")


def _left_out(folder: Path, place: str, entry: Mapping[str, Any], declared: Mapping[str, str]) -> bool:
    name = f"{place}/{prediction_name(Case.from_json(entry))}"
    return name in declared and not (folder / name).exists()


def _not_of_the_fold(name: str, stored: Sequence[Row], expected: Sequence[str]) -> Iterator[Finding]:
    """Yield the cases whose scores are missing, belong to another fold, or are duplicated."""
    cases = [row["case"] for row in stored]
    keys = [(row["case"], row["class"]) for row in stored]
    for case in expected:
        if case not in cases:
            yield Finding(name, "fails", f"{case} has no scores, and this fold scores it")
    for case in sorted({*cases} - {*expected}):
        yield Finding(name, "fails", f"there are scores of {case}, which this fold does not score")
    for case, region in sorted({key for key in keys if keys.count(key) > 1}):
        yield Finding(name, "fails", f"{case} is scored twice in class {region}")


def _score(folder: Path, study: Path, record: Record, place: str, entry: Mapping[str, Any], where: Assignment) -> list[Row]:
    """Return the rows of one case, computed by the code of the step from a private copy of the prediction."""
    private = study.parent / "rescored"
    _stage(folder, place, entry, private / "predictions")
    write_json(private / "cases.json", _cases_of(study, record, entry))
    write_folds(private / "folds.csv", {entry["id"]: where})
    paths = {name: [private / file] for name, file in (("cases", "cases.json"), ("folds", "folds.csv"), ("scores", "scores.csv"))}
    evaluate.work(
        Context(records.settings_of(record), record.fingerprint, 1, paths | {"predictions": [private / "predictions"]}, {})
    )
    return _rows(private / "scores.csv", columns(record.settings["metrics"]))


def _cases_of(study: Path, record: Record, entry: Mapping[str, Any]) -> dict[str, Any]:
    return safe.read_json(study, f"data/{record.about[0]}/cases.json") | {"cases": [entry]}


def _stage(folder: Path, place: str, entry: Mapping[str, Any], target: Path) -> None:
    """Copy the prediction of a case and compare its header with the mask. Raises UserError if the prediction is invalid."""
    if name_fault(entry["id"]):
        raise UserError(f"the case {entry['id'][:80]!r} cannot be one: {name_fault(entry['id'])}")
    case = Case.from_json(entry)
    file = prediction_name(case)
    target.mkdir(parents=True, exist_ok=True)
    (target / file).write_bytes(safe.read_bytes(folder, f"{place}/{file}", PREDICTION_BYTES))
    check_grid(target / file, case.images[0] if is_segmentation(case.masks[0]) else case.masks[0])


def _rows(path: Path, expected: Sequence[str]) -> list[Row]:
    with path.open(encoding="utf-8", newline="") as stream:
        reader = csv.DictReader(stream)
        if tuple(reader.fieldnames or ()) != tuple(expected):
            raise UserError(f"{path.name}: is not a table of scores")
        return [{key: row[key] or "" for key in expected} for row in reader]


def _differences(name: str, case: str, stored: Sequence[Row], again: Sequence[Row]) -> Iterator[Finding]:
    """Compare the rows of a case as text, so that all digits of counts and distances must agree."""
    given = {row["class"]: row for row in stored if row["case"] == case}
    if not given:
        return
    computed = {row["class"]: row for row in again}
    for region in sorted({*given} ^ {*computed}):
        yield Finding(name, "fails", f"{case}: class {region} is {'not scored' if region in computed else 'none of the study'}")
    for region in [region for region in computed if region in given]:
        wrong = [
            f"{column} {given[region][column] or 'undefined'}, computed {computed[region][column] or 'undefined'}"
            for column in computed[region]
            if given[region][column] != computed[region][column]
        ]
        if wrong:
            text = "; ".join(wrong)
            yield Finding(name, "fails", f"{case}, {region}: not what its prediction and its mask give: {text}")


def _figures(folder: Path, study: Path, record: Record, cases: Mapping[str, Any]) -> Iterator[Finding]:
    """Redraw the figures that show segmentations. Only the cases that they show are read."""
    root, again, dataset = records.root_of(study), study.parent / "again_with_images", record.about[0]
    outputs = {name: [records.inside(entry["path"], root) for entry in entries] for name, entries in record.outputs.items()}
    shown = {
        str(content["case"]) for path in outputs["texts"] for content in [safe.read_json(study, path)] if content.get("case")
    }
    there = {entry["id"]: entry for entry in cases["cases"]}
    places, declared = [records.inside(entry["path"], root) for entry in record.inputs["predictions"]], left_out.declared(study)
    if any(_left_out(folder, place, there[case], declared) for place in places for case in shown & set(there)):
        yield Finding(f"{record}, figures of images", "not checked", "the bundle leaves predictions out")
        return
    if shown - set(there):
        yield Finding(f"{record}, figures of images", "not checked", f"{', '.join(sorted(shown - set(there)))} cannot be had")
        return
    folders = []
    for place, entry in zip(places, record.inputs["predictions"], strict=True):
        folders.append(study.parent / "shown" / place)
        for case in sorted(shown):
            file = prediction_name(Case.from_json(there[case]))
            if file in entry.get("files", {}):
                _stage(folder, place, there[case], folders[-1])
        if DIVERGED in entry.get("files", {}):
            write_json(folders[-1] / DIVERGED, {})
    write_json(study.parent / "shown" / f"{dataset}.json", cases)
    inputs = {
        name: [study / records.inside(entry["path"], root) for entry in entries]
        for name, entries in record.inputs.items()
        if name not in ("predictions", "cases")
    }
    paths = inputs | {"predictions": folders, "cases": [study.parent / "shown" / f"{dataset}.json"]}
    paths |= {name: [again / path for path in group] for name, group in outputs.items()}
    figures_dataset.draw_images(Context(records.settings_of(record), record.fingerprint, 1, paths, {}))
    made = [path for group in outputs.values() for path in group if (again / path).is_file()]
    for finding in compared(study, again, made, record):
        state = finding.state
        yield Finding(f"{record}, figures of images" if state == "holds" else finding.subject, state, finding.text)
