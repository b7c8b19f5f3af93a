"""A results folder as written by the steps, with seeded synthetic scores, for the tests of the figures and the report.

The files are made by `report_fixture_scores`, `_statistics`, `_tables` and `_figures`; this module combines them to a study.
"""

import copy
import functools
import shutil
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from tests.report_fixture_figures import draw_figures
from tests.report_fixture_scores import score, write, write_cases, write_training
from tests.report_fixture_statistics import write_statistics
from tests.report_fixture_tables import write_comparison, write_tables
from workflow_lib.base.seeds import generator
from workflow_lib.report.study import Study, read_study
from workflow_lib.tables.published import load

PAPER_LOSSES = {
    "focal": "Focal loss",
    "dice": "Dice loss",
    "tversky": "Tversky loss",
    "cosine_tversky": "Cosine Tversky loss",
    "focal_tversky": "Focal Tversky loss",
    "combo": "Combo loss",
    "mixed_focal": "Mixed Focal loss",
}

HOSTILE = {"evil": "<script>alert('x')</script>", "long": "L" * 300, "rtl": "‮دالة الخسارة‬ $x^2$", "amp": "a & b \"c\" 'd'"}


def make_dataset(
    folder: Path,
    name: str,
    classes: Sequence[str],
    losses: Mapping[str, str],
    cases: int,
    folds: int,
    missing: Iterable[tuple[str, int]] = (),
    epochs: int = 30,
) -> pd.DataFrame:
    """Write all files of one dataset and return the scores. `missing` are the (loss, fold) that were never trained."""
    missing = set(missing)
    ids = [f"case_{i:05d}" for i in range(cases)]
    fold_of = {case: i % folds + 1 for i, case in enumerate(ids)}
    sizes = write_cases(folder, name, classes, ids)
    write(
        folder / f"data/{name}/folds.csv",
        ["case", "fold", "part", "group"],
        [
            {"case": c, "fold": f, "part": "" if folds > 1 else ("training", "validation", "test")[number % 3]}
            for number, (c, f) in enumerate(sorted(fold_of.items()))
        ],
    )
    rows = []
    foreground = list(classes)[1:]
    difficulty = {c: generator(1, name, c).normal(0, 1, cases) for c in foreground}
    for number, loss in enumerate(losses):
        for index, label in enumerate(foreground):
            noise = generator(1, name, label, loss).normal(0, 0.5, (2, cases))
            level = 2.8 - 1.7 * index + 0.08 * number
            for i, case in enumerate(ids):
                if (loss, fold_of[case]) in missing:
                    continue
                recall, precision = (float(1 / (1 + np.exp(-(level + 0.6 * difficulty[label][i] + n)))) for n in noise[:, i])
                rows.append(score(name, loss, fold_of[case], case, label, sizes[label][i], recall, precision))
    rows.sort(key=lambda r: (r["loss"], r["fold"], r["case"], r["class"]))
    columns = [
        "dataset",
        "loss",
        "fold",
        "case",
        "class",
        "kind",
        "tp",
        "fp",
        "fn",
        "dsc",
        "precision",
        "recall",
        "hd95",
        "nsd",
        "assd",
        "relative_volume_difference",
        "volume_difference",
        "note",
    ]
    write(folder / f"scores/{name}.csv", columns, rows)
    scores = pd.DataFrame(rows)
    means, ranksum = write_statistics(folder, name, foreground, losses, scores)
    scored = {loss: label for loss, label in losses.items() if (scores["loss"] == loss).any()}
    write_tables(folder / "tables", name, foreground, scored, means, ranksum)
    for loss in losses:
        for fold in range(1, folds + 1):
            if (loss, fold) not in missing:
                write_training(folder / f"training/{name}/{loss}/fold_{fold}", name, loss, losses[loss], fold, epochs)
    return scores


def make_study(
    folder: Path,
    datasets: Mapping[str, Sequence[str]] | None = None,
    losses: Mapping[str, str] | None = None,
    cases: int = 20,
    folds: int = 5,
    missing: Iterable[tuple[str, int]] = (),
    published: bool = True,
    synthetic: bool = True,
    figures: bool = False,
) -> dict[str, Any]:
    """Write results of a study into `folder` and return the input of `shown` as a plain dict.

    `datasets` maps names to class names, background first. The first dataset has all losses, the others the last three.
    Repeated
    requests of a process get a copy of the first result.
    """
    datasets = datasets or {"kits19": ["background", "kidney", "tumour"], "brats20": ["background", "tumour"]}
    named = tuple((name, tuple(classes)) for name, classes in datasets.items())
    chosen = tuple((losses or PAPER_LOSSES).items())
    made, study = _made(named, chosen, cases, folds, tuple(missing), published, synthetic, figures)
    shutil.copytree(made.name, folder, dirs_exist_ok=True)
    return copy.deepcopy(study)


def shown(study: Mapping[str, Any]) -> Study:
    """Return the study as the input of the report."""
    return read_study(study, {}, version=study["version"], commit=study["commit"], digest=study.get("digest", ""))


@functools.cache
def _made(
    named: tuple[tuple[str, tuple[str, ...]], ...],
    losses_and_labels: tuple[tuple[str, str], ...],
    cases: int,
    folds: int,
    missing: tuple[tuple[str, int], ...],
    published: bool,
    synthetic: bool,
    figures: bool,
) -> tuple[tempfile.TemporaryDirectory, dict[str, Any]]:
    made = tempfile.TemporaryDirectory(prefix="report-fixture-")
    return made, _make(
        Path(made.name), dict(named), dict(losses_and_labels), cases, folds, missing, published, synthetic, figures
    )


def _make(
    folder: Path,
    datasets: Mapping[str, Sequence[str]],
    losses: Mapping[str, str],
    cases: int,
    folds: int,
    missing: Iterable[tuple[str, int]],
    published: bool,
    synthetic: bool,
    figures: bool,
) -> dict[str, Any]:
    described = []
    settings: dict[str, Any] = {}
    for number, (name, classes) in enumerate(datasets.items()):
        chosen = losses if number == 0 else dict(list(losses.items())[-3:])
        make_dataset(folder, name, classes, chosen, cases, folds, missing if number == 0 else ())
        if published:
            write_comparison(folder, name, list(classes)[1:], {})
        if figures:
            draw_figures(folder, name, name.upper(), classes, chosen, list(losses))
        settings[name] = dataset_settings(name, list(chosen), folds, cases if synthetic else None, published)
        described.append(
            {
                "name": name,
                "label": name.upper(),
                "protocol": settings[name],
                "synthetic": synthetic,
                "format": name,
                "classes": list(classes),
                "n_classes": len(classes),
                "losses": [{"name": n, "label": t, "loss": n, "parameters": parameters(name, n)} for n, t in chosen.items()],
                "published": name if published else None,
                "folds": folds,
            }
        )
    study = {
        "name": "fixture",
        "title": "Mixed Focal loss, rebuilt",
        "datasets": list(datasets),
        "seed": 42,
        "results": "results",
    }
    catalogue = {n: {"loss": n, "label": t, "parameters": {}} for n, t in losses.items()}
    config = {"study": study, "losses": catalogue, "datasets": settings}
    return {
        "title": study["title"],
        "name": study["name"],
        "config": config,
        "datasets": described,
        "version": "0.1.0",
        "commit": "0123456789abcdef0123456789abcdef01234567",
    }


def clone_dataset(folder: Path, study: dict[str, Any], copies: int) -> None:
    """Add `copies` copies of the study's only dataset under other names."""
    (first,) = study["datasets"]
    name = first["name"]
    for number in range(copies):
        other = f"{name}copy{number}"
        for path in sorted(folder.rglob("*")):
            if path.is_file() and name in str(path.relative_to(folder)):
                target = folder / str(path.relative_to(folder)).replace(name, other)
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(path, target)
        study["datasets"].append({**first, "name": other, "label": f"{first['label']} {number}"})
        study["config"]["datasets"][other] = study["config"]["datasets"][name]


def parameters(dataset: str, loss: str) -> dict[str, Any]:
    """Return the published parameters of the loss, in the form of the study's settings."""
    published = load(dataset)
    return dict(published.parameters.get(loss, {})) if published else {}


def dataset_settings(name: str, losses: Sequence[str], folds: int, phantoms: int | None, published: bool) -> dict[str, Any]:
    """Return a dataset's section of the configuration, with short trainings."""
    from workflow_lib.study.config import Dataset

    raw: dict[str, Any] = {
        "label": name.upper(),
        "format": name,
        "source": "phantom" if phantoms else "folder",
        "root": "data/" + name,
        "losses": list(losses),
        "published": name if published else None,
        "cross_validation": {"folds": folds} if folds > 1 else {"fixed": {"test": 0.25, "validation": 0.25}},
        "training": {"patch": [32, 64, 64], "epochs": 30, "iterations": 20, "gpus": 0},
        "prediction": {"overlap": [16, 32, 32]},
        "network": {"filters": 8, "depth": 3},
    }
    if phantoms:
        raw["phantom"] = {"kind": "ct", "cases": phantoms, "shape": [60, 128, 128]}
    return Dataset.model_validate(raw).model_dump(mode="json")
