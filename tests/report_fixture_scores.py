"""The output of the steps before the statistics, with fixed seeds: the cases, the scores of every case, the trainings."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from workflow_lib.base.csv_text import csv_text
from workflow_lib.base.files import write_json, write_text
from workflow_lib.base.seeds import generator

METRICS = ("dsc", "precision", "recall")


def write(path: Path, columns: Sequence[str], rows: Iterable[Mapping[str, object]]) -> None:
    write_text(path, csv_text(columns, rows))


def write_cases(folder: Path, name: str, classes: Sequence[str], ids: Sequence[str]) -> dict[str, list[int]]:
    total = 60 * 128 * 128
    share = {label: 0.02 / 6**i for i, label in enumerate(list(classes)[1:])}
    rng = generator(1, name, "sizes")
    sizes = {label: [int(total * s * np.exp(rng.normal(0, 0.6))) + 1 for _ in ids] for label, s in share.items()}
    columns = [
        "case",
        "status",
        "reason",
        "note",
        "group",
        "part",
        "shape",
        "channels",
        "spacing",
        "orientation",
        "labels",
        "image_dtype",
        "mask_dtype",
        "intensity_min",
        "intensity_max",
    ]
    columns += [f"voxels_{c}" for c in classes] + [f"share_{c}" for c in classes]
    rows: list[dict[str, object]] = []
    for i, case in enumerate(ids):
        voxels = {label: sizes[label][i] for label in sizes}
        voxels = {classes[0]: total - sum(voxels.values()), **voxels}
        row = {"case": case, "status": "included", "reason": "", "shape": "60x128x128", "spacing": "3x0.78x0.78"}
        row |= {"orientation": "IPL", "image_dtype": "int16", "mask_dtype": "uint8", "intensity_min": "-1024.0"}
        rows.append({**row, "intensity_max": 1500.0, **_prefixed(voxels, total)})
    rows.append({"case": "case_90015", "status": "excluded", "reason": "left out in the paper", "shape": "60x128x128"})
    rows.append({"case": "../../x", "status": "excluded", "reason": "<b>no</b> tumour", "shape": ""})
    write(folder / f"data/{name}/cases.csv", columns, rows)
    return sizes


def _prefixed(voxels: Mapping[str, int], total: int) -> dict[str, object]:
    return {f"voxels_{c}": n for c, n in voxels.items()} | {f"share_{c}": n / total for c, n in voxels.items()}


def score(name: str, loss: str, fold: int, case: str, label: str, size: int, recall: float, precision: float) -> dict[str, Any]:
    tp = max(1, round(recall * size))
    fn, fp = size - tp, round(tp * (1 / precision - 1))
    row = {"dataset": name, "loss": loss, "fold": fold, "case": case, "class": label, "kind": "class"}
    row |= {"tp": tp, "fp": fp, "fn": fn, "dsc": 2 * tp / (2 * tp + fp + fn), "precision": tp / (tp + fp)}
    overlap = 2 * tp / (2 * tp + fp + fn)
    surfaces = {"hd95": 20 * (1 - overlap), "nsd": overlap**0.5, "assd": 4 * (1 - overlap)}
    volumes = {"relative_volume_difference": (fp - fn) / size, "volume_difference": abs(fp - fn) * 3 * 0.78 * 0.78 / 1000}
    return {**row, "recall": tp / (tp + fn), **surfaces, **volumes, "note": ""}


def write_training(folder: Path, dataset: str, loss: str, label: str, fold: int, epochs: int) -> None:
    rng = generator(1, dataset, loss, fold, "history")
    steps = np.arange(1, epochs + 1)
    training = 0.15 + 1.2 * np.exp(-steps / 6) * (1 + 0.1 * rng.normal(size=epochs))
    validation = np.abs(training + 0.05 + 0.03 * rng.normal(size=epochs))
    best = validation <= np.minimum.accumulate(validation)
    rows = [
        {"epoch": int(e), "training_loss": float(t), "validation_loss": float(v), "learning_rate": 3e-4, "best": int(b)}
        for e, t, v, b in zip(steps, training, validation, best, strict=True)
    ]
    write(folder / "history.csv", ["epoch", "training_loss", "validation_loss", "learning_rate", "best"], rows)
    seconds = 4000.0 + float(rng.integers(0, 900))
    attempt = {"host": "node17.example", "device": "NVIDIA A100", "started": "2025-01-02T03:04:05+00:00", "seconds": seconds}
    content = {"dataset": dataset, "loss": loss, "fold": fold, "label": label, "parameters": 1_234_567, "epochs": epochs}
    content |= {"best_epoch": int(steps[np.argmin(validation)]), "best_validation_loss": float(validation.min())}
    content |= {
        "fingerprint": f"{abs(hash((3, fold))):064x}"[:64],
        "training_cases": [f"t{n}" for n in range(16)],
        "validation_cases": ["v1", "v2", "v3", "v4"],
    }
    content |= {"attempts": [{**attempt, "first_epoch": 1, "last_epoch": epochs}], "seconds": seconds}
    content |= {"waiting_seconds": 0.012 * seconds, "peak_memory_mib": 8123.5}
    write_json(folder / "training.json", {**content, "versions": {"python": "3.11.9", "tensorflow": "2.21.0", "keras": "3.15.0"}})
