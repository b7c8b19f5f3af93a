"""A study of two small cases, made by the functions of the steps themselves."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import nibabel
import numpy as np

from workflow_lib.base.files import read_json, write_json
from workflow_lib.datasets.folds import Assignment, write_folds
from workflow_lib.images.cases import Case, LabelMap, Reading
from workflow_lib.metrics.registry import names
from workflow_lib.preprocessing.store import Store
from workflow_lib.steps import check, evaluate, inspect, predict, preprocess
from workflow_lib.steps.command import Context
from workflow_lib.study.sections.preprocessing import Preprocessing
from workflow_lib.study.settings import check as check_settings
from workflow_lib.study.settings import evaluate as evaluate_settings
from workflow_lib.study.settings import predict as predict_settings
from workflow_lib.study.settings import preprocess as preprocess_settings

NAMES = ("a", "b")
LABELS = LabelMap(("background", "kidney", "tumour"), ((0,), (1,), (2,)))
SPACING = (2.0, 1.5, 1.25)
SHAPE = (18, 22, 20)
PATCH = (8, 8, 8)
PREPROCESSING = Preprocessing(clip=(-900, 900), spacing=(1.6, 1.6, 1.6))


def write(path, data):
    path.parent.mkdir(parents=True, exist_ok=True)
    nibabel.save(nibabel.Nifti1Image(data, np.diag([*SPACING, 1.0])), path)
    return path


class Thresholds:
    """In the place of a network: probabilities from the intensity of each voxel alone."""

    output_shape = (None, *PATCH, 3)

    def predict_on_batch(self, batch):
        evidence = batch * np.array([-1, 1, 3], np.float32) - np.array([0, 0, 3], np.float32)
        exponential = np.exp(evidence)
        return exponential / exponential.sum(axis=-1, keepdims=True)


def case(folder, name, seed, shape=SHAPE):
    """Write the files of a case: noise, two boxes in each other, and a field of view of most of it."""
    rng = np.random.default_rng(seed)
    mask, view = np.zeros(shape, np.uint8), np.zeros(shape, np.uint8)
    mask[3:14, 4:18, 5:16], mask[6:10, 8:12, 8:12], view[1:-1] = 1, 2, 1
    image = rng.normal(0, 300, shape).astype(np.int16) + 400 * mask.astype(np.int16)
    files = {"image": image, "mask": mask, "view": view}
    image, mask, view = (write(folder / "data" / name / f"{key}.nii.gz", data) for key, data in files.items())
    return Case(name, (image,), (mask,), view)


def prepared(folder: Path, shape: tuple[int, ...] = SHAPE) -> SimpleNamespace:
    """Inspect and check two cases below `folder` and divide them; return the paths."""
    folder.mkdir(parents=True, exist_ok=True)
    made = [case(folder, name, seed, shape) for seed, name in enumerate(NAMES)]
    paths = {key: folder / f"{key}.json" for key in ("files", "inspection", "cases")}
    paths |= {"table": folder / "cases.csv", "folds": folder / "folds.csv", "store": folder / "store"}
    paths |= {"predictions": folder / "predictions", "scores": folder / "scores.csv", "data": folder / "data"}
    content = {"format": "folders", "synthetic": True, "group": "", "label_map": LABELS.to_json(), "reading": Reading().to_json()}
    write_json(paths["files"], content | {"cases": [one.to_json() for one in made]})
    inspect.work(context(paths, ("files", "inspection"), None))
    settings = check_settings.Settings(
        dataset="toy", axes=3, orientation=None, exclude={}, require=[], faulty="stop", field_of_view=True
    )
    check.work(context(paths, ("inspection", "cases", "table"), settings))
    write_folds(paths["folds"], {name: Assignment(1) for name in NAMES})
    return SimpleNamespace(**paths)


def context(paths, keys, settings):
    return Context(settings, "f", 1, {key: [paths[key]] for key in keys}, {"gpus": 0})


def preprocessed(study, settings=PREPROCESSING):
    settings = preprocess_settings.Settings(dataset="toy", preprocessing=settings, shard=1, shards=1)
    preprocess.work(context(vars(study), ("cases", "store"), settings))
    return Store([study.store])


def predicted(study, monkeypatch):
    """Run the step `predict` with thresholds in place of a trained network."""
    monkeypatch.setattr("workflow_lib.inference.predict.load_model", lambda *_: Thresholds())
    monkeypatch.setattr("workflow_lib.networks.runtime.configure_runtime", lambda *_, **__: "cpu")
    summary = study.folds.with_name("training.json")
    write_json(summary, {"diverged": None})
    paths = vars(study) | {"summary": summary, "weights": summary, "stores": study.store}
    values: dict[str, Any] = {"dataset": "toy", "loss": "dice", "fold": 1, "patch": PATCH, "threads": 1, "deterministic": True}
    values |= {"network": None, "preprocessing": PREPROCESSING}
    values["prediction"] = SimpleNamespace(overlap=(4, 4, 4), batch_size=2, blending="gaussian")
    settings = predict_settings.Settings.model_construct(**values)
    predict.work(context(paths, ("summary", "weights", "cases", "folds", "stores", "predictions"), settings))


def evaluated(study, inside_view=True):
    settings = evaluate_settings.Settings.model_validate(
        {"dataset": "toy", "loss": "dice", "fold": 1, "field_of_view": inside_view, "metrics": list(names())}
        | {"evaluation": {"surface": True, "tolerance": 1.0}}
    )
    evaluate.work(context(vars(study), ("cases", "folds", "predictions", "scores"), settings))


def files_of(study, name):
    """Return the files of a case by what they are: image, mask, view."""
    (entry,) = [entry for entry in read_json(study.cases)["cases"] if entry["id"] == name]
    found = Case.from_json(entry)
    return {"image": found.images[0], "mask": found.masks[0], "view": found.field_of_view}
