"""Settings and code of every job, on which its result depends.

Keys that only affect how a study runs (memory, time limits) are not included (`study/resources.py`).
"""

from collections.abc import Callable, Mapping
from typing import Any

from workflow_lib.datasets.formats import registry as formats
from workflow_lib.figures import registry as figures
from workflow_lib.losses import registry as losses
from workflow_lib.metrics import registry as metrics
from workflow_lib.networks.architectures import registry as architectures
from workflow_lib.optimisers import registry as optimisers
from workflow_lib.plan import result_settings
from workflow_lib.plan.job_id import JobId
from workflow_lib.plan.parts import Part, Planned, code_of, digest_of, seed_of
from workflow_lib.report import templates
from workflow_lib.study.settings import (
    cases_page,
    check,
    collect,
    evaluate,
    inspect,
    obtain,
    predict,
    preprocess,
    split,
    train,
)


def _obtain(plan: Planned, job: JobId) -> Part:
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
        axes=len(dataset.training.patch),
    )
    return Part(chosen, code_of(job, formats.FAMILY.module(dataset.format)))


def _inspect(plan: Planned, job: JobId) -> Part:
    return Part(inspect.Settings(dataset=job.dataset), code_of(job))


def _of_check(plan: Planned, job: JobId) -> dict[str, Any]:
    dataset = plan.dataset(job.dataset)
    keys = ("exclude", "require", "faulty", "field_of_view")
    grid = {"axes": len(dataset.training.patch), "orientation": dataset.preprocessing.orientation}
    return {"dataset": job.dataset} | grid | {key: getattr(dataset, key) for key in keys}


def _check(plan: Planned, job: JobId) -> Part:
    return Part(check.Settings(**_of_check(plan, job)), code_of(job))


def _cases_page(plan: Planned, job: JobId) -> Part:
    chosen = cases_page.Settings(
        **_of_check(plan, job),
        label=plan.dataset(job.dataset).label,
        seed=seed_of(plan, "figures", job.dataset),
        captions=digest_of([figures.describe("imbalance")]),
    )
    return Part(chosen, code_of(job, *templates.files(job.step)))


def _split(plan: Planned, job: JobId) -> Part:
    division = plan.dataset(job.dataset).cross_validation
    chosen = split.Settings(
        dataset=job.dataset,
        # The content of the user's table is part of the settings, as its digest.
        cross_validation=division.model_copy(update={"table": None}),
        seed=seed_of(plan, "folds", division.like or job.dataset),
        division_files=plan.division(job.dataset),
    )
    return Part(chosen, code_of(job))


def _preprocess(plan: Planned, job: JobId) -> Part:
    section = plan.dataset(job.dataset).preprocessing
    chosen = preprocess.Settings(dataset=job.dataset, preprocessing=section.science(), shard=job.number, shards=section.shards)
    return Part(chosen, code_of(job))


def _train(plan: Planned, job: JobId) -> Part:
    dataset, entry = plan.dataset(job.dataset), plan.loss_entry(job.loss)
    chosen = train.Settings(
        dataset=job.dataset,
        loss=train.Loss(name=job.loss, loss=entry.loss, parameters=entry.parameters, files=entry.own_code()),
        fold=job.number,
        # Without the loss: all losses of a fold start from the same weights and see the same patches.
        seed=seed_of(plan, "training", job.dataset, job.number),
        augmentation=dataset.augmentation,
        network=dataset.network,
        training=dataset.training.science(),
    )
    members = [
        architectures.FAMILY.module(dataset.network.architecture),
        optimisers.FAMILY.module(dataset.training.optimiser),
        *(losses.module(part) for part in entry.needed() if losses.file_of(part) is None),
    ]
    return Part(chosen, code_of(job, *entry.own_files(), *members))


def _predict(plan: Planned, job: JobId) -> Part:
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
    return Part(chosen, code_of(job, architectures.FAMILY.module(dataset.network.architecture)))


def _evaluate(plan: Planned, job: JobId) -> Part:
    dataset = plan.dataset(job.dataset)
    chosen = evaluate.Settings(
        dataset=job.dataset,
        loss=job.loss,
        fold=job.number,
        field_of_view=dataset.field_of_view,
        evaluation=dataset.evaluation,
        metrics=list(metrics.names()),
    )
    return Part(chosen, code_of(job, *map(metrics.module, metrics.names())))


def _collect(plan: Planned, job: JobId) -> Part:
    folds = len(plan.folds(job.dataset))
    return Part(collect.Settings(dataset=job.dataset, losses=plan.losses(job.dataset), folds=folds), code_of(job))


BUILDERS: Mapping[str, Callable[[Planned, JobId], Part]] = {
    "obtain": _obtain,
    "inspect": _inspect,
    "check": _check,
    "cases_page": _cases_page,
    "split": _split,
    "preprocess": _preprocess,
    "train": _train,
    "predict": _predict,
    "evaluate": _evaluate,
    "collect": _collect,
    **result_settings.BUILDERS,
}
"""Maps a step to the function that returns settings and code of its jobs."""
