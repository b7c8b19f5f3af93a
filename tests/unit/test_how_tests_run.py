"""What is left out of quick runs, which files begin first, and what the slowest are said to prove."""

import multiprocessing
import os
import shutil
import subprocess
import sys
from collections import Counter
from types import SimpleNamespace

import pytest

from tests import quick, slowest
from tests.conftest import LONGEST, ROOM, _in_memory, place, pytest_xdist_auto_num_workers
from tests.light import WATCHED, LightOnly
from workflow_lib.host import memory


@pytest.fixture
def light(monkeypatch):
    """The plugin in force, as it is in a process that runs tests; what it watches is put back."""
    for owner, name in WATCHED:
        monkeypatch.setattr(owner, name, lambda *arguments, name=name, **options: name)
    before = [*sys.meta_path]
    monkeypatch.setattr(sys, "meta_path", [*before])
    plugin = LightOnly(runs_tests=True)
    plugin.pytest_sessionstart()
    yield plugin
    plugin.pytest_unconfigure()
    assert sys.meta_path == before


def left_out(call):
    with pytest.raises(pytest.skip.Exception) as raised:
        call()
    return str(raised.value)


def test_in_a_test_libraries_and_processes_are_left_out_and_elsewhere_they_are_not(light):
    assert [finder for finder in sys.meta_path if finder is light] == [light]
    assert light.find_spec("tensorflow.python") is None
    assert str(os.fork()) == "fork"
    with light._test():
        assert light.find_spec("kerastuner") is None
        assert left_out(lambda: light.find_spec("keras.ops")) == "light: starts TensorFlow"
        assert left_out(os.fork) == left_out(lambda: os.posix_spawn("true", [], {})) == "light: starts a process"
        assert left_out(lambda: subprocess.Popen(["true"])) == "light: starts a process"
        assert left_out(multiprocessing.get_context("spawn").Process(target=print).start) == "light: starts a process"
    assert str(os.fork()) == "fork"


def test_what_hands_its_tests_to_others_refuses_nothing():
    before = [*sys.meta_path, os.fork]
    LightOnly(runs_tests=False).pytest_sessionstart()
    assert [*sys.meta_path, os.fork] == before


def test_large_tests_are_left_out(light):
    marked = SimpleNamespace(get_closest_marker=lambda name: name == "large")
    assert left_out(lambda: light.pytest_runtest_setup(marked)) == "light: is of the largest size"
    light.pytest_runtest_setup(SimpleNamespace(get_closest_marker=lambda name: None))


def test_the_slowest_files_are_named_with_what_they_prove(root):
    reports = [
        SimpleNamespace(nodeid="tests/unit/test_seeds.py::test_a", duration=1.5),
        SimpleNamespace(nodeid="tests/unit/test_seeds.py::test_a", duration=0.25),
        SimpleNamespace(nodeid="tests/unit/test_files.py::test_b[1]", duration=1.0),
        SimpleNamespace(nodeid="tests/unit/test_files.py"),
        "a warning",
    ]
    seconds = slowest.file_seconds(reports)
    assert seconds == Counter({"tests/unit/test_seeds.py": 1.75, "tests/unit/test_files.py": 1.0})
    (line,) = slowest.lines(seconds, 1, root)
    assert line.startswith("    1.8 s  unit/test_seeds.py: ")
    assert line.endswith(slowest.first_sentence(root / "tests/unit/test_seeds.py"))


def test_every_file_says_what_it_proves_and_those_that_begin_first_are_there(root):
    files = sorted((root / "tests").rglob("test_*.py"))
    assert [path.name for path in files if not slowest.first_sentence(path)] == []
    assert {root / "tests" / name for name in LONGEST} <= set(files)
    ordered = sorted(files, key=place)
    assert [path.relative_to(root / "tests").as_posix() for path in ordered[: len(LONGEST)]] == list(LONGEST)
    assert ordered[len(LONGEST) :] == [path for path in files if path not in ordered[: len(LONGEST)]]


def test_files_lie_in_memory_where_there_is_room_and_nobody_chose_another_place(monkeypatch, tmp_path):
    def folder(free, **environment):
        monkeypatch.setattr(memory, "of_host", lambda: free and memory.Memory(free, "the machine"))
        monkeypatch.delenv("TMPDIR", raising=False)
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        return _in_memory(tmp_path)

    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=ROOM))
    assert folder(2 * ROOM) == tmp_path / f"whichloss-tests-{os.getuid()}"
    assert folder(2 * ROOM - 1) is folder(None) is folder(2 * ROOM, TMPDIR="/somewhere") is None
    (tmp_path / f"whichloss-tests-{os.getuid()}").rmdir()
    (tmp_path / f"whichloss-tests-{os.getuid()}").symlink_to(tmp_path)
    assert folder(2 * ROOM) is None
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=ROOM - 1))
    assert folder(2 * ROOM) is None


def test_one_process_more_than_cores_unless_somebody_says_otherwise(monkeypatch):
    monkeypatch.delenv("PYTEST_XDIST_AUTO_NUM_WORKERS", raising=False)
    for cores, processes in ((1, 2), (2, 3), (4, 5), (64, 5)):
        monkeypatch.setattr(os, "sched_getaffinity", lambda pid, cores=cores: set(range(cores)), raising=False)
        assert pytest_xdist_auto_num_workers() == processes
    monkeypatch.setenv("PYTEST_XDIST_AUTO_NUM_WORKERS", "7")
    assert pytest_xdist_auto_num_workers() == 7


def test_files_that_changed_are_those_that_differ_or_are_new_and_still_there(monkeypatch, tmp_path):
    said = {"diff": "a.py\ngone.py\n", "ls-files": "rules/new.smk\n"}
    monkeypatch.setattr(quick, "ROOT", tmp_path)
    monkeypatch.setattr(subprocess, "run", lambda command, **options: SimpleNamespace(returncode=0, stdout=said[command[1]]))
    (tmp_path / "rules").mkdir()
    for name in ("a.py", "rules/new.smk"):
        (tmp_path / name).touch()
    assert quick.changed_files() == ["a.py", "rules/new.smk"]
    assert [check.name for check in quick.linters(["a.py", "rules/new.smk"])] == [
        "ruff check, 1 changed file",
        "ruff format, 1 changed file",
        "snakefmt, 1 changed file",
    ]
    monkeypatch.setattr(subprocess, "run", lambda command, **options: SimpleNamespace(returncode=128, stdout=""))
    assert quick.changed_files() == ["."]
