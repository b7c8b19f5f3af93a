"""Internal attributes of Snakemake are only used in one file, with the versions that are known to work."""

import re
from collections import defaultdict
from pathlib import Path
from types import SimpleNamespace

import pytest

from workflow_lib.base.errors import UserError
from workflow_lib.host import snakemake as inner

PUBLIC = {"basedir"}
"""Attributes of `workflow` that Snakemake documents."""


def test_the_versions_are_those_of_the_snakefile_and_of_the_lock(root):
    oldest, newest = inner.TESTED
    (least,) = re.findall(r'^min_version\("(.*)"\)', (root / "Snakefile").read_text(encoding="utf-8"), re.MULTILINE)
    assert oldest.startswith(f"{least}.")
    assert re.search(rf"^snakemake=={re.escape(newest)} ", (root / "envs/lock.txt").read_text(encoding="utf-8"), re.MULTILINE)


def test_no_other_file_uses_inner_attributes(root):
    rules = [root / "Snakefile", *(root / "rules").glob("*.smk")]
    used = {name for path in rules for name in re.findall(r"(?<![/\w\"])workflow\.(\w+)", path.read_text(encoding="utf-8"))}
    assert used == PUBLIC
    others = [path for path in (root / "workflow_lib").rglob("*.py") if path != root / "workflow_lib/host/snakemake.py"]
    assert len(others) > 300
    inside = re.compile(r"\bworkflow\.(dag|remote_exec|is_main_process|executor_plugin|global_resources|nodes)\b")
    assert [path for path in others if inside.search(path.read_text(encoding="utf-8"))] == []


def test_an_attribute_that_is_gone_is_said_with_the_versions_that_work():
    configuration = (inner.study_files, inner.own_configuration)
    for ask in (inner.is_job, inner.is_head, inner.is_local, *configuration, inner.executor, inner.runs_here):
        with pytest.raises(UserError, match=r"Versions 9\.3\.0 to .* are known to work"):
            ask(SimpleNamespace())
    with pytest.raises(UserError, match="known to work"):
        inner.limit(SimpleNamespace(), "gpu", 1)
    with pytest.raises(UserError, match="known to work"):
        inner.run_only(SimpleNamespace(dag=None), ["a"])
    with pytest.raises(UserError, match="known to work"):
        inner.planned(SimpleNamespace(dag=None), "train")


def test_only_the_jobs_of_the_rule_that_will_run_are_planned():
    def job(rule, **wildcards):
        return SimpleNamespace(rule=SimpleNamespace(name=rule), wildcards=wildcards)

    jobs = [job("predict", fold="1"), job("train", fold="1"), job("train", fold="3")]
    workflow = SimpleNamespace(dag=SimpleNamespace(needrun_jobs=lambda: iter(jobs)))
    assert inner.planned(workflow, "train") == [{"fold": "1"}, {"fold": "3"}]


def test_what_the_study_s_own_files_say_is_known_only_where_there_are_some():
    settings = SimpleNamespace(overwrite_config={"study": {"datasets": ["a"]}})
    assert inner.own_configuration(SimpleNamespace(overwrite_configfiles=["a.yaml"], config_settings=settings)) == {
        "study": {"datasets": ["a"]}
    }
    assert inner.own_configuration(SimpleNamespace(overwrite_configfiles=[], config_settings=settings)) is None


def test_a_limit_of_the_command_line_goes_before_ours():
    limits = {"gpu": 4}
    workflow = SimpleNamespace(global_resources=limits, register_resource=limits.__setitem__)
    inner.limit(workflow, "gpu", 1)
    inner.limit(workflow, "cpu_trainings", 1)
    assert limits == {"gpu": 4, "cpu_trainings": 1}


class Job:
    """A job of a graph, as far as the adapter sees it."""

    def __init__(self, *output):
        self.output, self.rule = list(output), SimpleNamespace(name="any")


def graph(dependencies, targets):
    reasons: dict[Job, SimpleNamespace] = defaultdict(lambda: SimpleNamespace(missing_output=set(), forced=False))
    jobs = [*dependencies]
    return SimpleNamespace(
        jobs=jobs, _finished=set(), targetjobs=set(targets), dependencies=dependencies, reason=reasons.__getitem__,
        _reason=reasons, _needrun=set(jobs), _n_until_ready={}, _len=0,
    )  # fmt: skip


def test_what_runs_is_what_was_decided_what_it_misses_and_what_was_asked_for_by_its_path(tmp_path):
    there, gone = str(tmp_path / "there"), str(tmp_path / "gone")
    Path(there).touch()
    first, store, train, other, everything = Job(there), Job(gone), Job(there + "2"), Job(there), Job()
    Path(there + "2").touch()
    needs = {
        first: {},
        store: {first: [there]},
        train: {store: [gone]},
        other: {},
        everything: {train: [there + "2"], other: [there]},
    }
    dag = graph(needs, [everything])
    inner._correct(dag, {there + "2"})
    assert dag._needrun == {store, train, everything}
    assert dag._n_until_ready == {store: 0, train: 1, everything: 1}
    dag = graph(needs, [everything])
    inner._correct(dag, set())
    assert dag._needrun == set()
    dag = graph(needs, [store])
    inner._correct(dag, set())
    assert dag._needrun == {store}
