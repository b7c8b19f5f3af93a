"""The validated study as the rules see it: which jobs there are, and settings and fingerprint of each.

Settings are the part of the study that a step's result depends on, and nothing else, as one line of JSON with sorted keys:
Snakemake compares that text to decide what to run again. Keys that only steer a run (memory, time limits, shards) stay out of it.
"""

import dataclasses
import functools
import os
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from workflow_lib.base.errors import Faults
from workflow_lib.base.files import canonical_json, sha256_file
from workflow_lib.base.seeds import derive
from workflow_lib.datasets.division import folds_in, read_table
from workflow_lib.datasets.formats import registry as formats
from workflow_lib.figures.looks import look_numbers
from workflow_lib.losses import registry as losses
from workflow_lib.networks.architectures import registry as architectures
from workflow_lib.optimisers import registry as optimisers
from workflow_lib.plan.faults import chosen, faults_of
from workflow_lib.provenance.fingerprints import SHORT, code_table, fingerprint, source_digest
from workflow_lib.statistics.sweeps import find_sweeps
from workflow_lib.study.config import Config, Dataset, validate

STEERING = {"shards", "checkpoint_minutes", "keep_state", "batch_processes", "gpus", "memory_mb", "minutes", "longest_minutes"}
"""Keys of a study that steer how a step runs and cannot change what comes out; `gpus` above 1 does (`_several_gpus`)."""

HERE_ONLY = {"label", "root", "url", "figure_case", "losses", "groups", "files"}
"""Keys of a dataset that say nothing about a protocol: where things lie, and what they are called."""

CURVES = ("focal", "focal_tversky", "cosine_tversky")
"""Losses whose curves the paper's Figure 2 shows."""

LAST = ("manifest", "report_page")
"""Steps that look at the results of all others."""

Code = str | Path
"""A module of the package, or a loss file of the user's own, that a step's result depends on."""


@dataclass(frozen=True)
class Job:
    """What a rule passes to its step: the settings as one line of JSON, and the fingerprint of settings and code."""

    settings: str
    fingerprint: str


@dataclass(frozen=True)
class Place:
    """Which job of the study: its step, dataset, loss and number (fold; shard of `preprocess`), as far as the step has them."""

    step: str
    dataset: str = ""
    loss: str = ""
    number: int = 0

    @property
    def record(self) -> str:
        """Where the job's record lies below the folder `records`."""
        parts = [self.dataset, self.loss, f"{'shard' if self.step == 'preprocess' else 'fold'}_{self.number}"]
        name = "report" if self.step == "report_page" else self.step
        return "/".join([name, *(part for part in parts[: 3 if self.number else 2] if part)]) + ".json"


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

    def interval_over(self, dataset: str) -> str:
        """Return what the interval of a mean is taken over: "folds" as published, "cases" where there is one split."""
        return "folds" if self._fold_counts[dataset] > 1 else "cases"

    def division_files(self, dataset: str) -> dict[str, list[str]]:
        """Return the CSV files of the user's own that the division follows: `groups` and `table`, each none or one."""
        settings = self.datasets[dataset]
        files = {"groups": settings.groups, "table": settings.cross_validation.table}
        return {name: [str(Path(file).expanduser())] if file is not None else [] for name, file in files.items()}

    def _division(self, dataset: str) -> dict[str, dict[str, str]]:
        """Return what these files say, as digests, and not where they lie; an empty dictionary where there are none."""
        files = self.division_files(dataset).items()
        said = {name: sha256_file(Path(file)) for name, paths in files for file in paths}
        return {"division_files": said} if said else {}

    def shards(self, dataset: str) -> list[int]:
        """Return the numbers of the preprocessing jobs, from 1."""
        return list(range(1, self.datasets[dataset].preprocessing.shards + 1))

    @functools.cache  # noqa: B019 -- one plan lives as long as the process
    def job(self, step: str, dataset: str = "", loss: str = "", number: int = 0) -> Job:
        """Return the job of a step; `number` is the fold, or the shard of `preprocess`."""
        settings, code = self._parts(step, dataset, loss, number)
        return Job(canonical_json(settings), fingerprint(settings, code))

    def code(self, step: str, dataset: str = "", loss: str = "", number: int = 0) -> dict[str, str]:
        """Return the code that the job depends on: module or file to digest."""
        return code_table(self._parts(step, dataset, loss, number)[1])

    def lineage(self, dataset: str, loss: str, fold: int) -> str:
        """Return the digest of all that a training depends on but for the number of its epochs.

        Trainings of one lineage do the same steps, of which one does more; so the state of one serves the other.
        """
        settings, code = self._parts("train", dataset, loss, fold)
        training = {key: value for key, value in settings["training"].items() if key != "epochs"}
        return fingerprint(settings | {"training": training}, code)

    def jobs(self) -> Iterator[Place]:
        """Yield all jobs that the study consists of, each before those that use its results."""
        for dataset in self.datasets:
            for step in ("obtain", "inspect", "cases_page", "check", "split"):
                yield Place(step, dataset)
            for shard in self.shards(dataset):
                yield Place("preprocess", dataset, number=shard)
            for step in ("train", "predict", "evaluate"):
                for loss in self.losses(dataset):
                    for fold in self.folds(dataset):
                        yield Place(step, dataset, loss, fold)
            for step in ("collect", "statistics", "tables", "figures_dataset"):
                yield Place(step, dataset)
            if self.has_sweep(dataset):
                yield Place("figures_sweep", dataset)
        yield Place("figures_losses")
        yield Place("manifest")
        yield Place("report_page")

    def _parts(self, step: str, dataset: str, loss: str, number: int) -> tuple[dict[str, Any], list[Code]]:
        settings, code = getattr(self, f"_{step}")(*[part for part in (dataset, loss, number) if part])
        return settings, [f"workflow_lib.steps.{step}", *code]

    def loss_entry(self, name: str) -> dict[str, Any]:
        """Return name, label, registry name and all parameters of a loss."""
        loss, parameters = chosen(self.config.loss(name))
        return {
            "name": name,
            "label": self.config.loss(name).label or losses.get(loss).LABEL,
            "loss": loss,
            "parameters": losses.resolved_parameters(loss, parameters),
        }

    def loss_files(self, name: str) -> list[str]:
        """Return the files of the user's own that a loss needs, as the study names them."""
        return list(map(str, _own_files(self.loss_entry(name))))

    def protocol(self, name: str) -> dict[str, Any]:
        """Return everything about a dataset that the published protocol can be compared with."""
        dataset = self.datasets[name]
        training = _plain(dataset.training) | {"gpus": 1} | _several_gpus(dataset)
        settings = _plain(dataset) | {"training": training}
        return {key: value for key, value in settings.items() if key not in HERE_ONLY} | {
            "losses": [self.loss_entry(loss) for loss in self.losses(name)],
            **self._divisions[name],
        }

    def _obtain(self, name: str) -> tuple[dict[str, Any], list[Code]]:
        dataset = self.datasets[name]
        keys = ("format", "source", "root", "url", "channels", "files", "phantom")
        settings = {key: value for key, value in _plain(dataset).items() if key in keys}
        return {"dataset": name, **settings}, [formats.FAMILY.module(dataset.format)]

    def _inspect(self, name: str) -> tuple[dict[str, Any], list[Code]]:
        return {"dataset": name}, []

    def _check(self, name: str) -> tuple[dict[str, Any], list[Code]]:
        dataset = self.datasets[name]
        keys = ("exclude", "require", "faulty", "field_of_view")
        settings = {key: getattr(dataset, key) for key in keys}
        return {"dataset": name, "axes": len(dataset.training.patch), **settings}, []

    def _cases_page(self, name: str) -> tuple[dict[str, Any], list[Code]]:
        settings, code = self._check(name)
        seed = derive(self.config.study.seed, "figures", name)
        return settings | {"label": self.datasets[name].label, "seed": seed}, code

    def _split(self, name: str) -> tuple[dict[str, Any], list[Code]]:
        # What the files of the user's own say counts, by its digest; where they lie changes nothing.
        division = _plain(self.datasets[name].cross_validation) | {"table": None}
        seed = derive(self.config.study.seed, "folds", division["like"] or name)
        settings = {"dataset": name, "cross_validation": division, "seed": seed}
        return settings | self._divisions[name], []

    def _preprocess(self, name: str, shard: int) -> tuple[dict[str, Any], list[Code]]:
        dataset = self.datasets[name]
        settings = {"dataset": name, "preprocessing": _plain(dataset.preprocessing)}
        return settings | {"shard": shard, "shards": dataset.preprocessing.shards}, []

    def _train(self, name: str, loss: str, fold: int) -> tuple[dict[str, Any], list[Code]]:
        dataset, entry = self.datasets[name], self.loss_entry(loss)
        needed = losses.needed(entry["loss"], entry["parameters"])
        files = _own_files(entry)
        settings = {
            "dataset": name,
            "loss": {
                "name": loss,
                "loss": entry["loss"],
                "parameters": entry["parameters"],
                "files": _own_code(entry),
            },
            "fold": fold,
            # Without the loss: all losses of a fold start from the same weights and see the same patches.
            "seed": derive(self.config.study.seed, "training", name, fold),
            "augmentation": _plain(dataset.augmentation),
            "network": _plain(dataset.network),
            "training": _plain(dataset.training) | _several_gpus(dataset),
        }
        members = [
            architectures.FAMILY.module(dataset.network.architecture),
            optimisers.FAMILY.module(dataset.training.optimiser),
        ]
        return settings, [*files, *(losses.module(part) for part in needed if losses.file_of(part) is None), *members]

    def _predict(self, name: str, loss: str, fold: int) -> tuple[dict[str, Any], list[Code]]:
        dataset = self.datasets[name]
        settings = {
            "dataset": name,
            "loss": loss,
            "fold": fold,
            "patch": list(dataset.training.patch),
            "threads": dataset.training.threads,
            "deterministic": dataset.training.deterministic,
            "network": _plain(dataset.network),
            "prediction": _plain(dataset.prediction),
            "preprocessing": _plain(dataset.preprocessing),
        }
        return settings, [architectures.FAMILY.module(dataset.network.architecture)]

    def _evaluate(self, name: str, loss: str, fold: int) -> tuple[dict[str, Any], list[Code]]:
        dataset = self.datasets[name]
        settings = {"dataset": name, "loss": loss, "fold": fold, "field_of_view": dataset.field_of_view}
        return settings | {"evaluation": _plain(dataset.evaluation)}, []

    def _collect(self, name: str) -> tuple[dict[str, Any], list[Code]]:
        return {"dataset": name, "losses": self.losses(name), "folds": len(self.folds(name))}, []

    def _statistics(self, name: str) -> tuple[dict[str, Any], list[Code]]:
        settings = {
            "dataset": name,
            "losses": self.losses(name),
            # One split has no spread over folds.
            "statistics": _plain(self.datasets[name].statistics) | {"interval_over": self.interval_over(name)},
            "seed": derive(self.config.study.seed, "statistics", name),
        }
        return settings, []

    def _tables(self, name: str) -> tuple[dict[str, Any], list[Code]]:
        dataset = self.datasets[name]
        settings = {
            "dataset": name,
            "label": dataset.label,
            "published": dataset.published,
            "synthetic": dataset.source == "phantom",
            "protocol": self.protocol(name),
        }
        return settings, []

    def _figures_losses(self) -> tuple[dict[str, Any], list[Code]]:
        trained: dict[str, losses.Node] = {}
        for name in self.all_losses():
            entry = self.loss_entry(name)
            parts = [part for part, _ in losses.components(entry["loss"], entry["parameters"])]
            node = losses.node(entry["loss"])
            if parts:
                # A composed loss is one of its own, also where the study calls it like one of the registry's.
                node = losses.Node(f"{name}: composed", entry["label"], node.family, tuple(dict.fromkeys(parts)))
            trained[node.name] = node
        bases = losses.with_components(base for node in trained.values() for base in node.built_from)
        nodes = {base: losses.node(base) for base in bases} | trained
        settings = {
            "trained": sorted(trained),
            "losses": [dataclasses.asdict(nodes[name]) for name in sorted(nodes)],
            "curves": {name: [losses.get(name).LABEL, *losses.curves(name)] for name in CURVES},
        }
        return settings, [losses.module(name) for name in CURVES]

    def _figures_dataset(self, name: str) -> tuple[dict[str, Any], list[Code]]:
        dataset = self.datasets[name]
        entries = [self.loss_entry(loss) for loss in self.losses(name)]
        settings = {
            "dataset": name,
            "label": dataset.label,
            "losses": [{"name": entry["name"], "label": entry["label"]} for entry in entries],
            "colours": self._looks(name),
            "figure_case": dataset.figure_case,
            "field_of_view": dataset.field_of_view,
            # A CT is shown in the soft-tissue window; clipping in HU is what tells a CT from an MRI here.
            "ct": dataset.preprocessing.clip is not None,
            "seed": derive(self.config.study.seed, "figures", name),
        }
        return settings, []

    def _looks(self, name: str) -> dict[str, int]:
        """Return what the colours of a dataset's losses follow from: the same in all figures, and no word of other losses."""
        numbers = look_numbers(self.all_losses())
        return {loss: numbers[loss] for loss in self.losses(name)}

    def has_sweep(self, name: str) -> bool:
        """Say whether some losses of a dataset differ in one number only, so that the report shows the scores over it."""
        return bool(find_sweeps([self.loss_entry(loss) for loss in self.losses(name)]))

    def _figures_sweep(self, name: str) -> tuple[dict[str, Any], list[Code]]:
        entries = [self.loss_entry(loss) for loss in self.losses(name)]
        settings = {
            "dataset": name,
            "label": self.datasets[name].label,
            "losses": entries,
            "titles": {entry["loss"]: losses.get(entry["loss"]).LABEL for entry in entries},
            "colours": self._looks(name),
        }
        return settings, []

    def records(self) -> list[str]:
        """Return the records of all steps before the manifest, as paths below the study's results."""
        return sorted(f"records/{place.record}" for place in self.jobs() if place.step not in LAST)

    def fingerprints(self, dataset: str) -> dict[str, list[str]]:
        """Return the short fingerprints that the jobs of a dataset have now: "step" or "step/loss" to one per fold or shard.

        With "" as dataset those of the jobs that belong to no dataset and come before the manifest.
        """
        found: dict[str, list[str]] = {}
        for place in self.jobs():
            if place.dataset == dataset and place.step not in LAST:
                job = self.job(place.step, place.dataset, place.loss, place.number)
                key = f"{place.step}/{place.loss}" if place.loss else place.step
                found.setdefault(key, []).append(job.fingerprint[:SHORT])
        return found

    def _manifest(self) -> tuple[dict[str, Any], list[Code]]:
        return {"records": self.records()}, []

    def _report_page(self) -> tuple[dict[str, Any], list[Code]]:
        described = [
            {
                "name": name,
                "label": dataset.label,
                "format": dataset.format,
                "synthetic": dataset.source == "phantom",
                "published": dataset.published,
                "losses": [entry | {"files": _own_code(entry)} for entry in map(self.loss_entry, self.losses(name))],
                "folds": len(self.folds(name)),
                "sweep": self.has_sweep(name),
                "protocol": self.protocol(name),
            }
            for name, dataset in self.datasets.items()
        ]
        study = self.config.study
        config = {"study": _plain(study, steering=True), "losses": {}, "datasets": {}}
        config["losses"] = {name: _plain(choice, steering=True) for name, choice in self.config.losses.items()}
        config["datasets"] = {name: _plain(dataset, steering=True) for name, dataset in self.datasets.items()}
        made = {name: self.fingerprints(name) for name in ("", *self.datasets)}
        return {"name": study.name, "title": study.title, "datasets": described, "config": config, "fingerprints": made}, []


def _several_gpus(dataset: Dataset) -> dict[str, int]:
    """Return the key `gpus` where it changes the result: none or one computes the same, several divide the batch."""
    gpus = dataset.training.gpus
    return {"gpus": gpus} if gpus > 1 else {}


def _fold_count(dataset: Dataset) -> int:
    division = dataset.cross_validation
    if division.table is not None:
        return folds_in(read_table(Path(division.table).expanduser()))
    return 1 if division.fixed is not None else division.folds


def _own_files(entry: Mapping[str, Any]) -> list[Path]:
    """Return the files of the user's own that a loss of the study needs."""
    files = map(losses.file_of, losses.needed(entry["loss"], entry["parameters"]))
    return [file for file in files if file is not None]


def _own_code(entry: Mapping[str, Any]) -> dict[str, str]:
    """Return what these files say, as digests, and not where they lie: a file that moves repeats nothing."""
    return {file.stem: source_digest(file) for file in _own_files(entry)}


def prepare_environment(root: Path) -> None:
    """Set the environment that the jobs of this process inherit.

    `python` is the one that runs Snakemake (behind a conda environment's own, when --sdm conda puts one in front), the package is
    that of this checkout wherever the work folder is, and WORKFLOW_LOCK names the lock for envs/workflow.post-deploy.sh.
    """
    os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(root), os.environ.get("PYTHONPATH")]))
    os.environ["WORKFLOW_LOCK"] = str(root / "envs" / "lock.txt")


def load(raw: Mapping[str, Any], origin: str = "the configuration") -> Plan:
    """Return the plan of a study.

    Raises Faults that names everything wrong with it: keys and values, unknown losses and parameters, unknown formats.
    """
    faults: list[str] = []
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


def _plain(section: Any, steering: bool = False) -> dict[str, Any]:
    """Return a section as plain data, without the keys that only steer a run unless asked for."""
    return {
        key: _without(value, steering)
        for key, value in section.model_dump(mode="json").items()
        if steering or key not in STEERING
    }


def _without(value: Any, steering: bool) -> Any:
    if isinstance(value, dict) and not steering:
        return {key: _without(inner, steering) for key, inner in value.items() if key not in STEERING}
    return value
