"""Show what a run would do and why, and estimate the cost of its trainings.

    whichloss preview                                         the study of config.yaml
    whichloss preview --configfile studies/demo.yaml          another one, as for snakemake
    whichloss preview --verify                                read every result again, whatever its dates are
    whichloss preview -- --forcerun tables                    options after -- are passed on to snakemake; options that
                                                              choose another study are refused

The jobs are determined by `snakemake --summary`, the reasons by the records in the results. Nothing is changed.
"""

import argparse
import contextlib
import csv
import os
import re
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from workflow_lib.base.checkout import require_study_folder
from workflow_lib.base.errors import UserError
from workflow_lib.base.files import read_json
from workflow_lib.commands.trainings import read_plan, read_study
from workflow_lib.host import gpus
from workflow_lib.host import snakemake as inner
from workflow_lib.plan import changes, estimates, stale, starting, unused
from workflow_lib.plan.jobs import JobId, Plan
from workflow_lib.provenance import layout
from workflow_lib.steps.train import INPUTS, folder_name, with_inputs
from workflow_lib.training import checkpoints

SUMMARY = "show what a run would do, why, and its cost"
EXAMPLE = "whichloss preview --configfile studies/demo.yaml"

NAMES = {
    "obtain": "find or download {}",
    "inspect": "read every case of {}",
    "cases_page": "show the cases of {}",
    "check": "decide which cases of {} are used",
    "split": "divide {}",
    "preprocess": "preprocess {}",
    "train": "train on {}",
    "predict": "predict {}",
    "evaluate": "score {}",
    "collect": "collect the scores of {}",
    "statistics": "statistics of {}",
    "tables": "tables of {}",
    "figures_dataset": "figures of {}",
    "figures_sweep": "figure of the sweep of {}",
    "figures_losses": "figures of the losses",
    "manifest": "manifest",
    "report_page": "report",
}
"""What a step does to a dataset, in words."""

AFTER = (
    "predict",
    "evaluate",
    "collect",
    "statistics",
    "tables",
    "figures_dataset",
    "figures_sweep",
    "figures_losses",
    "manifest",
    "report_page",
)
"""Steps that depend on trainings."""

REASONS_SHOWN = 3

CHOOSING = ("config", "configfile", "replace_workflow_config", "directory", "snakefile")
"""Options of Snakemake that choose the study or its folder, as its parser names them."""


@dataclass(frozen=True)
class Planned:
    """A job that Snakemake would run, with its missing files and the differences from its record, if any."""

    place: JobId
    missing: tuple[str, ...] = ()
    reasons: tuple[str, ...] = ()


@dataclass
class Group:
    """Trainings on one dataset with the same reason, and the epoch from which they continue."""

    dataset: str
    reasons: tuple[str, ...]
    done: int
    places: list[JobId] = field(default_factory=list)


def planned(plan: Plan, summary: str, reasons: Mapping[JobId, Sequence[str]]) -> list[Planned]:
    """Return the jobs that would run, from the output of `snakemake --summary`, in the order of the study.

    `reasons`: why results cannot stay, from `stale.survey`.
    """
    lines = summary.splitlines()
    # Snakemake may print messages before the table.
    head = next((number for number, line in enumerate(lines) if line.startswith("output_file\t")), len(lines))
    records = {f"{plan.results}/{place.record}": place.record for place in plan.jobs()}
    missing: dict[str, tuple[str, ...]] = {}
    of_one_job: list[str] = []
    for row in csv.DictReader(lines[head:], delimiter="\t", quoting=csv.QUOTE_NONE):
        file = row["output_file"]
        # The outputs of a job are consecutive rows. Its record is the last one.
        of_one_job += [file] if row["status"] == "missing" else []
        if file in records:
            if row["plan"] == "update pending":
                missing[records[file]] = tuple(of_one_job)
            of_one_job = []
    return [
        Planned(place, missing[place.record], tuple(reasons.get(place, ()))) for place in plan.jobs() if place.record in missing
    ]


def groups(plan: Plan, jobs: Iterable[Planned]) -> list[Group]:
    """Return the planned trainings, grouped by dataset, reason and the epoch from which they continue."""
    found: dict[tuple[str, tuple[str, ...], int], Group] = {}
    for job in jobs:
        if job.place.step == "train":
            reasons = tuple(map(_of_a_loss, job.reasons)) or _missing(job) or ("its data changed or are made again",)
            done = epochs_done(plan, job.place)
            key = job.place.dataset, reasons, done
            found.setdefault(key, Group(*key)).places.append(job.place)
    return list(found.values())


def _of_a_loss(reason: str) -> str:
    return re.sub(r"^loss\.parameters\.", "parameter ", reason)


def _missing(job: Planned) -> tuple[str, ...]:
    if not job.missing:
        return ()
    more = f" and {len(job.missing) - 1} more" if len(job.missing) > 1 else ""
    return (f"output missing: {job.missing[0]}{more}",)


def epochs_done(plan: Plan, place: JobId) -> int:
    """Return the number of epochs that need not be repeated, because a checkpoint of this or a shorter training exists."""
    try:
        inputs = read_json(Path(plan.results) / place.record)["inputs"]
        digests = {name: [entry["sha256"] for entry in inputs[name]] for name in INPUTS}
    except (UserError, KeyError, TypeError):
        return 0
    lineage = with_inputs(plan.lineage(place.dataset, place.loss, place.number), digests)
    state = layout.state("train", "checkpoints", place.dataset, place.loss, place.number)
    folder = Path(plan.results) / state / folder_name(lineage)
    return checkpoints.kept_epochs(folder, plan.dataset(place.dataset).training.epochs)


def text(plan: Plan, jobs: Sequence[Planned], gpus_usable: bool = True) -> str:
    """Return the jobs with their reasons and costs as text. `gpus_usable` as in `estimates.cost`."""
    if not jobs:
        return f"{plan.results}: nothing to do; every result is there, and of these settings and this code."
    known = list(estimates.paces(plan))
    # Their results may have been made on a cluster.
    gpus_usable = gpus_usable or any(pace.on_gpu for pace in known)
    trainings = groups(plan, jobs)
    lines = [f"{plan.results}:", ""]
    lines += [f"  {line}" for line in _other_lines(plan, (job for job in jobs if job.place.step not in (*AFTER, "train")))]
    for group in trainings:
        cost = estimates.cost(plan, group.places, known, dict.fromkeys(group.places, group.done), gpus_usable)
        lines.append(f"  {_head(plan, group)}: {count(len(group.places), 'training')} on {group.dataset}, {cost.text}")
    after = [job for job in jobs if job.place.step in AFTER]
    if trainings:
        lines += [f"  then {_counts(after)}"] if after else []
    else:
        lines += [f"  {line}" for line in _other_lines(plan, after)]
    everything = len(jobs) == len(list(plan.jobs()))
    lines += ["", f"{count(len(jobs), 'job')}{': the whole study' if everything else '; nothing else'}."]
    done = {place: group.done for group in trainings for place in group.places}
    if len(trainings) > 1:
        lines[-1] += f" All trainings: {estimates.cost(plan, list(done), known, done, gpus_usable).text}."
    on_gpus = estimates.cost(plan, list(done), known, done) if done and not gpus_usable else None
    if on_gpus is not None and on_gpus.gpu_hours:
        lines += [
            f"This machine has no visible GPU, so hours of CPUs are counted. On GPUs: {on_gpus.hours_text} ({on_gpus.basis})."
        ]
    return "\n".join(lines)


def gets_gpus(files: Sequence[Path], more: Sequence[str]) -> bool:
    """Say whether trainings that ask for a GPU get one: on a cluster, or from this machine. `more`: the options for Snakemake."""
    return as_snakemake_reads(files, more).get("executor") not in (None, "local") or bool(gpus.visible())


def _head(plan: Plan, group: Group) -> str:
    """Return what is done with which losses, and why."""
    losses = list(dict.fromkeys(place.loss for place in group.places))
    named = ", ".join(losses) if len(losses) <= REASONS_SHOWN else f"{len(losses)} losses"
    if group.reasons == (changes.NEVER,):
        others = any((Path(plan.results) / place.record).exists() for place in plan.jobs_of("train", group.dataset))
        return f"add {named}" if others else f"train {named}"
    verb = f"continue {named} from epoch {group.done}" if group.done else f"repeat {named}"
    return f"{verb} ({_said(group.reasons)})"


def _said(reasons: Sequence[str]) -> str:
    more = len(reasons) - REASONS_SHOWN
    return "; ".join(reasons[:REASONS_SHOWN]) + (f"; and {more} more" if more > 0 else "")


def _other_lines(plan: Plan, jobs: Iterable[Planned]) -> Iterator[str]:
    """Yield one line per step and reason, with its datasets. Lines on predictions and scores also name the losses."""
    found: dict[tuple[str, tuple[str, ...]], list[Planned]] = {}
    for job in jobs:
        reasons = job.reasons or _missing(job) or ("follows from the above",)
        found.setdefault((job.place.step, reasons), []).append(job)
    for (step, reasons), several in found.items():
        subjects = dict.fromkeys(" ".join(filter(None, (job.place.dataset, job.place.loss))) for job in several)
        jobs_of = f", {count(len(several), 'job')}" if len(several) > len(subjects) else ""
        yield f"{NAMES[step].format(', '.join(subjects))}{jobs_of} ({_said(reasons)})"


def _counts(jobs: Sequence[Planned]) -> str:
    """Return in words the number of the following jobs of each step."""
    words = {"predict": "prediction", "evaluate": "score"}
    parts = []
    for step in AFTER:
        number = sum(job.place.step == step for job in jobs)
        if number and step in words:
            parts.append(count(number, words[step]))
        elif number:
            datasets = ", ".join(job.place.dataset for job in jobs if job.place.step == step)
            parts.append(NAMES[step].format(datasets))
    return ", ".join(parts)


def count(number: int, noun: str) -> str:
    """Return a number with its noun in singular or plural."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


def refuse_another_study(files: Sequence[Path], more: Sequence[str]) -> None:
    """Raise UserError if options make Snakemake use another study than `files`, whose records would not match the plan.

    `more`: the options for Snakemake, which may include a profile.
    """
    expected: dict[str, Any] = {"configfile": list(files)}
    found = as_snakemake_reads(files, more)
    options = [f"--{name.replace('_', '-')}" for name in CHOOSING if (found.get(name) or None) != (expected.get(name) or None)]
    if options:
        raise UserError(
            f"{' and '.join(options)} {'chooses' if len(options) == 1 else 'choose'} the study or where it lies, and after -- or "
            "in a profile only Snakemake would know of it. Put what --config would say into a study file, and name study files "
            "with --configfile before the --; for another folder or another Snakefile, call this in that folder."
        )


def as_snakemake_reads(files: Sequence[Path], more: Sequence[str]) -> dict[str, Any]:
    """Return Snakemake's options as parsed by its own parser, profiles included. If it refuses them, return only `files`."""
    from snakemake.cli import parse_args

    # Its messages on profiles and errors are printed again when the plan is requested.
    with open(os.devnull, "w") as nowhere, contextlib.redirect_stderr(nowhere), contextlib.redirect_stdout(nowhere):
        try:
            _, options = parse_args(_command(files, more))
        except (Exception, SystemExit):
            return {"configfile": list(files)}
    return dict(vars(options))


def _command(files: Sequence[Path], more: Sequence[str]) -> list[str]:
    return ["--summary", "--nolock", *(["--configfile", *map(str, files)] if files else []), *more]


def ask_snakemake(files: Sequence[Path], more: Sequence[str]) -> str:
    """Return the output of `snakemake --summary` for a study. Raises UserError with Snakemake's message if it cannot plan."""
    command = [sys.executable, "-m", "snakemake", *_command(files, more)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        message = (done.stderr or done.stdout).strip()
        # For an unknown option, Snakemake prints its complete usage before the error.
        usage, _, fault = message.rpartition(": error: ")
        raise UserError(f"Snakemake cannot plan the study:\n{fault if 'usage: ' in usage else message}")
    return done.stdout


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("--configfile", type=Path, nargs="*", default=[], metavar="FILE", help="study files, as for snakemake")
    parser.add_argument("--verify", action="store_true", help="read every result, also those with the dates of the last time")
    parser.add_argument("more", nargs="*", metavar="-- OPTION", help="further options for snakemake")


def run(arguments: argparse.Namespace) -> int:
    """Show what a run of the given study would do."""
    require_study_folder("preview")
    files = [option for option in arguments.more if option.endswith((".yaml", ".yml", ".json")) and Path(option).is_file()]
    if files and not arguments.configfile:
        raise UserError(f"Study files follow --configfile: whichloss preview --configfile {' '.join(files)}")
    # First of all: Snakemake does not say where a study file is wrong.
    study = read_study(arguments.configfile)
    refuse_another_study(arguments.configfile, arguments.more)
    plan = read_plan(arguments.configfile)
    if warning := unused.warning(*study):
        print(warning, file=sys.stderr)
    found = stale.survey(plan, inner.say, verify=arguments.verify)
    # What a run would stop at stops here as well, with no words of Snakemake around it.
    starting.decided(plan, found, [], print)
    summary = ask_snakemake(arguments.configfile, arguments.more)
    print(text(plan, planned(plan, summary, found.reasons), gets_gpus(arguments.configfile, arguments.more)))
    return 0
