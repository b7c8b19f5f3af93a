"""Settings and code of every job: what its result depends on, and nothing else.

Snakemake compares the settings, as one line of JSON, to decide what to run again. Keys that only steer a run (memory, time
limits, shards) are no part of them (`study/resources.py`).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from workflow_lib.base.families import Listed
from workflow_lib.base.files import canonical_json, sha256_text
from workflow_lib.base.seeds import derive
from workflow_lib.datasets.formats import registry as formats
from workflow_lib.figures import registry as figures
from workflow_lib.figures.looks import look_numbers
from workflow_lib.losses import registry as losses
from workflow_lib.metrics import registry as metrics
from workflow_lib.networks.architectures import registry as architectures
from workflow_lib.optimisers import registry as optimisers
from workflow_lib.statistics import registry as statistics
from workflow_lib.study.config import Dataset
from workflow_lib.study.sections._section import Section
from workflow_lib.study.settings import (
    cases_page,
    check,
    collect,
    evaluate,
    figures_dataset,
    figures_losses,
    figures_sweep,
    inspect,
    manifest,
    obtain,
    predict,
    preprocess,
    report_page,
    split,
    tables,
    train,
)
from workflow_lib.study.settings import statistics as statistics_settings
from workflow_lib.tables import published
from workflow_lib.tables import registry as table_family

if TYPE_CHECKING:
    from workflow_lib.plan.jobs import JobId, Plan

HERE_ONLY = {"label", "root", "url", "figure_case", "losses", "groups", "files"}
"""Keys of a dataset that say nothing about a protocol: where its files are, and what things are called."""

Code = str | Path
"""A module of the package, or a loss file of the user's own, that a step's result depends on."""


@dataclass(frozen=True)
class Part:
    """The settings of a job, and the code of its step."""

    settings: Section
    code: Sequence[Code]

    @property
    def plain(self) -> dict[str, Any]:
        """The settings as plain data."""
        return self.settings.model_dump(mode="json")


def _obtain(plan: Plan, job: JobId) -> Part:
    dataset = plan.dataset(job.dataset)
    chosen = obtain.Settings(
        dataset=job.dataset,
        format=dataset.format,
        source=dataset.source,
        root=dataset.root,
        url=dataset.url,
        channels=dataset.channels,
        files=dataset.files,
        phantom=dataset.phantom,
    )
    return Part(chosen, _code(job, formats.FAMILY.module(dataset.format)))


def _inspect(plan: Plan, job: JobId) -> Part:
    return Part(inspect.Settings(dataset=job.dataset), _code(job))


def _of_check(plan: Plan, job: JobId) -> dict[str, Any]:
    dataset = plan.dataset(job.dataset)
    keys = ("exclude", "require", "faulty", "field_of_view")
    return {"dataset": job.dataset, "axes": len(dataset.training.patch)} | {key: getattr(dataset, key) for key in keys}


def _check(plan: Plan, job: JobId) -> Part:
    return Part(check.Settings(**_of_check(plan, job)), _code(job))


def _cases_page(plan: Plan, job: JobId) -> Part:
    chosen = cases_page.Settings(
        **_of_check(plan, job),
        label=plan.dataset(job.dataset).label,
        seed=_seed(plan, "figures", job.dataset),
        captions=_digest([figures.describe("imbalance")]),
    )
    return Part(chosen, _code(job))


def _split(plan: Plan, job: JobId) -> Part:
    division = plan.dataset(job.dataset).cross_validation
    chosen = split.Settings(
        dataset=job.dataset,
        # What the user's own table says counts, by its digest.
        cross_validation=division.model_copy(update={"table": None}),
        seed=_seed(plan, "folds", division.like or job.dataset),
        division_files=plan.division(job.dataset),
    )
    return Part(chosen, _code(job))


def _preprocess(plan: Plan, job: JobId) -> Part:
    section = plan.dataset(job.dataset).preprocessing
    chosen = preprocess.Settings(dataset=job.dataset, preprocessing=section.science(), shard=job.number, shards=section.shards)
    return Part(chosen, _code(job))


def _train(plan: Plan, job: JobId) -> Part:
    dataset, entry = plan.dataset(job.dataset), plan.loss_entry(job.loss)
    chosen = train.Settings(
        dataset=job.dataset,
        loss=train.Loss(name=job.loss, loss=entry.loss, parameters=entry.parameters, files=entry.own_code()),
        fold=job.number,
        # Without the loss: all losses of a fold start from the same weights and see the same patches.
        seed=_seed(plan, "training", job.dataset, job.number),
        augmentation=dataset.augmentation,
        network=dataset.network,
        training=dataset.training.science(),
    )
    members = [
        architectures.FAMILY.module(dataset.network.architecture),
        optimisers.FAMILY.module(dataset.training.optimiser),
        *(losses.module(part) for part in entry.needed() if losses.file_of(part) is None),
    ]
    return Part(chosen, _code(job, *entry.own_files(), *members))


def _predict(plan: Plan, job: JobId) -> Part:
    dataset = plan.dataset(job.dataset)
    chosen = predict.Settings(
        dataset=job.dataset,
        loss=job.loss,
        fold=job.number,
        patch=dataset.training.patch,
        threads=dataset.training.threads,
        deterministic=dataset.training.deterministic,
        network=dataset.network,
        prediction=dataset.prediction,
        preprocessing=dataset.preprocessing.science(),
    )
    return Part(chosen, _code(job, architectures.FAMILY.module(dataset.network.architecture)))


def _evaluate(plan: Plan, job: JobId) -> Part:
    dataset = plan.dataset(job.dataset)
    chosen = evaluate.Settings(
        dataset=job.dataset,
        loss=job.loss,
        fold=job.number,
        field_of_view=dataset.field_of_view,
        evaluation=dataset.evaluation,
        metrics=list(metrics.names()),
    )
    return Part(chosen, _code(job, *map(metrics.module, metrics.names())))


def _collect(plan: Plan, job: JobId) -> Part:
    folds = len(plan.folds(job.dataset))
    return Part(collect.Settings(dataset=job.dataset, losses=plan.losses(job.dataset), folds=folds), _code(job))


def _statistics(plan: Plan, job: JobId) -> Part:
    section = plan.dataset(job.dataset).statistics.model_dump()
    over = "folds" if len(plan.folds(job.dataset)) > 1 else "cases"
    chosen = statistics_settings.Settings(
        dataset=job.dataset,
        losses=plan.losses(job.dataset),
        statistics=statistics_settings.Chosen(**section, interval_over=over),
        seed=_seed(plan, "statistics", job.dataset),
    )
    return Part(chosen, _code(job, *statistics.FAMILY.modules()))


def _tables(plan: Plan, job: JobId) -> Part:
    dataset = plan.dataset(job.dataset)
    chosen = tables.Settings(
        dataset=job.dataset,
        label=dataset.label,
        published=dataset.published,
        synthetic=dataset.source == "phantom",
        protocol=protocol(plan, job.dataset),
    )
    # Further metrics that the published claims are about; the paper's own are imported by name.
    one = published.load(dataset.published)
    further = [metrics.module(metric) for metric in (one.metrics if one is not None else ())]
    return Part(chosen, _code(job, *table_family.FAMILY.modules(), *further))


def _figures_losses(plan: Plan, job: JobId) -> Part:
    trained: dict[str, losses.Node] = {}
    for name in plan.all_losses():
        entry = plan.loss_entry(name)
        parts = [part for part, _ in losses.components(entry.loss, entry.parameters)]
        node = losses.node(entry.loss)
        if parts:
            # A composed loss is one of its own, also where the study calls it like one of the registry's.
            node = losses.Node(f"{name}: composed", entry.label, node.family, tuple(dict.fromkeys(parts)))
        trained[node.name] = node
    bases = losses.with_components(base for node in trained.values() for base in node.built_from)
    nodes = {base: losses.node(base) for base in bases} | trained
    shown = figures.losses_shown()
    chosen = figures_losses.Settings(
        trained=sorted(trained),
        losses=[dataclasses.asdict(nodes[name]) for name in sorted(nodes)],
        curves={name: [losses.get(name).LABEL, *losses.curves(name)] for name in shown},
    )
    return Part(chosen, _code(job, *figures.FAMILY.modules(figures.of_losses()), *map(losses.module, shown)))


def _figures_dataset(plan: Plan, job: JobId) -> Part:
    dataset = plan.dataset(job.dataset)
    entries = [plan.loss_entry(loss) for loss in plan.losses(job.dataset)]
    chosen = figures_dataset.Settings(
        dataset=job.dataset,
        label=dataset.label,
        losses=[figures_dataset.Named(name=entry.name, label=entry.label) for entry in entries],
        colours=_looks(plan, job.dataset),
        figure_case=dataset.figure_case,
        field_of_view=dataset.field_of_view,
        # A CT is shown in the soft-tissue window; clipping in HU is what tells a CT from an MRI here.
        ct=dataset.preprocessing.clip is not None,
        seed=_seed(plan, "figures", job.dataset),
    )
    return Part(chosen, _code(job, *figures.FAMILY.modules(figures.of_dataset())))


def _figures_sweep(plan: Plan, job: JobId) -> Part:
    entries = [plan.loss_entry(loss) for loss in plan.losses(job.dataset)]
    chosen = figures_sweep.Settings(
        dataset=job.dataset,
        label=plan.dataset(job.dataset).label,
        losses=[entry.plain for entry in entries],
        titles={entry.loss: losses.get(entry.loss).LABEL for entry in entries},
        colours=_looks(plan, job.dataset),
    )
    return Part(chosen, _code(job, *figures.FAMILY.modules(figures.of_sweep())))


def _manifest(plan: Plan, job: JobId) -> Part:
    return Part(manifest.Settings(records=plan.records()), _code(job))


def _report_page(plan: Plan, job: JobId) -> Part:
    study, config = plan.config.study, plan.config
    plain = {
        "study": _plain(study),
        "losses": {name: _plain(choice) for name, choice in config.losses.items()},
        "datasets": {name: _plain(dataset) for name, dataset in plan.datasets.items()},
    }
    # What the members of the families say of themselves for the page is no code of the steps that make the results.
    said: list[figures.Figure | Listed] = [*table_family.files(), *statistics.files(), *figures.described(*figures.STEPS)]
    chosen = report_page.Settings(
        name=study.name,
        title=study.title,
        datasets=[_reported(plan, name, dataset) for name, dataset in plan.datasets.items()],
        config=plain,
        fingerprints={name: plan.fingerprints(name) for name in ("", *plan.datasets)},
        captions=_digest(said),
    )
    return Part(chosen, _code(job))


BUILDERS: Mapping[str, Callable[[Plan, JobId], Part]] = {
    "obtain": _obtain,
    "inspect": _inspect,
    "cases_page": _cases_page,
    "check": _check,
    "split": _split,
    "preprocess": _preprocess,
    "train": _train,
    "predict": _predict,
    "evaluate": _evaluate,
    "collect": _collect,
    "statistics": _statistics,
    "tables": _tables,
    "figures_dataset": _figures_dataset,
    "figures_sweep": _figures_sweep,
    "figures_losses": _figures_losses,
    "manifest": _manifest,
    "report_page": _report_page,
}
"""Step to what makes the settings and names the code of its jobs."""


def protocol(plan: Plan, name: str) -> dict[str, Any]:
    """Return everything about a dataset that a published protocol can be compared with."""
    dataset = plan.dataset(name)
    science = {"training": _plain(dataset.training.science()), "preprocessing": _plain(dataset.preprocessing.science())}
    shared = {key: value for key, value in (_plain(dataset) | science).items() if key not in HERE_ONLY}
    files = {"division_files": plan.division(name)} if plan.division(name) else {}
    return shared | {"losses": [plan.loss_entry(loss).plain for loss in plan.losses(name)]} | files


def _reported(plan: Plan, name: str, dataset: Dataset) -> report_page.Reported:
    entries = [plan.loss_entry(loss) for loss in plan.losses(name)]
    return report_page.Reported(
        name=name,
        label=dataset.label,
        format=dataset.format,
        synthetic=dataset.source == "phantom",
        published=dataset.published,
        losses=[entry.plain | {"files": entry.own_code()} for entry in entries],
        folds=len(plan.folds(name)),
        sweep=plan.has_sweep(name),
        protocol=protocol(plan, name),
    )


def _code(job: JobId, *further: Code) -> list[Code]:
    return [f"workflow_lib.steps.{job.step}", *further]


def _seed(plan: Plan, *parts: str | int) -> int:
    return derive(plan.config.study.seed, *parts)


def _looks(plan: Plan, name: str) -> dict[str, int]:
    """Return the number of the look of each of a dataset's losses: the same in all figures, and no word of other losses."""
    numbers = look_numbers(plan.all_losses())
    return {loss: numbers[loss] for loss in plan.losses(name)}


def _digest(said: Sequence[figures.Figure | Listed]) -> str:
    """Return the digest of what members of the families say of themselves."""
    return sha256_text(canonical_json([dataclasses.asdict(item) for item in said]))


def _plain(section: Section) -> dict[str, Any]:
    return section.model_dump(mode="json")
