"""What is left out of quick runs, which files begin first, and what the slowest are said to prove."""

import os
import subprocess
import sys
from collections import Counter
from types import SimpleNamespace

import pytest

from tests import slowest
from tests.conftest import LONGEST
from tests.light import LightOnly


@pytest.fixture
def light(monkeypatch):
    """The plugin in force, as it is in a process that runs tests; what it watches is put back."""
    for owner, name in ((subprocess.Popen, "__init__"), (os, "fork"), (os, "posix_spawn")):
        monkeypatch.setattr(owner, name, lambda *arguments, name=name, **options: name)
    monkeypatch.setattr(sys, "meta_path", [])
    plugin = LightOnly(runs_tests=True)
    plugin.pytest_sessionstart()
    return plugin


def left_out(call):
    with pytest.raises(pytest.skip.Exception) as raised:
        call()
    return str(raised.value)


def test_in_a_test_libraries_and_processes_are_left_out_and_elsewhere_they_are_not(light):
    assert sys.meta_path == [light]
    assert light.find_spec("tensorflow.python") is None
    assert str(os.fork()) == "fork"
    with light._test():
        assert light.find_spec("kerastuner") is None
        assert left_out(lambda: light.find_spec("keras.ops")) == "light: starts TensorFlow"
        assert left_out(os.fork) == left_out(lambda: os.posix_spawn("true", [], {})) == "light: starts a process"
        assert left_out(lambda: subprocess.Popen(["true"])) == "light: starts a process"
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
