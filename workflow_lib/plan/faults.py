"""Faults of a study other than invalid keys and values.

Losses, networks and optimisers with their parameters, files of the user's own, formats, divisions, labels.
"""

import unicodedata
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from workflow_lib.base.errors import UserError
from workflow_lib.datasets.division import read_groups, read_table
from workflow_lib.datasets.formats import registry as formats
from workflow_lib.figures.looks import LOOKS
from workflow_lib.losses import registry as losses
from workflow_lib.networks.architectures import registry as architectures
from workflow_lib.optimisers import registry as optimisers
from workflow_lib.study.config import Config, Dataset, LossChoice
from workflow_lib.tables import published

SMALLEST_PHANTOM = 16
"""Voxels of the shortest side of a phantom; its bodies do not fit into less."""


def faults_of(raw: Mapping[str, Any], config: Config | None) -> list[str]:
    """Return the faults, each with its place in the study.

    `raw` is the study as it was read; `config` is the validated study, or None if validation failed. Then only the losses are
    checked.
    """
    return _loss_faults(raw, config) + (_dataset_faults(config) if config is not None else [])


def chosen(choice: LossChoice) -> tuple[str, dict[str, Any]]:
    """Return the registry's name of a loss of the study, and its parameters; those of the study override the preset's.

    Raises UserError when its file cannot be read, or the preset is none of the loss's.
    """
    loss = losses.resolve(choice.loss)
    preset = losses.preset(loss, choice.preset) if choice.preset is not None else {}
    return loss, {**preset, **choice.parameters}


def options(dataset: Dataset) -> dict[str, Any]:
    """Return the keys of a dataset that its format reads."""
    return {"channels": dataset.channels, "files": None if dataset.files is None else dataset.files.model_dump(mode="json")}


def _loss_faults(raw: Mapping[str, Any], config: Config | None) -> list[str]:
    """Check the losses even if other parts of the study have faults, so that all faults are reported together."""
    catalogue = raw.get("losses")
    catalogue = catalogue if isinstance(catalogue, Mapping) else {}
    faults = []
    for name, entry in catalogue.items():
        if isinstance(entry, Mapping) and isinstance(entry.get("loss"), str):
            parameters = entry.get("parameters") or {}
            if isinstance(parameters, Mapping):
                faults += [f"losses.{name}: {fault}" for fault in _choice_faults(entry["loss"], entry.get("preset"), parameters)]
    datasets = config.used_datasets() if config is not None else {}
    for dataset_name, dataset in datasets.items():
        for name in dataset.losses:
            if name not in catalogue:
                faults += [f"datasets.{dataset_name}.losses: {fault}" for fault in losses.faults(name, {})]
    return faults


def _choice_faults(loss: str, preset: object, parameters: Mapping[str, Any]) -> list[str]:
    """Return the faults of a loss, its file, its preset and its parameters; the configuration validates the other keys."""
    try:
        name = losses.resolve(loss)
        found = losses.faults(name, dict(parameters))
        if preset in losses.PRESETS and (name in losses.names() or losses.file_of(name) is not None):
            losses.preset(name, str(preset))
    except UserError as error:
        return [str(error)]
    return found


def _dataset_faults(config: Config) -> list[str]:
    used = config.used_datasets()
    alike = _alike({name: dataset.label for name, dataset in used.items()})
    faults = _too_many_losses(used)
    faults += [f"datasets: {' and '.join(names)} have the same `label`: {label!r}; change one of them" for label, names in alike]
    for name, dataset in used.items():
        faults += _same_labels(config, name)
        kind = dataset.phantom.kind if dataset.phantom is not None else None
        wrong_format = formats.faults(dataset.format, dataset.source, kind, options(dataset))
        faults += [f"datasets.{name}.{fault}" for fault in wrong_format]
        if not wrong_format:
            faults += _class_faults(config, name)
        faults += [f"datasets.{name}.{fault}" for fault in [*_division_faults(dataset), *_like_faults(used, name)]]
        chosen_ones = [*architectures.faults(dataset.network, dataset.training.patch), *optimisers.faults(dataset.training)]
        faults += [f"datasets.{name}.{key}: {fault}" for key, fault in chosen_ones]
        if dataset.phantom is not None and min(dataset.phantom.shape) < SMALLEST_PHANTOM:
            shape = list(dataset.phantom.shape)
            faults.append(f"datasets.{name}.phantom.shape: every side must be at least {SMALLEST_PHANTOM} voxels; it is {shape}")
        if dataset.published is not None and dataset.published not in published.names():
            known = ", ".join(published.names())
            faults.append(f"datasets.{name}.published: no published numbers named {dataset.published!r}; there are: {known}")
    return faults


def _too_many_losses(used: Mapping[str, Dataset]) -> list[str]:
    """Report too many losses before training, because the figures would fail after it."""
    number = len({loss for dataset in used.values() for loss in dataset.losses})
    return [f"datasets: {number} losses in all; the figures tell {LOOKS} apart, so take out some"] if number > LOOKS else []


def _division_faults(dataset: Dataset) -> list[str]:
    """Read the CSV files that a division follows: the number of folds decides which jobs there are."""
    faults = []
    readers = {"cross_validation.table": (read_table, dataset.cross_validation.table), "groups": (read_groups, dataset.groups)}
    for key, (read, file) in readers.items():
        if file is not None:
            try:
                read(Path(file).expanduser())
            except UserError as error:
                faults.append(f"{key}: {error}")
    return faults


def _like_faults(used: Mapping[str, Dataset], name: str) -> list[str]:
    """Two entries have the same folds where nothing but their seed could set them apart."""
    division = used[name].cross_validation
    if division.like is None:
        return []
    other = used.get(division.like)
    if other is None or division.like == name:
        return [f"cross_validation.like: {division.like!r} is not another dataset of this study (study.datasets)"]
    if (other.format, other.root) != (used[name].format, used[name].root):
        return [f"cross_validation.like: {division.like!r} has other images (format, root), so its folds cannot be the same"]
    if other.cross_validation != division.model_copy(update={"like": None}):
        return [f"cross_validation.like: {division.like!r} divides its cases in another way; give both the same cross_validation"]
    return []


def _class_faults(config: Config, dataset: str) -> list[str]:
    """Count the losses' parameters that hold a value per class, so that no training fails because of them."""
    settings = config.datasets[dataset]
    try:
        labels = formats.label_map(settings.format, Path(settings.root).expanduser(), options(settings))
    except (UserError, OSError, ValueError):
        # The format reads its classes from a file that is missing or unusable; `obtain` reports this.
        return []
    choices = {name: config.loss(name) for name in settings.losses}
    return [
        f"datasets.{dataset}.losses: {name!r}: {fault}"
        for name, choice in choices.items()
        if not _choice_faults(choice.loss, choice.preset, choice.parameters)
        for fault in losses.faults(*chosen(choice), labels.n_classes)
    ]


def _same_labels(config: Config, dataset: str) -> list[str]:
    """Two losses with the same label could not be distinguished in a table."""
    labels: dict[str, str] = {}
    for name in config.datasets[dataset].losses:
        choice = config.loss(name)
        if not _choice_faults(choice.loss, choice.preset, choice.parameters):
            labels[name] = choice.label or losses.get(losses.resolve(choice.loss)).LABEL
    return [
        f"datasets.{dataset}.losses: {' and '.join(names)} have the same label {label!r}; give one of them a `label` in `losses`"
        for label, names in _alike(labels)
    ]


def _alike(labels: Mapping[str, str]) -> list[tuple[str, Sequence[str]]]:
    """Return the labels that more than one name has, as they read: case, spaces and invisible characters make no difference."""
    names: dict[str, list[str]] = {}
    for name, label in labels.items():
        shown = "".join(c for c in unicodedata.normalize("NFKC", label) if c.isprintable() or c.isspace())
        names.setdefault(" ".join(shown.split()).casefold(), []).append(name)
    return [(labels[found[0]], found) for found in names.values() if len(found) > 1]
