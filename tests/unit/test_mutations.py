"""The list of mutations is current: each can be applied, and its tests exist."""

import dataclasses

import pytest

from tests.mutations import catalogue, running
from tests.mutations.catalogue import Mutation, fault, put_in, read, take_out

MUTATIONS = read()


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda mutation: mutation.id)
def test_the_text_stands_once_in_its_file_and_the_tests_are_there(root, mutation):
    assert fault(mutation, root) == ""
    for test in mutation.tests:
        file, _, name = test.partition("::")
        assert file != "tests/unit/test_mutations.py", "this file notices any mutation by its text"
        assert not name or f"def {name.rpartition('::')[2]}(" in (root / file).read_text(encoding="utf-8"), test


def test_every_package_and_the_files_beside_it_are_broken_somewhere(root):
    packages = {path.parent.relative_to(root).as_posix() for path in (root / "workflow_lib").rglob("__init__.py")}
    broken = {mutation.file.rpartition("/")[0] for mutation in MUTATIONS}
    assert packages | {"rules", "slurm", "reports/templates"} <= broken
    assert len(MUTATIONS) >= 75
    assert {mutation.tier for mutation in MUTATIONS} == {"unit", "workflow", "system"}


def test_a_list_with_two_of_one_name_or_a_key_too_few_is_refused(tmp_path):
    entry = 'file = "a"\nold = "b"\nnew = "c"\nbreaks = "d"\ntests = []\n'
    for name in ("one", "other"):
        (tmp_path / f"{name}.toml").write_text(f"[x]\n{entry}")
    with pytest.raises(ValueError, match="there is another x"):
        read(tmp_path)
    (tmp_path / "other.toml").write_text("[y]\nfile = 'a'\n")
    with pytest.raises(ValueError, match="y has the keys"):
        read(tmp_path)


def test_a_file_is_broken_with_a_time_of_its_own_and_mended(tmp_path):
    """Otherwise Python would use the file compiled before."""
    path = tmp_path / "a.py"
    path.write_text("x = 1\n")
    before = path.stat().st_mtime_ns
    times = {before // 10**9}
    for number in range(3):
        mutation = Mutation("x", "a.py", "1", "2", "", ())
        kept = put_in(mutation, tmp_path, number)
        assert path.read_text() == "x = 2\n"
        times.add(path.stat().st_mtime_ns // 10**9)
        take_out(mutation, tmp_path, kept)
    assert len(times) == 4
    assert (path.read_text(), path.stat().st_mtime_ns) == ("x = 1\n", before)


def test_mutations_are_chosen_by_pattern_and_tier():
    chosen = catalogue.chosen(MUTATIONS, ["seeds-*"], None)
    assert chosen
    assert {mutation.id.partition("-")[0] for mutation in chosen} == {"seeds"}
    assert catalogue.chosen(MUTATIONS, ["seeds-*"], "system") == []


REPORT = """<testsuites><testsuite>
<testcase classname="tests.unit.test_a" name="test_x[1]" file="tests/unit/test_a.py"/>
<testcase classname="tests.unit.test_a.TestB" name="test_y" file="tests/unit/test_a.py"><failure message="1 == 2"/></testcase>
<testcase classname="tests.unit.test_a" name="test_z" file="tests/unit/test_a.py"><skipped message="no GPU"/></testcase>
{}</testsuite></testsuites>"""
UNREAD = '<testcase classname="" name="tests.unit.test_c"><error message="collection failure">ImportError</error></testcase>'


@pytest.mark.parametrize(("more", "uncollected"), [("", {}), (UNREAD, {"tests.unit.test_c": "collection failure"})])
def test_what_pytest_reports_is_read_by_node_ids(tmp_path, more, uncollected):
    (tmp_path / "report.xml").write_text(REPORT.format(more))
    found = running.Tests(1)
    running._read(tmp_path / "report.xml", found)
    assert found.passed == ["tests/unit/test_a.py::test_x[1]"]
    assert found.failed == {"tests/unit/test_a.py::TestB::test_y": "1 == 2"}
    assert found.uncollected == uncollected


@pytest.mark.parametrize(
    ("found", "state"),
    [
        (running.Tests(0, ["a"]), "SURVIVED"),
        (running.Tests(1, ["a"], {"b": "no"}), "CAUGHT"),
        # A fault without a test that has run has no result.
        (running.Tests(0), "BROKEN"),
        (running.Tests(5), "BROKEN"),
        (running.Tests(None), "BROKEN"),
        (running.Tests(1, [], {"b": "no"}, {"c": "ImportError"}), "BROKEN"),
        (running.Tests(4, output="no such test"), "BROKEN"),
    ],
)
def test_only_a_test_that_fails_catches(found, state):
    assert running._judged(found, 1.0)[0] == state


def test_tests_that_fail_or_are_skipped_without_a_fault_tell_nothing_of_one(root, monkeypatch):
    files = ("tests/unit/test_files.py", "tests/unit/test_seeds.py", "tests/unit/test_folds.py")
    ended = running.Tests(1, [f"{files[0]}::test_a"], {f"{files[1]}::test_b[2]": "no"})
    monkeypatch.setattr(running, "run_tests", lambda *arguments, **options: ended)
    some = [dataclasses.replace(MUTATIONS[0], id=file, tests=(file,)) for file in files]
    said = running.control(some, root, {}, None)
    assert set(said) == {*files[1:]}
    assert "test_b[2] fails without it, too: no" in said[files[1]]
    assert "is skipped here" in said[files[2]]
