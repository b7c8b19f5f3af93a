"""Recomputed scores of pictures: predictions of a fold, masks with a field of view, without a trained study."""

import json
import os
import shutil

import numpy as np
import pytest

from workflow_lib.base.files import sha256_file, write_json
from workflow_lib.commands.audit import records, rescore
from workflow_lib.datasets.folds import Assignment, write_folds
from workflow_lib.images.casefiles import DIVERGED
from workflow_lib.images.cases import Case, LabelMap, Reading
from workflow_lib.images.pictures.writing import write_picture_labels
from workflow_lib.metrics import registry
from workflow_lib.provenance.records import digest
from workflow_lib.steps import evaluate
from workflow_lib.steps.command import Context
from workflow_lib.study.settings.evaluate import Settings

SETTINGS = {
    "dataset": "eyes",
    "loss": "dice",
    "fold": 1,
    "field_of_view": True,
    "evaluation": {"surface": True, "tolerance": 1.0},
    "metrics": list(registry.names()),
}
SCORES, PREDICTIONS = "scores/eyes/dice/fold_1.csv", "predictions/eyes/dice/fold_1"
RECORD = "records/evaluate/eyes/dice/fold_1.json"


@pytest.fixture
def results(tmp_path):
    """A folder of results with two scored cases, and their images in `data`."""
    rng = np.random.default_rng(0)
    data, folder = tmp_path / "data", tmp_path / "results"
    entries = []
    for name in ("a", "b"):
        (data / name).mkdir(parents=True)
        files = {kind: data / name / f"{kind}.png" for kind in ("image", "mask", "view")}
        for kind, path in files.items():
            write_picture_labels(path, np.uint8(255) * (rng.random((20, 24)) < (0.9 if kind == "view" else 0.4)).astype(np.uint8))
        case = Case(name, (files["image"],), (files["mask"],), files["view"])
        entries.append(
            case.to_json() | {"spacing": [1.0, 1.0], "sha256": {path.as_posix(): sha256_file(path) for path in case.files}}
        )
        (folder / PREDICTIONS).mkdir(parents=True, exist_ok=True)
        write_picture_labels(folder / PREDICTIONS / f"{name}.png", np.uint8(255) * (rng.random((20, 24)) < 0.4).astype(np.uint8))
    labels = LabelMap(("background", "vessel"), ((0,), (255,)))
    content = {"cases": entries, "label_map": labels.to_json(), "reading": Reading().to_json(), "channels": 1, "axes": 2}
    write_json(folder / "data/eyes/cases.json", content | {"synthetic": False})
    write_folds(folder / "data/eyes/folds.csv", {"a": Assignment(1), "b": Assignment(1), "c": Assignment(2)})
    inputs = {
        "cases": [folder / "data/eyes/cases.json"],
        "folds": [folder / "data/eyes/folds.csv"],
        "predictions": [folder / PREDICTIONS],
    }
    evaluate.work(Context(Settings.model_validate(SETTINGS), "f", 1, inputs | {"scores": [folder / SCORES]}, {}))
    write_record(folder, RECORD, "evaluate", SETTINGS, inputs, {"scores": [folder / SCORES]})
    write_record(folder, "records/manifest.json", "manifest", {}, {}, {})
    (folder / "report.html").write_text("page")
    write_record(folder, "records/report.json", "report_page", {}, {}, {"page": [folder / "report.html"]})
    write_json(folder / "manifest.json", {"steps": {RECORD: {}}})
    return folder


def write_record(folder, name, step, settings, inputs, outputs):
    sides = {
        side: {key: [digest(path) for path in paths] for key, paths in group.items()}
        for side, group in (("inputs", inputs), ("outputs", outputs))
    }
    write_json(folder / name, {"step": step, "settings": settings, "fingerprint": "f", "versions": {}, **sides})


def looked_at(folder, roots=None):
    """Return the findings, with a private copy of everything except the predictions."""
    study = folder.parent / "private" / "study"
    shutil.rmtree(study.parent, ignore_errors=True)
    shutil.copytree(folder, study, ignore=shutil.ignore_patterns("predictions"))
    # The records contain the original path of the folder, which is also its present path.
    assert records.root_of(study) == folder
    return [
        finding for finding in rescore.check(folder, study, roots or [folder.parent / "data"]) if not isinstance(finding, str)
    ]


def test_pictures_inside_their_field_of_view_hold(results):
    (found,) = looked_at(results)
    assert found.state == "holds"
    assert found.text == "2 cases scored again, every number the same"


def test_every_column_counts_to_the_last_digit(results):
    text = (results / SCORES).read_text()
    line = text.splitlines()[1].split(",")
    for column in (6, 7, 8, 9, 12, 13, 14, 15, 16):
        forged = [*line[:column], line[column][:-1] + ("1" if line[column][-1] != "1" else "2"), *line[column + 1 :]]
        (results / SCORES).write_text(text.replace(",".join(line), ",".join(forged)))
        (found,) = looked_at(results)
        assert (found.subject, found.state) == (SCORES, "fails")
        assert f"{forged[column]}, computed {line[column]}" in found.text
        assert found.text.startswith("a, vessel: ")


def test_a_case_whose_mask_is_another_one_cannot_be_had_and_the_other_is_scored(results):
    write_picture_labels(results.parent / "data/a/mask.png", np.zeros((20, 24), np.uint8))
    told, held = looked_at(results)
    assert told.state == "not checked"
    assert "1 of 2 cases are not available. a: " in told.text
    assert "its SHA-256 is another one" in told.text
    assert held.text == "1 cases scored again, every number the same"


@pytest.mark.parametrize("how", ["pipe", "link", "gone", "text", "larger", "volume"])
def test_a_prediction_that_is_none_is_named(results, tmp_path, how):
    path = results / PREDICTIONS / "a.png"
    path.unlink()
    if how == "pipe":
        os.mkfifo(path)
    elif how == "link":
        path.symlink_to(results / PREDICTIONS / "b.png")
    elif how == "text":
        path.write_text("no picture")
    elif how == "larger":
        write_picture_labels(path, np.zeros((2000, 2400), np.uint8))
    elif how == "volume":
        path.write_bytes(b"\x5c\x01\0\0" + bytes(400))
    (found,) = looked_at(results)
    assert (found.subject, found.state) == (SCORES, "fails")
    assert found.text.startswith("a cannot be scored again: ")


def test_scores_of_a_training_that_diverged_are_none(results):
    shutil.rmtree(results / PREDICTIONS)
    write_json(results / PREDICTIONS / DIVERGED, {"epoch": 3})
    record = json.loads((results / RECORD).read_text())
    record["inputs"]["predictions"] = [digest(results / PREDICTIONS)]
    write_json(results / RECORD, record)
    assert {finding.state for finding in looked_at(results)} == {"fails"}
    rows = (results / SCORES).read_text().splitlines()
    (results / SCORES).write_text(rows[0] + "\n")
    (found,) = looked_at(results)
    assert found.state == "holds"
