# The study as a plan, and the functions that all rules share.

import functools
import gc
import os
import sys
from pathlib import Path

from snakemake.exceptions import WorkflowError
from snakemake.io import report as in_report  # renamed, because `report` at the start of a line is a keyword

from workflow_lib.base.errors import UserError
from workflow_lib.base.files import read_json
from workflow_lib.host import earlier_jobs, forwarding, gpus
from workflow_lib.host import snakemake as inner
from workflow_lib.plan import announcement, changes, estimates, starting, unused
from workflow_lib.plan import jobs as planning
from workflow_lib.provenance import layout, shown
from workflow_lib.study import reading
from workflow_lib.training import attempts

# The graph of a large study has millions of permanent objects: repeated garbage collection over them takes a tenth of the
# planning time.
gc.set_threshold(100_000, 50, 50)

ROOT = Path(workflow.basedir)
ENVIRONMENT = str(ROOT / "envs" / "workflow.yaml")

planning.prepare_environment(ROOT)

# Only in a job. A local run keeps Snakemake's documented behaviour: on SIGTERM it lets its jobs finish.
if inner.is_job(workflow):
    forwarding.pass_on()

try:
    reading.check_keys([Path(file) for file in inner.study_files(workflow)])
    OWN = inner.own_configuration(workflow)
    PLAN = planning.load(config, "config.yaml" + "".join(f" + {file}" for file in inner.study_files(workflow)), OWN)
except UserError as error:
    raise WorkflowError(str(error)) from None

# Printed, since --quiet would hide a message of Snakemake's.
if inner.is_head(workflow) and (warning := unused.warning(config, OWN)):
    print(warning, file=sys.stderr)

RESULTS = PLAN.results


wildcard_constraints:
    dataset="|".join(PLAN.datasets),
    loss="|".join(PLAN.all_losses()),
    fold=r"\d+",
    shard=r"\d+",


# workflow_lib/provenance/layout.py is the only description of the steps. reads(...), writes(...), logs(...), job(...) and
# command(...) take the files of a step from there.


def reads(step):
    """Return the inputs of a step by name. Inputs with several files per dataset are input functions."""
    return {name: _read(step, output) for name, output in layout.STEPS[step].reads.items() if output != layout.WHOLE}


def _read(step, output):
    """Return paths for Snakemake, or a function that lists all of them if the producing step has more jobs than this step."""
    if set(layout.STEPS[layout.maker(output)].of) <= set(layout.STEPS[step].of):
        paths = [f"{RESULTS}/{template}" for template in layout.templates(output)]
        return paths if len(paths) > 1 else paths[0]
    return lambda wildcards: PLAN.paths(output, wildcards.dataset)


def made(*outputs):
    """Return all files of the study that belong to some outputs ("step.output")."""
    return [path for output in outputs for path in PLAN.paths(output)]


def writes(step):
    """Return the outputs of a step by name, including its record, flagged if Snakemake's own report shows them."""
    this = layout.STEPS[step]
    outputs = {name: _written(step, name, paths) for name, paths in {**this.writes, **this.unrecorded}.items()}
    return outputs | {"record": f"{RESULTS}/{layout.record_template(step)}"}


def _written(step, name, paths):
    if name in layout.STEPS[step].folders:
        return directory(f"{RESULTS}/{paths[0]}")
    found = [_shown(path) for path in paths]
    return found if layout.several(step, name) else found[0]


def _shown(path):
    """Return the path of an output, flagged with its place in Snakemake's own report if it has one."""
    place = shown.place(path)
    if place is None:
        return f"{RESULTS}/{path}"
    caption = f"../reports/captions/{place.caption}.rst"
    return in_report(f"{RESULTS}/{path}", caption=caption, category=place.category, labels=dict(place.labels))


def logs(step):
    """Return the path of a step's log."""
    return f"{RESULTS}/{layout.log_template(step)}"


def benchmark_of(step):
    """Return the path of the benchmark file of a step (time and memory of its jobs), next to its log."""
    return f"{RESULTS}/{layout.log_template(step, 'tsv')}"


def job(step, **more):
    """Return the params of a step: settings and fingerprint, by which Snakemake decides which jobs to rerun, and `more`.

    The state of a training is not an output, because Snakemake deletes the outputs of a failed job, and the training resumes
    from it.
    """
    state = {name: f"{RESULTS}/{template}" for name, template in layout.STEPS[step].state.items()}
    return (
        {"step": step, "settings": lambda w: _job(step, w).settings, "fingerprint": lambda w: _job(step, w).fingerprint}
        | state
        | more
    )


def _job(step, wildcards):
    names = dict(wildcards)
    number = int(names.get(layout.unit(step), 0))
    return PLAN.job(step, names.get("dataset", ""), names.get("loss", ""), number)


def command(step, on_screen=False):
    """Return the shell command of a rule's step.

    A failed step shows the end of its log. With `on_screen` the output is also shown while it is written. If a signal reaches
    both the shell and the step, the shell must wait until the step has saved its state: without the trap it would terminate the
    job.
    """
    this = layout.STEPS[step]
    words = [
        "trap : TERM INT USR1; python -m workflow_lib.steps.{params.step} --settings {params.settings:q}",
        "--fingerprint {params.fingerprint} --workers {threads} --record {output.record:q}",
        *(_argument(name, "params" if output == layout.WHOLE else "input") for name, output in this.reads.items()),
        *(_argument(name, "params") for name in (*this.outside, *this.state)),
        *(_argument(name, "resources") for name in this.numbers),
        *(_argument(name, "params") for name in this.texts),
        *(_argument(name, "output") for name in (*this.writes, *this.unrecorded)),
    ]
    logged = "2>&1 | tee {log:q}" if on_screen else "> {log:q} 2>&1 || {{ code=$?; tail -n 40 {log:q} >&2; exit $code; }}"
    return " ".join([*words, logged])


def _argument(name, of):
    # Executors expect the resource under the name `gpu`.
    return f"--{name} {{{of}.{'gpu' if name == 'gpus' else name.replace('-', '_')}:q}}"


def of_training(key):
    """Return a resource function for a value in the dataset's section `training`."""
    return lambda wildcards: getattr(PLAN.dataset(wildcards.dataset).training, key)


def growth(attempt):
    """Return the factor of the resources of a failed job: 2, then 4 for all further attempts."""
    return 2 ** min(attempt - 1, 2)


def growing(megabytes):
    """Return a resource function for memory that grows with the retries of a failed job."""
    return lambda wildcards, attempt: megabytes * growth(attempt)


def memory_of_training(wildcards, attempt):
    """Return the memory of a training in MB. It only grows after an attempt that ran out of memory."""
    return of_training("memory_mb")(wildcards) * attempts.memory_factor(_attempts(wildcards), attempt - 1)


def minutes_of_training(wildcards):
    """Return the time limit of a training. A training that reaches it resumes from its checkpoint."""
    training = PLAN.dataset(wildcards.dataset).training
    return attempts.time_limit(_attempts(wildcards), training.minutes, training.longest_minutes)


def _attempts(wildcards):
    return attempts.read(Path(RESULTS) / layout.state("train", "checkpoints", wildcards.dataset, wildcards.loss, wildcards.fold))


@functools.cache
def _decide_what_runs():
    if not (inner.is_head(workflow) and inner.compares_settings(workflow)):
        return
    try:
        places = starting.jobs(PLAN, *inner.forced(workflow), say=inner.say)
    except UserError as error:
        inner.stop(f"\n{error}\n")
    inner.run_only(workflow, {f"{RESULTS}/{place.record}" for place in places})


def no_input_but_results_compared(wildcards):
    """Return no input; decide which jobs have to run.

    Snakemake would decide by dates and by its own records in .snakemake/; here the content of the results and their records
    decide. An input function is the place, because it is called while the graph of jobs is built and before it is decided which
    of them run.
    """
    _decide_what_runs()
    return []


# Without this limit, a machine with one GPU and eight cores would start several trainings on that GPU. Each job takes different
# GPUs (workflow_lib/host/gpus.py), so as many jobs run simultaneously as there are GPUs. On CPUs trainings run one after the
# other, because a local run does not limit memory. The executor is not known yet at this point.
if inner.is_local(workflow):
    inner.limit(workflow, "gpu", max([1, len(gpus.visible()), *(PLAN.dataset(name).training.gpus for name in PLAN.datasets)]))
    inner.limit(workflow, "cpu_trainings", 1)


def diverged_trainings():
    """Return the diverged trainings of the study, in words."""
    return [
        f"{place.loss} on {place.dataset}, fold {place.number}"
        for place in PLAN.jobs()
        if place.step == "train"
        for summary in [Path(RESULTS) / layout.path("train.summary", place.dataset, place.loss, place.number)]
        if summary.exists() and read_json(summary).get("diverged")
    ]


def announce():
    """Print what a run that takes long trains, what that costs, and how to stop it; --quiet does not hide it."""
    # Imported here: no job needs it.
    from workflow_lib.commands.preview import epochs_done

    trainings = [
        planning.JobId("train", found["dataset"], found["loss"], int(found["fold"])) for found in inner.planned(workflow, "train")
    ]
    order = {place: number for number, place in enumerate(PLAN.jobs())}
    trainings.sort(key=order.__getitem__)
    here = inner.runs_here(workflow)
    usable = not here or bool(gpus.visible())
    done = {place: epochs_done(PLAN, place) for place in trainings}
    said = announcement.text(PLAN, trainings, list(estimates.paces(PLAN)), done, usable, not here)
    if said:
        print(f"\n{said}\n", flush=True)


# When the head process starts to run jobs: not in the jobs, which start Snakemake again, and not in a dry run.
onstart:
    try:
        earlier_jobs.refuse(inner.executor(workflow), inner.runs_here(workflow), RESULTS)
    except UserError as error:
        raise WorkflowError(str(error)) from None
    changes.remember_code(PLAN)
    announce()


onsuccess:
    for line in starting.left(PLAN):
        print(line)
    report = Path(RESULTS) / layout.path("report_page.page")
    if report.exists():
        print(f"\nReport: {report}")
    diverged = diverged_trainings()
    if diverged:
        number = "1 training" if len(diverged) == 1 else f"{len(diverged)} trainings"
        print(f"{number} diverged and left a gap in the report: {'; '.join(diverged)}. Each training.json says where.")


onerror:
    print("\nSome jobs failed; the lines above name each one and its log file. Run the same command again to continue.")
