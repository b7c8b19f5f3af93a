"""The departures of a study from the published protocol, as text."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from workflow_lib.tables.published import Published, flatten

WORDS = {
    "format": "dataset format",
    "channels": "channels",
    "field_of_view": "scoring only inside the field of view",
    "cross_validation.folds": "folds",
    "cross_validation.by_group": "division by group",
    "cross_validation.table": "table of the division",
    "preprocessing.orientation": "orientation of the axes",
    "preprocessing.clip": "clipping",
    "preprocessing.normalise": "normalisation",
    "preprocessing.spacing": "spacing after resampling",
    "preprocessing.size": "size after resizing",
    "preprocessing.resampling": "resampling rule",
    "augmentation.probability": "probability of augmentation",
    "augmentation.mirror": "mirroring",
    "augmentation.contrast": "contrast augmentation",
    "augmentation.brightness": "brightness augmentation",
    "augmentation.gamma": "gamma augmentation",
    "augmentation.noise": "noise augmentation",
    "augmentation.elastic_alpha": "magnitude of elastic deformation",
    "augmentation.elastic_sigma": "smoothness of elastic deformation",
    "augmentation.rotation": "rotation",
    "augmentation.scaling": "scaling",
    "network.architecture": "network",
    "network.filters": "filters of the first level",
    "network.depth": "depth of the network",
    "network.batch_normalisation": "batch normalisation",
    "training.patch": "patch",
    "training.batch_size": "batch size",
    "training.precision": "number format",
    "training.accumulation": "passes that a batch is spread over",
    "training.gpus": "GPUs that divide a batch",
    "training.epochs": "epochs",
    "training.iterations": "iterations per epoch",
    "training.early_stop": "patience before an early end",
    "training.optimiser": "optimiser",
    "training.learning_rate": "learning rate",
    "training.minimum_learning_rate": "lowest learning rate",
    "training.plateau_factor": "factor of the plateau schedule",
    "training.plateau_patience": "patience of the plateau schedule",
    "training.plateau_min_delta": "least improvement for the plateau schedule",
    "prediction.overlap": "overlap at prediction",
    "prediction.blending": "blending of patches",
    "statistics.confidence": "level of the intervals",
}
"""Setting of the configuration -> its name in a sentence. Other settings are named by their path."""

_SIDES = {"training.patch", "prediction.overlap", "preprocessing.spacing", "preprocessing.size"}


def departures(settings: Mapping[str, Any], n_cases: int, synthetic: bool, published: Published) -> list[str]:
    """Return all departures of a dataset from the published protocol, such as 'epochs: 8 instead of 500'.

    `settings` are the sections of the dataset as plain data; its `losses` are a list of {name, label, loss,
    parameters}. `n_cases` is the number of scored cases, and `synthetic` says whether the images are
    generated. Additional losses are no departure, because each loss is trained separately.
    """
    found = [f"data: synthetic images instead of {published.dataset}"] if synthetic else []
    if n_cases != published.cases:
        found.append(f"cases: {n_cases} instead of {published.cases}")
    if (settings.get("cross_validation") or {}).get("fixed"):
        found.append(f"division: one fixed split instead of {published.folds} folds")
    ours = flatten({key: value for key, value in settings.items() if key not in ("losses", "exclude")})
    wanted = dict(published.settings)
    excluded = wanted.pop("exclude", None)
    # For synthetic images or another dataset format, the excluded cases cannot be compared.
    if excluded is not None and not synthetic and ours.get("format") == wanted.get("format"):
        found += _exclusions(settings.get("exclude") or {}, excluded)
    found += [
        f"{WORDS.get(path, path)}: {_show(path, ours.get(path))} instead of {_show(path, value)}"
        for path, value in wanted.items()
        if not _equal(ours.get(path), value)
    ]
    return found + _losses(settings.get("losses") or [], published)


def match_losses(published: Published, entries: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """Return published loss -> name in this study.

    An entry with the published parameters is preferred to an entry with the same name. Losses without
    either are absent.
    """
    matched = {}
    for loss, parameters in published.parameters.items():
        same = [entry for entry in entries if entry["loss"] == loss]
        exact = [entry for entry in same if not _parameter_differences(entry, parameters)]
        named = [entry for entry in same if entry["name"] == loss]
        for entry in [*exact, *named][:1]:
            matched[loss] = str(entry["name"])
    return matched


def _exclusions(ours: Mapping[str, Any] | Sequence[str], published: Sequence[str]) -> list[str]:
    kept = [case for case in published if case not in ours]
    more = [case for case in ours if case not in published]
    found = [f"cases kept that were excluded: {', '.join(kept)}"] if kept else []
    return found + ([f"cases excluded that were not: {', '.join(more)}"] if more else [])


def _losses(entries: Sequence[Mapping[str, Any]], published: Published) -> list[str]:
    matched = match_losses(published, entries)
    left_out = [label for loss, label in published.labels.items() if loss not in matched]
    found = [f"losses left out: {', '.join(left_out)}"] if left_out else []
    by_name = {str(entry["name"]): entry for entry in entries}
    for loss, name in matched.items():
        found += [
            f"{published.labels[loss]}: {fault}" for fault in _parameter_differences(by_name[name], published.parameters[loss])
        ]
    return found


def _parameter_differences(entry: Mapping[str, Any], published: Mapping[str, Any]) -> list[str]:
    ours = entry["parameters"]
    return [
        f"{key} {_show(key, ours.get(key))} instead of {_show(key, value)}"
        for key, value in published.items()
        if not _equal(ours.get(key), value)
    ]


def _equal(ours: Any, published: Any) -> bool:
    if isinstance(published, list):
        return isinstance(ours, (list, tuple)) and len(ours) == len(published) and all(map(_equal, ours, published))
    numbers = [value for value in (ours, published) if isinstance(value, (int, float)) and not isinstance(value, bool)]
    return math.isclose(*numbers, rel_tol=1e-9) if len(numbers) == 2 else bool(ours == published)


def _show(path: str, value: Any) -> str:
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, (list, tuple)):
        texts = [_show(path, item) for item in value]
        return " × ".join(texts) if path in _SIDES else f"{texts[0]} to {texts[1]}" if len(texts) == 2 else ", ".join(texts)
    return str(value)
