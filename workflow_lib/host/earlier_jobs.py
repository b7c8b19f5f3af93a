"""Jobs of an earlier run that SLURM still holds in this folder: a second run must not submit them again.

A Snakemake that was killed leaves its jobs running. Started again it would submit the same ones, and two jobs would write the
same files. Its lock tells of a run that was killed only until it is removed (`--unlock`), so SLURM itself is asked when a run
begins.
"""

import os
import re
import shutil
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from workflow_lib.base.errors import UserError

EXECUTOR = "slurm"
"""Snakemake's executor that submits to SLURM; others may, too (cluster-generic with sbatch)."""

SUBMITTED_BY_A_RUN = ("rule_", "group_")
"""What the comments begin with that Snakemake's executor gives its jobs."""

SECONDS = 60
"""So long an answer of SLURM is waited for."""

SHOWN = 10
"""The maximum number of jobs that are named."""

LIST_OF_FILES = re.compile(r"--wait-for-files-file\s+(['\"]?)(?P<path>[^'\"\n]+?)\1(?:\s|$)")
"""In a job's script, where its files are too many to be named there."""

OWN = os.environ.get("SLURM_JOB_ID")
"""The job that this process runs in, asked for at once: Snakemake's executor removes it from the environment later."""

Run = Callable[[Sequence[str]], str]


class NoAnswerError(Exception):
    """SLURM cannot be asked."""


@dataclass(frozen=True)
class ClusterJob:
    """A job that waits or runs: its number, state as SLURM calls it, comment, and the folder it was submitted in."""

    number: str
    state: str
    comment: str
    folder: str


def refuse(executor: str, local: bool, results: str, run: Run | None = None) -> None:
    """Do nothing where no job of an earlier run works on the study `results` (a path below the working directory).

    `executor` is Snakemake's name of what is to run the jobs, `local` says whether that is this machine: then nothing is asked,
    as where there is no squeue. `run` runs a command and returns its output.
    Raises UserError that names such jobs and says what to do, or that SLURM does not answer.
    """
    if local or (run is None and shutil.which("squeue") is None):
        return
    run = run or _run
    try:
        jobs = [job for job in waiting_or_running(run) if _works_on(job, results, run)]
    except NoAnswerError as error:
        if executor != EXECUTOR:
            return  # another scheduler beside programs of SLURM
        raise UserError(
            f"SLURM does not answer ({error}), so nobody knows whether jobs of an earlier run still work on {results}, and none "
            "could be submitted. Run the same command again when squeue does."
        ) from None
    if jobs:
        raise UserError(message(jobs, results))


def waiting_or_running(run: Run) -> list[ClusterJob]:
    """Return the jobs of this user that wait or run and were submitted in the working directory, but for the one that asks."""
    here = Path.cwd().resolve()
    lines = run(["squeue", "--me", "--noheader", "--format=%i|%T|%Z|%k"]).splitlines()
    parts = [line.strip().split("|", 3) for line in lines]
    jobs = [ClusterJob(number, state, comment, folder) for number, state, folder, comment in (p for p in parts if len(p) == 4)]
    return [job for job in jobs if job.number != OWN and Path(job.folder).resolve() == here]


def _works_on(job: ClusterJob, results: str, run: Run) -> bool:
    """Say whether a job is one of this study: another study may well be run in the same folder at the same time.

    Its script names the files that it waits for, or a file that lists them; all of them lie below the results of its study.
    """
    try:
        script = run(["scontrol", "write", "batch_script", job.number, "-"])
        listed = LIST_OF_FILES.search(script)
        return f"{results}/" in (script if listed is None else Path(listed["path"]).read_text(encoding="utf-8"))
    except (NoAnswerError, OSError):
        # Ended meanwhile, without a script as an interactive one, or its list is gone; in doubt it is one of ours.
        return job.comment.startswith(SUBMITTED_BY_A_RUN)


def message(jobs: Sequence[ClusterJob], results: str) -> str:
    """Return what is said about jobs of an earlier run."""
    shown = [f"  {job.number} {job.state} {job.comment}" for job in jobs[:SHOWN]]
    more = [f"  and {len(jobs) - SHOWN} more"] if len(jobs) > SHOWN else []
    numbers = " ".join(job.number for job in jobs)
    return "\n".join(
        [
            f"{len(jobs)} SLURM job(s) of an earlier run still work on {results}; this run would submit them a second time:",
            *shown,
            *more,
            "Wait until they have ended (squeue --me), then run the same command again: it takes what they made. Or cancel them; "
            "trainings will go on from their checkpoints:",
            f"  scancel {numbers}",
        ]
    )


def _run(command: Sequence[str]) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise NoAnswerError(str(error)) from None
    if done.returncode != 0:
        raise NoAnswerError(done.stderr.strip().splitlines()[-1] if done.stderr.strip() else f"{command[0]} failed")
    return done.stdout
