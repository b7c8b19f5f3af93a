"""`make quick`: fast checks after each edit, without TensorFlow.

Prints one line per finished check, then the checks that were skipped. The exit code is 1 if a check failed.
"""

import os
import shlex
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Check:
    """A command and what it checks."""

    name: str
    command: tuple[str, ...]


def module(name: str, *arguments: str) -> tuple[str, ...]:
    """Return the command of a module of this environment."""
    return (sys.executable, "-m", name, *arguments)


def changed_files() -> list[str]:
    """Return the existing files that are new or differ from the last commit, or all files if git is not available."""
    asked = (("diff", "--name-only", "HEAD"), ("ls-files", "--others", "--exclude-standard"))
    names: list[str] = []
    for arguments in asked:
        done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            return ["."]
        names += done.stdout.splitlines()
    return [name for name in names if (ROOT / name).is_file()]


def linters(changed: list[str]) -> Iterator[Check]:
    """Yield the linters for the changed files."""
    code = [name for name in changed if name == "." or name.endswith(".py")]
    rules = [name for name in changed if name == "Snakefile" or name.endswith(".smk")]
    if code:
        yield Check(f"ruff check, {_files(code)}", module("ruff", "check", "--quiet", *code))
        yield Check(f"ruff format, {_files(code)}", module("ruff", "format", "--check", "--quiet", *code))
    if rules:
        yield Check(f"snakefmt, {_files(rules)}", module("snakefmt", "--check", "--quiet", *rules))


def _files(names: list[str]) -> str:
    return "all files" if names == ["."] else f"{len(names)} changed file{'s' * (len(names) > 1)}"


def dry_runs() -> Iterator[Check]:
    """Yield a dry run of every study, including that of the paper."""
    for study in (None, *sorted((ROOT / "studies").glob("*.yaml"))):
        chosen = () if study is None else ("--configfile", str(study.relative_to(ROOT)))
        name = "config.yaml" if study is None else f"studies/{study.name}"
        yield Check(f"dry run of {name}", module("snakemake", "-n", "--nolock", "--quiet", "all", *chosen))


def run(check: Check) -> bool:
    """Run a check and print a line, with its output if it failed."""
    begun = time.monotonic()
    # The user's Snakemake profile must not affect the checks.
    environment = {key: value for key, value in os.environ.items() if key != "SNAKEMAKE_PROFILE"}
    done = subprocess.run(check.command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    passed = done.returncode == 0
    output = [] if passed else [f"$ {shlex.join(check.command)}", *done.stdout.splitlines()[-60:]]
    if check.name == "light unit tests":
        output = output or [line for line in done.stdout.splitlines() if line.startswith("left out") or " passed" in line]
    lines = [
        f"{'passed' if passed else 'FAILED'}  {check.name} ({time.monotonic() - begun:.0f} s)",
        *(f"    {s}" for s in output),
    ]
    print("\n".join(lines), flush=True)
    return passed


def main() -> int:
    """Run the light unit tests and all other checks in parallel."""
    begun = time.monotonic()
    tests = module("pytest", "-m", "unit", "--light", "-q", "-r", "f", "--numprocesses", "auto", "--dist", "loadfile")
    others = [*linters(changed_files()), Check("types (mypy)", module("mypy")), *dry_runs()]
    print(f"Light unit tests, and beside them {len(others)} checks: up to 90 s on two cores.", flush=True)
    with ThreadPoolExecutor(1) as beside:
        rest = beside.submit(lambda: [run(check) for check in others])
        passed = [run(Check("light unit tests", (*tests, "tests/unit"))), *rest.result()]
    print(
        f"{passed.count(False)} of {len(passed)} checks failed, {time.monotonic() - begun:.0f} s. Left out besides: the tiers "
        "workflow and system (make test), linters of unchanged files (make lint), the losses on JAX (make test-jax)."
    )
    return int(not all(passed))


if __name__ == "__main__":
    sys.exit(main())
