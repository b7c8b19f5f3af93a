"""Access internal attributes of Snakemake, which may change with any version. No other file uses any.

A version outside of `TESTED` is accepted if it has all these attributes. Otherwise the message names the versions that are
known to work.
"""

from collections.abc import Callable, Iterable
from importlib import metadata
from typing import Any, TypeVar

from workflow_lib.base.errors import UserError

TESTED = ("9.3.0", "9.27.1")
"""Oldest and newest version with which the tests have passed. The lock file contains the newest."""

T = TypeVar("T")


def _ask(look: Callable[[], T]) -> T:
    """Return the result of `look`. Raises UserError if an attribute of Snakemake no longer exists."""
    try:
        return look()
    except AttributeError as error:
        oldest, newest = TESTED
        raise UserError(
            f"This workflow uses something of Snakemake that version {metadata.version('snakemake')} does not have ({error}). "
            f"Versions {oldest} to {newest} are known to work; `make venv` installs {newest}."
        ) from error


def is_job(workflow: Any) -> bool:
    """Return whether this process is a job on another machine, which starts Snakemake again."""
    return bool(_ask(lambda: workflow.remote_exec))


def is_head(workflow: Any) -> bool:
    """Return whether this process plans the run, and is not one of its jobs."""
    return bool(_ask(lambda: workflow.is_main_process))


def is_local(workflow: Any) -> bool:
    """Return whether jobs run on this machine. A cluster has a number of jobs (--jobs), a local run has none."""
    return _ask(lambda: workflow.nodes) is None


def study_files(workflow: Any) -> list[str]:
    """Return the files given with --configfile."""
    return [str(path) for path in _ask(lambda: workflow.overwrite_configfiles)]


def executor(workflow: Any) -> str:
    """Return the name of the executor: "local", "slurm", ..."""
    return str(_ask(lambda: workflow.executor_plugin.name))


def runs_here(workflow: Any) -> bool:
    """Return whether the executor starts jobs as processes on this machine."""
    return bool(_ask(lambda: workflow.local_exec))


def compares_settings(workflow: Any) -> bool:
    """Return whether changed settings rerun a job (the default), unless the user disabled that (--rerun-triggers)."""
    from snakemake.settings.types import RerunTrigger

    return _ask(lambda: RerunTrigger.PARAMS in workflow.dag_settings.rerun_triggers)


def run_again(workflow: Any, outputs: Iterable[str]) -> None:
    """Rerun the jobs that write these files, regardless of their dates. Must be called while the DAG is built."""
    _ask(lambda: workflow.dag.forcefiles).update(outputs)


def limit(workflow: Any, resource: str, most: int) -> None:
    """Limit a resource of all simultaneous jobs, unless the command line sets it."""
    if resource not in _ask(lambda: workflow.global_resources):
        _ask(lambda: workflow.register_resource)(resource, most)
