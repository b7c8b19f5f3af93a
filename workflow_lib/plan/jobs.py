"""The jobs of a validated study, with settings and fingerprint of each."""

import functools
import json
import os
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from workflow_lib.base.errors import Faults
from workflow_lib.base.files import sha256_file
from workflow_lib.datasets.division import folds_in, read_table
from workflow_lib.losses import registry as losses
from workflow_lib.plan import settings
from workflow_lib.plan.faults import chosen, faults_of
from workflow_lib.plan.job_id import JobId
from workflow_lib.plan.loss_entry import LossEntry
from workflow_lib.plan.parts import Part
from workflow_lib.provenance import layout
from workflow_lib.provenance.fingerprints import SHORT, code_table, fingerprint
from workflow_lib.statistics.sweeps import find_sweeps
from workflow_lib.study.catalogue import choice_faults, with_own_datasets, with_used_losses
from workflow_lib.study.config import Config, Dataset, validate

__all__ = ["Job", "JobId", "Plan", "load", "prepare_environment"]


@dataclass(frozen=True)
class Job:
    """The parameters of a step: the settings as one line of JSON, and the fingerprint of settings and code."""

    settings: str
    fingerprint: str


class Plan:
    """The jobs of one study."""

    def __init__(self, config: Config) -> None:
        self.config = config
        self.datasets = config.used_datasets()
        self.results = (Path(config.study.results) / config.study.name).as_posix()
        self._fold_counts = {name: _fold_count(dataset) for name, dataset in self.datasets.items()}
        self._divisions = {name: self._division(name) for name in self.datasets}

    def dataset(self, name: str) -> Dataset:
        """Return a dataset with all its sections."""
        return self.datasets[name]

    def losses(self, dataset: str) -> list[str]:
        """Return the names of the dataset's losses, in the order of its tables."""
        return self.datasets[dataset].losses

    def all_losses(self) -> list[str]:
        """Return the losses of all datasets, each once."""
        return list(dict.fromkeys(name for dataset in self.datasets for name in self.losses(dataset)))

    def folds(self, dataset: str) -> list[int]:
        """Return the numbers of the folds, from 1; a fixed split is one."""
        return list(range(1, self._fold_counts[dataset] + 1))

    def division_files(self, dataset: str) -> dict[str, list[str]]:
        """Return the user's CSV files that define the division: `groups` and `table`, none or one each."""
        settings = self.datasets[dataset]
        files = {"groups": settings.groups, "table": settings.cross_validation.table}
        return {name: [str(Path(file).expanduser())] if file is not None else [] for name, file in files.items()}

    def division(self, dataset: str) -> dict[str, str]:
        """Return the SHA-256 of these files. Their location does not matter."""
        return self._divisions[dataset]

    def _division(self, dataset: str) -> dict[str, str]:
        files = self.division_files(dataset).items()
        return {name: sha256_file(Path(file)) for name, paths in files for file in paths}

    def shards(self, dataset: str) -> list[int]:
        """Return the numbers of the preprocessing jobs, from 1."""
        return list(range(1, self.datasets[dataset].preprocessing.shards + 1))

    @functools.cache  # noqa: B019 -- one plan lives as long as the process
    def job(self, step: str, dataset: str = "", loss: str = "", number: int = 0) -> Job:
        """Return the job of a step; `number` is the fold, or the shard of `preprocess`."""
        part = self._part(step, dataset, loss, number)
        # Keys are not sorted: the report shows the study's configuration in the order of its file.
        return Job(json.dumps(part.plain, separators=(",", ":"), allow_nan=False), fingerprint(part.plain, part.code))

    def code(self, step: str, dataset: str = "", loss: str = "", number: int = 0) -> dict[str, str]:
        """Return the code that the job depends on: module or file to digest."""
        return code_table(self._part(step, dataset, loss, number).code)

    def lineage(self, dataset: str, loss: str, fold: int) -> str:
        """Return the digest of everything that a training depends on, except the number of epochs.

        Trainings of one lineage make the same steps, one of them more, so that a training can resume from the state of another.
        """
        part = self._part("train", dataset, loss, fold)
        training = {key: value for key, value in part.plain["training"].items() if key != "epochs"}
        return fingerprint(part.plain | {"training": training}, part.code)

    def _part(self, step: str, dataset: str, loss: str, number: int) -> Part:
        return settings.BUILDERS[step](self, JobId(step, dataset, loss, number))

    def jobs(self) -> Iterator[JobId]:
        """Yield all jobs that the study consists of, each before those that use its results."""
        of_dataset = [step for step, this in layout.STEPS.items() if "dataset" in this.of]
        for dataset in self.datasets:
            for step in of_dataset:
                yield from self.jobs_of(step, dataset)
        for step in layout.STEPS:
            if step not in of_dataset:
                yield JobId(step)

    def jobs_of(self, step: str, dataset: str) -> Iterator[JobId]:
        """Yield the jobs of a step on one dataset."""
        of = layout.STEPS[step].of
        numbers = {"fold": self.folds, "shard": self.shards}
        if step == "figures_sweep" and not self.has_sweep(dataset):
            return
        for loss in self.losses(dataset) if "loss" in of else [""]:
            for number in numbers[layout.unit(step)](dataset) if layout.unit(step) else [0]:
                yield JobId(step, dataset, loss, number)

    @functools.cache  # noqa: B019 -- one plan lives as long as the process
    def paths(self, output: str, dataset: str = "") -> list[str]:
        """Return all files of an output (``"step.output"``), of one dataset or, with "", of the whole study."""
        step, templates = layout.maker(output), layout.templates(output)
        if "dataset" not in layout.STEPS[step].of:
            places = [JobId(step)]
        else:
            places = [place for name in ([dataset] if dataset else self.datasets) for place in self.jobs_of(step, name)]
        return [
            f"{self.results}/{layout.filled(template, place.dataset, place.loss, place.number)}"
            for place in places
            for template in templates
        ]

    def loss_entry(self, name: str) -> LossEntry:
        """Return name, label, registry name and all parameters of a loss."""
        loss, parameters = chosen(self.config.loss(name))
        label = self.config.loss(name).label or losses.get(loss).LABEL
        return LossEntry(name, label, loss, losses.resolved_parameters(loss, parameters))

    def loss_files(self, name: str) -> list[str]:
        """Return the user's files that a loss needs, as the study names them."""
        return list(map(str, self.loss_entry(name).own_files()))

    def has_sweep(self, name: str) -> bool:
        """Return whether some losses of a dataset differ in one number only; the report then shows the scores over it."""
        return bool(find_sweeps([self.loss_entry(loss).plain for loss in self.losses(name)]))

    def records(self) -> list[str]:
        """Return the records of all steps before the manifest, as paths below the study's results."""
        return sorted(place.record for place in self.jobs() if place.step not in layout.LAST)

    def fingerprints(self, dataset: str) -> dict[str, list[str]]:
        """Return the present short fingerprints of the jobs of a dataset: "step" or "step/loss" to one per fold or shard.

        With "" as dataset those of the jobs that belong to no dataset and come before the manifest.
        """
        found: dict[str, list[str]] = {}
        for place in self.jobs():
            if place.dataset == dataset and place.step not in layout.LAST:
                job = self.job(place.step, place.dataset, place.loss, place.number)
                key = f"{place.step}/{place.loss}" if place.loss else place.step
                found.setdefault(key, []).append(job.fingerprint[:SHORT])
        return found


def _fold_count(dataset: Dataset) -> int:
    division = dataset.cross_validation
    if division.table is not None:
        return folds_in(read_table(Path(division.table).expanduser()))
    return 1 if division.fixed is not None else division.folds


def prepare_environment(root: Path) -> None:
    """Set the environment that the jobs of this process inherit.

    `python` is the one that runs Snakemake (behind a conda environment's own, when --sdm conda puts one in front), the package is
    that of this checkout wherever the work folder is, and WORKFLOW_LOCK names the lock for envs/workflow.post-deploy.sh.
    """
    os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(root), os.environ.get("PYTHONPATH")]))
    os.environ["WORKFLOW_LOCK"] = str(root / "envs" / "lock.txt")


def load(raw: Mapping[str, Any], origin: str = "the configuration", own: Mapping[str, Any] | None = None) -> Plan:
    """Return the plan of a study.

    `own`: what the study's own files say, without config.yaml; None where there are none. Raises Faults that names everything
    wrong with the study: keys and values, unknown losses and parameters, unknown formats, no datasets named. Entries of the
    catalogues that the study does not use are not validated here (`unused.py`).
    """
    faults = choice_faults(raw, own)
    if faults and own is not None:
        raw = with_own_datasets(raw, own)
    raw = with_used_losses(raw)
    config = None
    try:
        config = validate(raw, origin)
    except Faults as found:
        faults += found.faults
    faults += faults_of(raw, config)
    if faults or config is None:
        unique = list(dict.fromkeys(faults))
        raise Faults(f"{len(unique)} fault(s) in {origin}:", unique)
    return Plan(config)
