# The study as a plan, and what all rules share.

import functools
import gc
import os
import re
from pathlib import Path

from snakemake.exceptions import WorkflowError
from snakemake.io import report as in_report  # at the start of a line, its own name is a keyword
from snakemake.settings.types import RerunTrigger

from workflow_lib.plan import changes
from workflow_lib.host import earlier_jobs
from workflow_lib.host import forwarding
from workflow_lib.host import gpus
from workflow_lib.plan import jobs as planning
from workflow_lib.base.errors import UserError
from workflow_lib.base.files import read_json
from workflow_lib.tables import published
from workflow_lib.training import attempts

# The graph of a large study is millions of objects that stay: searching them for garbage again and again takes a tenth of the
# time that it takes to plan.
gc.set_threshold(100_000, 50, 50)

ROOT = Path(workflow.basedir)
ENVIRONMENT = str(ROOT / "envs" / "workflow.yaml")

planning.prepare_environment(ROOT)

# In a job. A local run is the user's own: there Snakemake's word holds, that on SIGTERM it lets its jobs end.
if workflow.remote_exec:
    forwarding.pass_on()

try:
    PLAN = planning.load(config, "config.yaml" + "".join(f" + {file}" for file in workflow.overwrite_configfiles))
except UserError as error:
    raise WorkflowError(str(error)) from None

RESULTS = PLAN.results


wildcard_constraints:
    dataset="|".join(PLAN.datasets),
    loss="|".join(PLAN.all_losses()),
    fold=r"\d+",
    shard=r"\d+",


def step_command(paths, shown=False):
    """Return the shell command of a rule's step with its own paths.

    A failed step shows the end of its log; with `shown` all of it appears on the screen as it is written. The shell waits for a
    step that saves its state after a signal to both: without a trap it would die, and the job with it.
    """
    command = (
        "trap : TERM INT USR1; python -m workflow_lib.steps.{params.step} --settings {params.settings:q} --fingerprint {params.fingerprint}"
        " --workers {threads} --record {output.record:q}"
    )
    logged = " 2>&1 | tee {log:q}" if shown else " > {log:q} 2>&1 || {{ code=$?; tail -n 40 {log:q} >&2; exit $code; }}"
    return f"{command}{paths}{logged}"


FORMATS = {"csv": "CSV", "tex": "LaTeX", "svg": "SVG, for print", "png": "PNG"}
NAMES = {"pvalues": "p-values", "comparison_p": "comparison of p-values"}


def shown(pattern, kind, names, suffixes, dataset="{dataset}"):
    """Return outputs that Snakemake's own report shows, each with labels of its own; {name} and {suffix} stand in the pattern."""
    return [
        in_report(
            pattern.format(name=name, suffix=suffix),
            caption=f"../reports/captions/{kind}s.rst",
            category=f"{kind}s".capitalize(),
            labels={"dataset": dataset, kind: NAMES.get(name, name.replace("_", " ")), "format": FORMATS[suffix]},
        )
        for name in names
        for suffix in suffixes
    ]


def settings(step, **fixed):
    """Return a params function: the step's settings, as one line of JSON that Snakemake compares to decide what to rerun."""
    return lambda wildcards: _job(step, wildcards, fixed).settings


def fingerprint(step, **fixed):
    """Return a params function: the digest of the step's settings and of all code it can reach."""
    return lambda wildcards: _job(step, wildcards, fixed).fingerprint


def _job(step, wildcards, fixed):
    names = {**dict(wildcards), **fixed}
    number = int(names.get("fold", names.get("shard", 0)))
    return PLAN.job(step, names.get("dataset", ""), names.get("loss", ""), number)


def over_losses_and_folds(pattern):
    """Return an input function: the pattern for every loss and fold of the dataset."""
    return lambda wildcards: [
        pattern.format(dataset=wildcards.dataset, loss=loss, fold=fold)
        for loss in PLAN.losses(wildcards.dataset)
        for fold in PLAN.folds(wildcards.dataset)
    ]


def over_shards(pattern):
    """Return an input function: the pattern for every preprocessing job of the dataset."""
    return lambda wildcards: [pattern.format(dataset=wildcards.dataset, shard=shard) for shard in PLAN.shards(wildcards.dataset)]


def of_training(key):
    """Return a resource function: a value of the dataset's section `training`."""
    return lambda wildcards: getattr(PLAN.dataset(wildcards.dataset).training, key)


def growth(attempt):
    """Return by what a job that failed is given more: twice as much, then four times, and no more however often it fails."""
    return 2 ** min(attempt - 1, 2)


def growing(megabytes):
    """Return a resource function: memory that grows with the retries of a failed job."""
    return lambda wildcards, attempt: megabytes * growth(attempt)


def memory_of_training(wildcards, attempt):
    """Return the memory of a training in MB: more after an attempt that ran out of it, and no more after one that was stopped."""
    return of_training("memory_mb")(wildcards) * attempts.memory_factor(_attempts(wildcards), attempt - 1)


def minutes_of_training(wildcards):
    """Return the time limit of a training, which goes on from its checkpoint when it meets it."""
    training = PLAN.dataset(wildcards.dataset).training
    return attempts.time_limit(_attempts(wildcards), training.minutes, training.longest_minutes)


def _attempts(wildcards):
    return attempts.read(Path(RESULTS) / "checkpoints" / wildcards.dataset / wildcards.loss / f"fold_{wildcards.fold}")


def published_files(dataset):
    """Return the files with the published numbers that the dataset is held against."""
    name = PLAN.dataset(dataset).published
    return [os.path.relpath(file) for file in published.files(name)] if name else []


def templates(page):
    """Return the files that a page is made from: its template, those that this one names, style and script."""
    folder, found, waiting = ROOT / "reports" / "templates", {"style.css", "sort.js"}, [page]
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting += re.findall(r"{%-?\s*(?:include|import|extends|from)\s+[\"']([^\"']+)", (folder / name).read_text("utf-8"))
    return [os.path.relpath(folder / name) for name in sorted(found)]


@functools.cache
def _force_what_disagrees():
    if workflow.is_main_process and RerunTrigger.PARAMS in workflow.dag_settings.rerun_triggers:
        workflow.dag.forcefiles.update(path.as_posix() for path in changes.disagreeing(PLAN))


def no_input_but_records_compared(wildcards):
    """Return no input; have Snakemake run again what was made with other settings or code.

    Snakemake sees that itself, as long as it has its own records in .snakemake/. Where these are lost, or a job ended
    when Snakemake had been killed, it would compare times alone. An input function is the place, because it is asked
    while the graph of jobs is built and before it is decided which of them run.
    """
    _force_what_disagrees()
    return []


# Without this, a machine with a GPU and eight cores would start several trainings on that GPU; each job takes GPUs of its own
# (workflow_lib/host/gpus.py), as many at a time as there are. On CPUs trainings run one after the other: nobody counts the memory of
# a local run. A cluster has a number of jobs (--jobs), a local run has none; which executor it will be is not known yet when
# this is read.
if workflow.nodes is None:
    limits = {
        "gpu": max([1, len(gpus.visible()), *(PLAN.dataset(name).training.gpus for name in PLAN.datasets)]),
        "cpu_trainings": 1,
    }
    for name, limit in limits.items():
        if name not in workflow.global_resources:
            workflow.register_resource(name, limit)


def diverged_trainings():
    """Return the trainings of the study whose loss was no number any more, in words."""
    return [
        f"{loss} on {dataset}, fold {fold}"
        for dataset in PLAN.datasets
        for loss in PLAN.losses(dataset)
        for fold in PLAN.folds(dataset)
        for summary in [Path(RESULTS) / f"training/{dataset}/{loss}/fold_{fold}/training.json"]
        if summary.exists() and read_json(summary).get("diverged")
    ]


# When the head of a run begins to run jobs: not in the jobs, which start Snakemake again, nor where a plan alone is asked for.
onstart:
    try:
        earlier_jobs.refuse(workflow.executor_plugin.name, workflow.local_exec, RESULTS)
    except UserError as error:
        raise WorkflowError(str(error)) from None
    changes.remember_code(PLAN)


onsuccess:
    report = Path(RESULTS) / "report.html"
    if report.exists():
        print(f"\nReport: {report}")
    diverged = diverged_trainings()
    if diverged:
        number = "1 training" if len(diverged) == 1 else f"{len(diverged)} trainings"
        print(f"{number} diverged and left a gap in the report: {'; '.join(diverged)}. Each training.json says where.")


onerror:
    print("\nSome jobs failed; the lines above name each one and its log file. Run the same command again to continue.")
