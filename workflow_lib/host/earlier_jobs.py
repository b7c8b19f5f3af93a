"""Find jobs of an earlier run that are still in SLURM's queue, so that a second run does not submit them again.

If Snakemake is killed, its jobs continue. A new run would submit the same jobs, and two jobs would write the same files.
Snakemake's lock only helps until it is removed (`--unlock`), so SLURM itself is queried at the start of a run.
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
"""Snakemake's executor for SLURM. Others may use SLURM, too (cluster-generic with sbatch)."""

SUBMITTED_BY_A_RUN = ("rule_", "group_")
"""Prefixes of the comments that Snakemake's executor gives its jobs."""

SECONDS = 60
"""Time limit for an answer of SLURM."""

SHOWN = 10
"""Limit of the jobs that are listed."""

LIST_OF_FILES = re.compile(r"--wait-for-files-file\s+(['\"]?)(?P<path>[^'\"\n]+?)\1(?:\s|$)")
"""Option in a job's script that names a file with its input files, if there are too many for the script."""

OWN = os.environ.get("SLURM_JOB_ID")
"""The job of this process, read immediately, because Snakemake's executor removes it from the environment later."""

Run = Callable[[Sequence[str]], str]


class NoAnswerError(Exception):
    """SLURM does not answer."""


@dataclass(frozen=True)
class ClusterJob:
    """A waiting or running job: its number, SLURM state, comment, and the folder from which it was submitted."""

    number: str
    state: str
    comment: str
    folder: str


def refuse(executor: str, local: bool, results: str, run: Run | None = None) -> None:
    """Check that no job of an earlier run works on the study `results` (a path in the working directory).

    `executor` is the name of Snakemake's executor. If it runs jobs on this machine (`local`), or if there is no squeue, nothing
    is
    checked. `run` runs a command and returns its output.
    Raises UserError with these jobs and a remedy, or if SLURM does not answer.
    """
    if local or (run is None and shutil.which("squeue") is None):
        return
    run = run or _run
    try:
        jobs = [job for job in waiting_or_running(run) if _works_on(job, results, run)]
    except NoAnswerError as error:
        if executor != EXECUTOR:
            return  # another scheduler on a machine that also has SLURM's programs
        raise UserError(
            f"SLURM does not answer ({error}), so it is not known whether jobs of an earlier run are still running on {results}, "
            "and none could be submitted. Run the same command again when squeue does."
        ) from None
    if jobs:
        raise UserError(message(jobs, results))


def waiting_or_running(run: Run) -> list[ClusterJob]:
    """Return this user's waiting or running jobs that were submitted from the working directory, except the present job."""
    here = Path.cwd().resolve()
    lines = run(["squeue", "--me", "--noheader", "--format=%i|%T|%Z|%k"]).splitlines()
    parts = [line.strip().split("|", 3) for line in lines]
    jobs = [ClusterJob(number, state, comment, folder) for number, state, folder, comment in (p for p in parts if len(p) == 4)]
    return [job for job in jobs if job.number != OWN and Path(job.folder).resolve() == here]


def _works_on(job: ClusterJob, results: str, run: Run) -> bool:
    """Return whether a job belongs to this study, because another study may run in the same folder.

    The job's script names its input files, or a file that lists them. All of them are in the results folder of the study.
    """
    try:
        script = run(["scontrol", "write", "batch_script", job.number, "-"])
        listed = LIST_OF_FILES.search(script)
        return f"{results}/" in (script if listed is None else Path(listed["path"]).read_text(encoding="utf-8"))
    except (NoAnswerError, OSError):
        # The job has ended, has no script (interactive), or its list was deleted. The comment then decides.
        return job.comment.startswith(SUBMITTED_BY_A_RUN)


def message(jobs: Sequence[ClusterJob], results: str) -> str:
    """Return the error message for jobs of an earlier run."""
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
