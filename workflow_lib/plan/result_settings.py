"""Settings and code of the jobs that make tables, figures and the report from the scores."""

import dataclasses
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from workflow_lib.base.families import Listed
from workflow_lib.figures import registry as figures
from workflow_lib.figures.looks import look_numbers
from workflow_lib.losses import registry as losses
from workflow_lib.metrics import registry as metrics
from workflow_lib.plan.data import frozen
from workflow_lib.plan.job_id import JobId
from workflow_lib.plan.parts import Part, Planned, code_of, digest_of, plain, seed_of
from workflow_lib.report import templates
from workflow_lib.statistics import registry as statistics
from workflow_lib.study.config import Dataset
from workflow_lib.study.settings import (
    figures_dataset,
    figures_losses,
    figures_sweep,
    manifest,
    report_page,
    tables,
)
from workflow_lib.study.settings import statistics as statistics_settings
from workflow_lib.tables import published
from workflow_lib.tables import registry as table_family

HERE_ONLY = {"label", "root", "url", "figure_case", "losses", "groups", "files", "changed_data"}
"""Keys of a dataset that are not part of a protocol: locations of files, and names."""


def _statistics(plan: Planned, job: JobId) -> Part:
    section = plan.dataset(job.dataset).statistics.model_dump()
    over = "folds" if len(plan.folds(job.dataset)) > 1 else "cases"
    chosen = statistics_settings.Settings(
        dataset=job.dataset,
        losses=plan.losses(job.dataset),
        statistics=statistics_settings.Chosen(**section, interval_over=over),
        seed=seed_of(plan, "statistics", job.dataset),
    )
    return Part(chosen, code_of(job, *statistics.FAMILY.modules()))


def _tables(plan: Planned, job: JobId) -> Part:
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
    return Part(chosen, code_of(job, *table_family.FAMILY.modules(), *further, *_published(dataset)))


def _figures_losses(plan: Planned, job: JobId) -> Part:
    trained: dict[str, losses.Node] = {}
    for name in plan.all_losses():
        entry = plan.loss_entry(name)
        parts = [part for part, _ in losses.components(entry.loss, entry.parameters)]
        node = losses.node(entry.loss)
        if parts:
            # A composed loss is a separate node, even if the study gives it the name of a registered loss.
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
    return Part(chosen, code_of(job, *figures.FAMILY.modules(figures.of_losses()), *map(losses.module, shown)))


def _figures_dataset(plan: Planned, job: JobId) -> Part:
    dataset = plan.dataset(job.dataset)
    entries = [plan.loss_entry(loss) for loss in plan.losses(job.dataset)]
    chosen = figures_dataset.Settings(
        dataset=job.dataset,
        label=dataset.label,
        losses=[figures_dataset.Named(name=entry.name, label=entry.label) for entry in entries],
        colours=_looks(plan, job.dataset),
        figure_case=dataset.figure_case,
        field_of_view=dataset.field_of_view,
        # CT images are shown in the soft-tissue window. They are recognised by clipping in HU.
        ct=dataset.preprocessing.clip is not None,
        seed=seed_of(plan, "figures", job.dataset),
    )
    return Part(chosen, code_of(job, *figures.FAMILY.modules(figures.of_dataset())))


def _figures_sweep(plan: Planned, job: JobId) -> Part:
    entries = [plan.loss_entry(loss) for loss in plan.losses(job.dataset)]
    chosen = figures_sweep.Settings(
        dataset=job.dataset,
        label=plan.dataset(job.dataset).label,
        losses=[entry.plain for entry in entries],
        titles={entry.loss: losses.get(entry.loss).LABEL for entry in entries},
        colours=_looks(plan, job.dataset),
    )
    return Part(chosen, code_of(job, *figures.FAMILY.modules(figures.of_sweep())))


def _manifest(plan: Planned, job: JobId) -> Part:
    return Part(manifest.Settings(records=plan.records()), code_of(job))


def _report_page(plan: Planned, job: JobId) -> Part:
    study, config = plan.config.study, plan.config
    whole = {
        "study": study.science(),
        "losses": {name: plain(choice) for name, choice in config.losses.items()},
        "datasets": {name: plain(dataset) for name, dataset in plan.datasets.items()},
    }
    # The descriptions of members for the page are not code of the steps that make the results.
    said: list[figures.Figure | Listed] = [*table_family.files(), *statistics.files(), *figures.described(*figures.STEPS)]
    chosen = report_page.Settings(
        name=study.name,
        title=study.title,
        datasets=[_reported(plan, name, dataset) for name, dataset in plan.datasets.items()],
        config=whole,
        fingerprints={name: plan.fingerprints(name) for name in ("", *plan.datasets)},
        captions=digest_of(said),
    )
    numbers = [file for dataset in plan.datasets.values() for file in _published(dataset)]
    return Part(chosen, code_of(job, *templates.files(job.step), *numbers))


def _published(dataset: Dataset) -> list[Path]:
    """Return the files with the published numbers that a dataset is compared with."""
    return published.files(dataset.published) if dataset.published else []


def protocol(plan: Planned, name: str) -> dict[str, Any]:
    """Return everything about a dataset that a published protocol can be compared with."""
    dataset = plan.dataset(name)
    science = {"training": plain(dataset.training.science()), "preprocessing": plain(dataset.preprocessing.science())}
    shared = {key: value for key, value in (plain(dataset) | science).items() if key not in HERE_ONLY}
    files = {"division_files": plan.division(name)} if plan.division(name) else {}
    return shared | {"losses": [plan.loss_entry(loss).plain for loss in plan.losses(name)]} | files


def _reported(plan: Planned, name: str, dataset: Dataset) -> report_page.Reported:
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
        frozen=frozen(plan, name),
    )


def _looks(plan: Planned, name: str) -> dict[str, int]:
    """Return the number of the look of each of a dataset's losses: the same in all figures, and no word of other losses."""
    numbers = look_numbers(plan.all_losses())
    return {loss: numbers[loss] for loss in plan.losses(name)}


BUILDERS: Mapping[str, Callable[[Planned, JobId], Part]] = {
    "statistics": _statistics,
    "tables": _tables,
    "figures_losses": _figures_losses,
    "figures_dataset": _figures_dataset,
    "figures_sweep": _figures_sweep,
    "manifest": _manifest,
    "report_page": _report_page,
}
"""Maps a step to the function that returns settings and code of its jobs."""
