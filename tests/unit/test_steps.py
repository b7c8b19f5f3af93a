"""What steps do around the work itself: they look at what they are given, and clear away what no study needs any more."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from workflow_lib.base.errors import Faults, UserError
from workflow_lib.base.files import sha256_file, write_json
from workflow_lib.commands.audit import recompute
from workflow_lib.commands.audit.findings import Finding
from workflow_lib.datasets.folds import Assignment, write_folds
from workflow_lib.evaluation.scores import read_scores, write_scores
from workflow_lib.images.cases import Case, LabelMap, Reading
from workflow_lib.metrics.registry import FIRST, names
from workflow_lib.preprocessing.store import INDEX, Geometry, write_case, write_index
from workflow_lib.provenance.records import digest
from workflow_lib.steps import collect, report_page, train
from workflow_lib.steps.command import Context
from workflow_lib.study.sections.augmentation import Augmentation
from workflow_lib.study.sections.network import Network
from workflow_lib.study.sections.training import Training
from workflow_lib.study.settings import collect as collect_settings
from workflow_lib.study.settings import train as train_settings
from workflow_lib.training import checkpoints

NAMES = ("a", "b")


def write_cases(folder):
    """Write cases.json of two cases, with the digests of their files as they are now; return its path."""
    entries = []
    for name in NAMES:
        case = Case(name, (folder / f"{name}.nii",), (folder / f"{name}_mask.nii",))
        for path in case.files:
            path.write_text(path.name)
        entries.append(case.to_json() | {"sha256": {path.as_posix(): sha256_file(path) for path in case.files}})
    labels = LabelMap(("background", "kidney"), ((0,), (1,)))
    content = {"cases": entries, "label_map": labels.to_json(), "reading": Reading().to_json(), "channels": 1, "axes": 3}
    write_json(folder / "cases.json", content | {"synthetic": True})
    return folder / "cases.json"


@pytest.fixture
def training(tmp_path):
    """A call of the step `train` on preprocessed cases."""
    store = tmp_path / "store"
    for name in NAMES:
        image, classes = np.ones((4, 4, 4, 1), np.float32), np.zeros((4, 4, 4), np.uint8)
        geometry = Geometry(original_shape=(4, 4, 4), spacing=(1, 1, 1), image_source="a", mask_source="b")
        write_case(store, name, image, classes, geometry)
    write_index(store)
    write_folds(tmp_path / "folds.csv", {"a": Assignment(1), "b": Assignment(2)})
    settings = train_settings.Settings(
        dataset="toy",
        loss=train_settings.Loss(name="dice", loss="dice", parameters={}),
        fold=1,
        seed=1,
        network=Network(filters=2, depth=1),
        training=Training(patch=(4, 4, 4), epochs=2, iterations=1),
        augmentation=Augmentation(),
    )
    paths = {
        "cases": [write_cases(tmp_path)],
        "folds": [tmp_path / "folds.csv"],
        "stores": [store],
        "loss-files": [],
        "weights": [tmp_path / "out" / "model.weights.h5"],
        "checkpoints": [tmp_path / "checkpoints" / "toy" / "dice" / "fold_1"],
        "events": [],
    }
    numbers = {"gpus": 0, "keep-state": 1, "checkpoint-seconds": 60, "batch-processes": 0}
    return Context(settings, "f", 1, paths, numbers, {"lineage": "l"})


@pytest.fixture
def trained(monkeypatch):
    """Take the training's place: note what was asked for, and leave a last state."""
    asked = []

    def stand_in(request):
        asked.append(request)
        request.checkpoints.mkdir(parents=True)
        (request.checkpoints / "checkpoint-000003-000000.npz").write_text("state")
        return SimpleNamespace(record={"diverged": None})

    monkeypatch.setattr("workflow_lib.training.loop.train", stand_in)
    return asked


@pytest.mark.parametrize("case", NAMES)
def test_a_training_does_not_begin_on_preprocessed_images_that_were_changed(training, trained, case):
    """One of the two trains, the other chooses the weights."""
    path = training.paths["stores"][0] / f"{case}.classes.npy"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(UserError, match=rf"{case}\.classes\.npy has changed since it was written"):
        train.work(training)
    assert trained == []


def test_the_state_of_a_finished_training_stays_and_those_of_other_settings_go(training, trained):
    folder = training.paths["checkpoints"][0]
    (folder / "other" / checkpoints.KEPT).mkdir(parents=True)
    end_state = train.work(training)
    (request,) = trained
    assert (folder / "other").exists()
    end_state()
    assert [path.name for path in folder.iterdir()] == [request.checkpoints.name]
    assert checkpoints.kept_epochs(request.checkpoints, 3) == 2


def test_a_state_belongs_to_the_content_of_its_inputs(training, trained):
    """Of other images, cases or folds it is another one."""
    train.work(training)
    for path in (training.path("cases"), training.path("folds"), training.path("stores") / INDEX):
        path.write_text(path.read_text() + "\n")
        train.work(training)
    assert len({request.checkpoints for request in trained}) == len({request.fingerprint for request in trained}) == 4


def scores_to_collect(folder, losses):
    """Leave the scores of two cases by two losses, as (loss, metrics, reference voxels), and what `collect` reads beside them."""
    folder.mkdir(exist_ok=True)
    cases = write_cases(folder)
    write_folds(folder / "folds.csv", {name: Assignment(1) for name in NAMES})
    parts, summaries = [], []
    for loss, metrics, voxels in losses:
        head = {"dataset": "set", "loss": loss, "fold": 1, "class": "kidney", "kind": "class", "note": ""}
        rows = [head | {"case": name, "tp": 1, "fp": 0, "fn": voxels - 1} | dict.fromkeys(metrics, 0.5) for name in NAMES]
        parts.append(folder / loss / "fold_1.csv")
        summaries.append(folder / "training" / loss / "fold_1" / "training.json")
        for path in (parts[-1], summaries[-1]):
            path.parent.mkdir(parents=True)
        write_scores(parts[-1], rows, metrics)
        write_json(summaries[-1], {"diverged": None})
    paths = {"cases": [cases], "folds": [folder / "folds.csv"], "scores": [folder / "scores.csv"]}
    paths |= {"parts": parts, "summaries": summaries}
    return Context(collect_settings.Settings(dataset="toy", losses=[loss for loss, *_ in losses], folds=2), "f", 1, paths, {})


def test_scores_in_other_metrics_than_the_rest_are_not_joined(tmp_path):
    with pytest.raises(Faults, match="other metrics than the rest") as raised:
        collect.work(scores_to_collect(tmp_path, [("dice", names(), 1), ("focal", FIRST, 1)]))
    assert raised.value.faults == ["focal, fold 1"]


def test_scores_of_other_masks_than_the_rest_are_not_joined(tmp_path):
    context = scores_to_collect(tmp_path, [("dice", FIRST, 1324), ("focal", FIRST, 2948)])
    with pytest.raises(Faults, match="scored with different masks") as raised:
        collect.work(context)
    assert raised.value.faults == [f"case {name} of set, class kidney: 1324 (dice); 2948 (focal)" for name in NAMES]
    assert not context.path("scores").exists()


def test_a_report_on_scores_of_other_masks_is_not_made(tmp_path):
    context = scores_to_collect(tmp_path / "parts", [("dice", FIRST, 1324), ("focal", FIRST, 2948)])
    frame = pd.concat([read_scores(path) for path in context.paths["parts"]], ignore_index=True)
    write_scores(tmp_path / "scores/toy.csv", frame, FIRST)
    settings: Any = SimpleNamespace(datasets=[SimpleNamespace(name="toy")])
    with pytest.raises(Faults, match="scored with different masks"):
        report_page.work(Context(settings, "f", 1, {"results": [tmp_path], "page": [tmp_path / "report.html"]}, {}))
    assert not (tmp_path / "report.html").exists()


def test_the_audit_names_a_case_that_was_scored_with_other_masks(tmp_path):
    context = scores_to_collect(tmp_path / "parts", [("dice", FIRST, 1324), ("focal", FIRST, 2948)])
    frame = pd.concat([read_scores(path) for path in context.paths["parts"]], ignore_index=True)
    write_scores(tmp_path / "scores/toy.csv", frame, FIRST)
    (tmp_path / "report.html").write_text("page")
    outputs = {"collect/toy": {"scores": "scores/toy.csv"}, "manifest": {}, "report": {"page": "report.html"}}
    for name, files in outputs.items():
        record = {
            "step": name.partition("/")[0],
            "settings": {"dataset": "toy"},
            "fingerprint": "f",
            "versions": {},
            "inputs": {},
        }
        made = {key: [digest(tmp_path / file)] for key, file in files.items()}
        write_json(tmp_path / f"records/{name}.json", record | {"outputs": made})
    write_json(tmp_path / "manifest.json", {"steps": {"records/collect/toy.json": {}}})
    found = [finding for finding in recompute.check(tmp_path, ("collect",)) if isinstance(finding, Finding)]
    texts = [finding.text for finding in found if (finding.subject, finding.state) == ("scores/toy.csv", "fails")]
    assert [text.rpartition("fn): ")[2] for text in texts] == [
        f"case {name} of set, class kidney: 1324 (dice); 2948 (focal)" for name in NAMES
    ]
