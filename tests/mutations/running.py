"""Copy a checkout and run pytest in the copies."""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
import xml.etree.ElementTree as ElementTree
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.mutations.catalogue import Mutation, fault, put_in, take_out

CAUGHT, SURVIVED, BROKEN = "CAUGHT", "SURVIVED", "BROKEN"

SECONDS = {"unit": 300, "workflow": 1200, "system": 2400}
"""Default time limits in seconds for the tests of a mutation, by tier (see `--timeout`)."""

TESTS_FAILED, NO_TESTS = 1, 5
"""Exit codes of pytest."""

SHOWN = 160
"""Characters of a test's message that are shown."""


@dataclass(frozen=True)
class Outcome:
    """The result of a mutation: CAUGHT, SURVIVED or BROKEN, the reason (the failed test and its message), and the seconds."""

    mutation: Mutation
    state: str
    why: str
    seconds: float


@dataclass
class Tests:
    """The result of a call of pytest: its exit code (None: time limit reached), and the result of each test by its node id."""

    code: int | None
    passed: list[str] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)
    """Test to the first line of its message."""
    uncollected: dict[str, str] = field(default_factory=dict)
    output: str = ""


def copy_checkout(source: Path, target: Path) -> None:
    """Copy the files that git tracks with their present content and times, and the files compiled from them to save time."""
    command = ["git", "-C", str(source), "ls-files", "-z"]
    listed = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout
    names = [name for name in listed.split("\0") if name]
    folders = {Path(name).parent for name in names if name.endswith(".py")}
    compiled = [path.relative_to(source) for folder in folders for path in (source / folder / "__pycache__").glob("*")]
    for name in [*map(Path, names), *compiled]:
        # A tracked file may be deleted. Compiled files that are being written have other suffixes.
        if (source / name).is_file() and not name.name.endswith(".tmp") and ".pyc." not in name.name:
            (target / name.parent).mkdir(parents=True, exist_ok=True)
            shutil.copy2(source / name, target / name, follow_symlinks=False)


def environment(source: Path) -> dict[str, str]:
    """Return the environment of the tests, without variables that could make them import another checkout."""
    kept = {key: value for key, value in os.environ.items() if key not in {"PYTHONPATH", "PYTEST_ADDOPTS", "SNAKEMAKE_PROFILE"}}
    images = source.resolve().parent / "shared" / "data"
    return ({"SHARED_DATA": str(images)} if images.is_dir() else {}) | kept


def own_package(root: Path, variables: dict[str, str]) -> str:
    """Return "" if tests in `root` import workflow_lib and tests from there, else the imported paths."""
    code = "import tests, workflow_lib; print(workflow_lib.__file__); print(tests.__file__)"
    done = subprocess.run([sys.executable, "-c", code], cwd=root, env=variables, capture_output=True, text=True, timeout=120)
    found = [Path(line).resolve().parent.parent for line in done.stdout.split()]
    return "" if found == [root.resolve()] * 2 else done.stdout + done.stderr


def run_tests(root: Path, tests: Sequence[str], variables: dict[str, str], seconds: float, first_only: bool = True) -> Tests:
    """Run pytest on some tests in `root`. With `first_only` it stops at the first failure."""
    private = root.parent / f"{root.name}-pytest"
    shutil.rmtree(private, ignore_errors=True)
    report = root.parent / f"{root.name}-tests.xml"
    report.unlink(missing_ok=True)
    command = [
        *(sys.executable, "-m", "pytest", "-q", *(["-x"] if first_only else []), "-p", "no:cacheprovider"),
        *("-o", "junit_family=xunit1", f"--junit-xml={report}", f"--basetemp={private}", *tests),
    ]
    process = subprocess.Popen(
        command, cwd=root, env=variables, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True
    )
    _RUNNING.add(process)
    try:
        output, _ = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        _end(process)
        process.communicate()
        return Tests(None)
    except BaseException:
        _end(process)
        raise
    finally:
        _RUNNING.discard(process)
        shutil.rmtree(private, ignore_errors=True)
    found = Tests(process.returncode, output=output)
    if report.is_file():
        _read(report, found)
    return found


_RUNNING: set[subprocess.Popen] = set()


def end_all() -> None:
    """Kill all running pytest processes, so that threads which wait for them continue."""
    for process in list(_RUNNING):
        _end(process)


def _end(process: subprocess.Popen) -> None:
    """Kill pytest and its child processes, except those in a session of their own."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


def _read(report: Path, found: Tests) -> None:
    for case in ElementTree.parse(report).getroot().iter("testcase"):
        file = case.get("file", "")
        if not file:
            # A module that cannot be collected only has its dotted name.
            found.uncollected[case.get("name", "")] = _first_line(case.find("error"))
            continue
        inner = case.get("classname", "").removeprefix(file.removesuffix(".py").replace("/", ".")).strip(".")
        name = "::".join([file, *filter(None, inner.split(".")), case.get("name", "")])
        problem = case.find("failure") if case.find("failure") is not None else case.find("error")
        if problem is not None:
            found.failed[name] = _first_line(problem)
        elif case.find("skipped") is None:
            found.passed.append(name)


def _first_line(problem: ElementTree.Element | None) -> str:
    text = "" if problem is None else (problem.get("message") or problem.text or "")
    return " ".join(text.split())[:SHOWN]


def try_mutation(mutation: Mutation, root: Path, number: int, variables: dict[str, str], timeout: float | None) -> Outcome:
    """Put a mutation into the copy `root`, run its tests, and remove it."""
    begin = time.monotonic()
    why = fault(mutation, root)
    if why:
        return Outcome(mutation, BROKEN, why, 0.0)
    seconds = timeout or SECONDS[mutation.tier]
    before = put_in(mutation, root, number)
    try:
        found = run_tests(root, mutation.tests, variables, seconds)
    finally:
        take_out(mutation, root, before)
    return Outcome(mutation, *_judged(found, seconds), time.monotonic() - begin)


def _judged(found: Tests, seconds: float) -> tuple[str, str]:
    if found.code is None:
        return BROKEN, f"its tests did not end in {seconds:.0f} s"
    if found.uncollected:
        name, said = next(iter(found.uncollected.items()))
        return BROKEN, f"{name} cannot even be collected: {said}"
    if found.code == TESTS_FAILED and found.failed:
        name, said = next(iter(found.failed.items()))
        return CAUGHT, f"{name}: {said}"
    if found.code == NO_TESTS or (found.code == 0 and not found.passed):
        return BROKEN, "no test ran: all were skipped, or there is none"
    if found.code == 0:
        return SURVIVED, f"{len(found.passed)} test(s) passed"
    return BROKEN, f"pytest ended with {found.code}: {' '.join(found.output.split())[-SHOWN:]}"


def control(mutations: Sequence[Mutation], root: Path, variables: dict[str, str], timeout: float | None) -> dict[str, str]:
    """Run the tests of all mutations once without a mutation; return the mutations whose tests do not pass, with the reason."""
    able = [mutation for mutation in mutations if not fault(mutation, root)]
    tests = list(dict.fromkeys(test for mutation in able for test in mutation.tests))
    # A whole file includes its single tests.
    tests = [test for test in tests if "::" not in test or test.partition("::")[0] not in tests]
    if not tests:
        return {}
    seconds = timeout * len(tests) if timeout else float(sum(SECONDS[test.split("/")[1]] for test in tests))
    found = run_tests(root, tests, variables, seconds, first_only=False)
    if found.code not in (0, TESTS_FAILED):
        said = found.output.strip().splitlines()[-1:] or [f"no end after {seconds:.0f} s"]
        return {mutation.id: f"the tests do not run without it either: {said[0][:SHOWN]}" for mutation in able}
    faults = {}
    for mutation in able:
        for test in mutation.tests:
            failed = [name for name in found.failed if _is_of(name, test)]
            if failed:
                faults[mutation.id] = f"{failed[0]} fails without it, too: {found.failed[failed[0]]}"
            elif not any(_is_of(name, test) for name in found.passed):
                faults[mutation.id] = f"{test} is skipped here"
    return faults


def _is_of(name: str, test: str) -> bool:
    """Return whether a test belongs to a node id: the test itself, one of its parameters, or a test of the file."""
    return name == test or name.startswith((f"{test}[", f"{test}::"))
