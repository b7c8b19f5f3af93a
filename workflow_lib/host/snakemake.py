"""Inner attributes of Snakemake that this workflow uses, which may change with any version. No other file uses any.

A version outside of `TESTED` is accepted as long as all of these are there; where one is not, the message names the versions
that are known to work.
"""

from collections.abc import Callable, Iterable
from importlib import metadata
from typing import Any, TypeVar

from workflow_lib.base.errors import UserError

TESTED = ("9.3.0", "9.27.1")
"""Oldest and newest version that the tests have run with; the lock holds the newest."""

T = TypeVar("T")


def _ask(look: Callable[[], T]) -> T:
    """Return what `look` finds in Snakemake. Raises UserError where an attribute is not there any more."""
    try:
        return look()
    except AttributeError as error:
        oldest, newest = TESTED
        raise UserError(
            f"This workflow uses something of Snakemake that version {metadata.version('snakemake')} does not have ({error}). "
            f"Versions {oldest} to {newest} are known to work; `make venv` installs {newest}."
        ) from error


def is_job(workflow: Any) -> bool:
    """Say whether this process is a job on another machine, which starts Snakemake again."""
    return bool(_ask(lambda: workflow.remote_exec))


def is_head(workflow: Any) -> bool:
    """Say whether this process is the one that plans the run and no job of it."""
    return bool(_ask(lambda: workflow.is_main_process))


def is_local(workflow: Any) -> bool:
    """Say whether jobs run on this machine: a cluster has a number of jobs (--jobs), a local run has none."""
    return _ask(lambda: workflow.nodes) is None


def study_files(workflow: Any) -> list[str]:
    """Return the files of --configfile, as they were given."""
    return [str(path) for path in _ask(lambda: workflow.overwrite_configfiles)]


def own_configuration(workflow: Any) -> dict[str, Any] | None:
    """Return what --configfile and --config say, without config.yaml; None without --configfile."""
    return dict(_ask(lambda: workflow.config_settings.overwrite_config)) if study_files(workflow) else None


def executor(workflow: Any) -> str:
    """Return the name of the executor: "local", "slurm", ..."""
    return str(_ask(lambda: workflow.executor_plugin.name))


def runs_here(workflow: Any) -> bool:
    """Say whether the executor starts jobs as processes of this machine."""
    return bool(_ask(lambda: workflow.local_exec))


def compares_settings(workflow: Any) -> bool:
    """Say whether changed settings make a job run again (the default), or the user has turned that off (--rerun-triggers)."""
    from snakemake.settings.types import RerunTrigger

    return _ask(lambda: RerunTrigger.PARAMS in workflow.dag_settings.rerun_triggers)


def planned(workflow: Any, rule: str) -> list[dict[str, str]]:
    """Return the wildcards of the jobs of a rule that this run will do. To be called when the graph of jobs is built."""
    return [dict(job.wildcards) for job in _ask(lambda: workflow.dag.needrun_jobs)() if job.rule.name == rule]


def run_again(workflow: Any, outputs: Iterable[str]) -> None:
    """Have the jobs that make these files run, whatever their dates are. To be called while the graph of jobs is built."""
    _ask(lambda: workflow.dag.forcefiles).update(outputs)


def limit(workflow: Any, resource: str, most: int) -> None:
    """Limit a resource of all jobs that run at a time, unless the command line says a number."""
    if resource not in _ask(lambda: workflow.global_resources):
        _ask(lambda: workflow.register_resource)(resource, most)
