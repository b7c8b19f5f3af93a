"""Internal attributes of Snakemake are only used in one file, with the versions that are known to work."""

import re
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
    for ask in (inner.is_job, inner.is_head, inner.is_local, inner.study_files, inner.executor, inner.runs_here):
        with pytest.raises(UserError, match=r"Versions 9\.3\.0 to .* are known to work"):
            ask(SimpleNamespace())
    with pytest.raises(UserError, match="known to work"):
        inner.limit(SimpleNamespace(), "gpu", 1)
    with pytest.raises(UserError, match="known to work"):
        inner.run_again(SimpleNamespace(dag=None), ["a"])


def test_a_limit_of_the_command_line_goes_before_ours():
    limits = {"gpu": 4}
    workflow = SimpleNamespace(global_resources=limits, register_resource=limits.__setitem__)
    inner.limit(workflow, "gpu", 1)
    inner.limit(workflow, "cpu_trainings", 1)
    assert limits == {"gpu": 4, "cpu_trainings": 1}
