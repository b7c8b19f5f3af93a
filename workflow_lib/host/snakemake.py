"""Access internal attributes of Snakemake, which may change with any version. No other file uses any.

A version outside of `TESTED` is accepted if it has all these attributes. Otherwise the message names the versions that are
known to work.
"""

import sys
from collections.abc import Callable, Collection
from importlib import metadata
from pathlib import Path
from typing import Any, NoReturn, TypeVar

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


def own_configuration(workflow: Any) -> dict[str, Any] | None:
    """Return what --configfile and --config say, without config.yaml; None without --configfile."""
    return dict(_ask(lambda: workflow.config_settings.overwrite_config)) if study_files(workflow) else None


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


def forced(workflow: Any) -> tuple[set[str], set[str]]:
    """Return the names of the rules and the files that the command line forces (--forcerun, --force, --forceall)."""
    return {str(rule.name) for rule in _ask(lambda: workflow.dag.forcerules)}, set(
        map(str, _ask(lambda: workflow.dag.forcefiles))
    )


def run_only(workflow: Any, outputs: Collection[str]) -> None:
    """Have the jobs run that make these files, and those whose missing results they need; no others.

    To be called while the graph of jobs is built. Snakemake's own decision, by dates, settings and its records, is replaced. So
    is its question about jobs that were killed: their results have no record.
    """
    dag = _ask(lambda: workflow.dag)
    _ask(
        lambda: (dag.ignore_incomplete, dag._needrun, dag._n_until_ready, dag._finished, dag._len, dag.dependencies, dag._reason)
    )
    decides = _ask(lambda: dag.update_needrun)
    dag.ignore_incomplete = True

    async def update_needrun(*arguments: Any, **options: Any) -> None:
        await decides(*arguments, **options)
        _correct(dag, outputs)

    dag.update_needrun = update_needrun


def _correct(dag: Any, outputs: Collection[str]) -> None:
    """Replace which jobs of a graph run: those that make these files, what is missing for them, and the target above them."""
    jobs = [job for job in dag.jobs if job not in dag._finished]
    # Earlier versions have no such attribute; they leave out the other rules when they read the Snakefile.
    allowed = getattr(dag, "rules_allowed_for_needrun", None)
    wanted = [job for job in jobs if any(str(file) in outputs for file in job.output)]
    waiting = [job for job in wanted if not allowed or job.rule.name in allowed]
    targets = [job for job in jobs if job in dag.targetjobs]
    # Also what was asked for by its path: preprocessed images that nothing else needs.
    waiting += [job for job in targets if job not in waiting and any(not Path(file).exists() for file in job.output)]
    needed = set(waiting)
    waiting += [job for job in targets if job not in needed]
    while waiting:
        for source, files in dag.dependencies[waiting.pop()].items():
            missing = [file for file in files if not Path(file).exists()]
            if missing and source not in needed:
                dag.reason(source).missing_output.update(missing)
                needed.add(source)
                waiting.append(source)
    needed |= {job for job in targets if any(source in needed for source in dag.dependencies[job])}
    for job in jobs:
        if job not in needed:
            dag._reason.pop(job, None)
        elif not dag.reason(job):
            dag.reason(job).forced = True
    dag._needrun.clear()
    dag._needrun.update(needed)
    dag._n_until_ready.clear()
    dag._n_until_ready.update({job: sum(source in needed for source in dag.dependencies[job]) for job in needed})
    dag._len = len(dag._finished | needed)


def say(text: str) -> None:
    """Print a remark for the user before the run, also where Snakemake is quiet; on the channel of its own messages."""
    print(text, file=sys.stderr, flush=True)


def stop(text: str) -> NoReturn:
    """End the process with a message; an error in an input function would be shown with Snakemake's traceback around it."""
    say(text)
    raise SystemExit(1)


def planned(workflow: Any, rule: str) -> list[dict[str, str]]:
    """Return the wildcards of the jobs of a rule that this run will do. To be called when the graph of jobs is built."""
    return [dict(job.wildcards) for job in _ask(lambda: workflow.dag.needrun_jobs)() if job.rule.name == rule]


def limit(workflow: Any, resource: str, most: int) -> None:
    """Limit a resource of all simultaneous jobs, unless the command line sets it."""
    if resource not in _ask(lambda: workflow.global_resources):
        _ask(lambda: workflow.register_resource)(resource, most)
