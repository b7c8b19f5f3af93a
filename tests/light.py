"""`pytest --light`: skip and count the tests that import TensorFlow, start a process or are marked as large.

A test is skipped at the moment when it imports such a library or starts a process (with `subprocess`, `multiprocessing` or
`os`), so that no list of tests is needed.
"""

import contextlib
import importlib.abc
import multiprocessing.util
import os
import subprocess
import sys
from collections.abc import Callable, Generator, Iterator, Sequence
from typing import Any, NoReturn

import pytest

LIBRARIES = frozenset({"tensorflow", "keras", "miscnn", "torch", "jax"})
NEEDS = {"library": "starts TensorFlow", "process": "starts a process", "size": "is of the largest size"}

WATCHED = ((subprocess.Popen, "__init__"), (multiprocessing.util, "spawnv_passfds"), (os, "fork"), (os, "posix_spawn"))


def _leave_out(need: str) -> NoReturn:
    pytest.skip(f"light: {NEEDS[need]}", allow_module_level=True)


class LightOnly(importlib.abc.MetaPathFinder):
    """The plugin, which is also an import finder. `runs_tests`: this process runs tests itself instead of distributing them."""

    def __init__(self, runs_tests: bool) -> None:
        self._runs_tests, self._in_a_test = runs_tests, False
        self._before: list[tuple[Any, str, Any]] = []

    def pytest_sessionstart(self) -> None:
        """Intercept imports of these libraries and starts of processes."""
        if self._runs_tests:
            sys.meta_path.insert(0, self)
            for owner, name in WATCHED:
                self._before.append((owner, name, getattr(owner, name)))
                setattr(owner, name, self._watched(getattr(owner, name)))

    def pytest_unconfigure(self) -> None:
        """Restore the original functions."""
        while self._before:
            setattr(*self._before.pop())
            sys.meta_path[:] = [finder for finder in sys.meta_path if finder is not self]

    def _watched(self, function: Callable[..., Any]) -> Callable[..., Any]:
        def in_its_place(*arguments: Any, **options: Any) -> Any:
            if self._in_a_test:
                _leave_out("process")
            return function(*arguments, **options)

        return in_its_place

    def find_spec(self, name: str, path: Sequence[str] | None = None, target: Any = None) -> None:
        """Skip the test if it imports one of the libraries. Other names are left to other finders."""
        if self._in_a_test and name.partition(".")[0] in LIBRARIES:
            _leave_out("library")

    @contextlib.contextmanager
    def _test(self) -> Iterator[None]:
        self._in_a_test = True
        try:
            yield
        finally:
            self._in_a_test = False

    @pytest.hookimpl(wrapper=True)
    def pytest_make_collect_report(self) -> Generator[None, Any, Any]:
        """Skip a whole file that imports such a library at the top level."""
        with self._test():
            return (yield)

    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        """Skip tests that are marked as large."""
        if item.get_closest_marker("large"):
            _leave_out("size")

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self) -> Generator[None, Any, Any]:
        """Treat fixtures as part of the test."""
        with self._test():
            return (yield)

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        """Report how many tests were skipped."""
        skipped = [str(report.longrepr) for report in terminalreporter.stats.get("skipped", [])]
        for words in NEEDS.values():
            number = sum(f"light: {words}" in text for text in skipped)
            terminalreporter.write_line(f"left out: {number} tests or files, each {words}")
