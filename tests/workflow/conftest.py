"""A private checkout in which tests run Snakemake, with a study that is small enough to run completely."""

import fcntl
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml


@dataclass(frozen=True)
class Checkout:
    """A copy of the repository in which a test may run Snakemake and edit any file."""

    folder: Path

    def snakemake(
        self, *arguments: str, check: bool = True, side_by_side: bool = True, timeout: float = 900
    ) -> subprocess.CompletedProcess[str]:
        """Run Snakemake on the tiny study; return its output, stdout and stderr together.

        With enough cores, trainings run in parallel to save time, which is not the default of the workflow.
        """
        limits = ["--resources", "cpu_trainings=9"] if side_by_side and "--cores" in arguments else []
        command = [sys.executable, "-m", "snakemake", "--configfile", "tiny.yaml", *limits, *arguments]
        done = subprocess.run(
            command,
            cwd=self.folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=_environment(),
            timeout=timeout,
        )
        assert not check or done.returncode == 0, done.stdout[-6000:]
        return done

    def write_study(self, study: dict) -> None:
        """Write the study for `snakemake`."""
        (self.folder / "tiny.yaml").write_text(yaml.safe_dump(study, allow_unicode=True), encoding="utf-8")

    def planned(self, *arguments: str) -> dict[str, int]:
        """Return the number of planned jobs per rule from a dry run, without `all`."""
        output = self.snakemake("-n", "--quiet", "rules", *arguments).stdout
        if "Nothing to be done" in output:
            return {}
        lines = output.split("Job stats:")[1].strip().splitlines()[2:]
        counts = {line.split()[0]: int(line.split()[1]) for line in lines if len(line.split()) == 2 and line.split()[1].isdigit()}
        return {rule: count for rule, count in counts.items() if rule not in {"all", "total"}}

    def planned_trainings(self) -> set[tuple[str, int]]:
        """Return loss and fold of every planned training."""
        output = self.snakemake("-n").stdout
        return {
            (loss, int(fold)) for loss, fold in re.findall(r"^Job \d+: Train (\S+) on toy, fold (\d+)$", output, re.MULTILINE)
        }


def _environment() -> dict[str, str]:
    # The tests' own Python path must not shadow the copy's package.
    environment = {key: value for key, value in os.environ.items() if key not in {"PYTHONPATH", "SNAKEMAKE_PROFILE"}}
    return environment | {"CUDA_VISIBLE_DEVICES": "-1"}


def command_of_the_checkout(folder: Path) -> str:
    """Return a search path that starts with a `whichloss` that runs the code of the working directory, like an installation."""
    folder.mkdir(exist_ok=True)
    program = folder / "whichloss"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m workflow_lib "$@"\n', encoding="utf-8")
    program.chmod(0o755)
    return os.pathsep.join([str(folder), str(Path(sys.executable).parent), os.environ["PATH"]])


def copy_repository(root: Path, target: Path) -> Checkout:
    """Copy the files that the workflow needs, without results and environment. Compiled loops are copied, too."""
    for name in ("Snakefile", "config.yaml", "LICENSE", "Makefile", "README.md", "pyproject.toml", "setup.py", ".gitignore"):
        target.mkdir(parents=True, exist_ok=True)
        shutil.copy2(root / name, target / name)
    for name in ("rules", "workflow_lib", "reports", "studies", "slurm", "envs", "docs"):
        # Skip temporary files that other processes are writing at this moment.
        shutil.copytree(root / name, target / name, ignore=shutil.ignore_patterns("*.pyc.*", "*.tmp.*"))
    checkout = Checkout(target)
    checkout.write_study(yaml.safe_load((root / "studies" / "tiny.yaml").read_text(encoding="utf-8")))
    return checkout


def commit_all(folder: Path) -> None:
    """Make the folder a git checkout in which everything except the study is committed."""
    author = ["-c", "user.name=Test", "-c", "user.email=test@example.org"]
    for arguments in (
        ["init", "--quiet"],
        ["add", "--all", "--", ".", ":!tiny.yaml"],
        [*author, "commit", "--quiet", "--message", "As it is"],
    ):
        subprocess.run(["git", *arguments], cwd=folder, check=True, timeout=60)


@pytest.fixture
def checkout(root, tmp_path):
    """A fresh copy with the tiny study and no results."""
    return copy_repository(root, tmp_path / "checkout")


@pytest.fixture(scope="session")
def finished(root, tmp_path_factory, worker_id):
    """A copy in which the tiny study has finished. Read-only: use `finished_copy` to change something.

    Parallel test processes share it: the first one makes it, the others wait.
    """
    base = tmp_path_factory.getbasetemp()
    folder = (base if worker_id == "master" else base.parent) / "finished"
    with open(folder.with_name("finished.lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "done").exists():
            shutil.rmtree(folder, ignore_errors=True)
            checkout = copy_repository(root, folder / "checkout")
            commit_all(checkout.folder)
            checkout.snakemake("--cores", "2", side_by_side=False)
            (folder / "done").touch()
    return Checkout(folder / "checkout")


def copy_checkout(checkout: Checkout, target: Path) -> Checkout:
    """Copy a checkout with its results, Snakemake's metadata and times."""
    shutil.copytree(checkout.folder, target, symlinks=True, copy_function=shutil.copy2)
    return Checkout(target)


@pytest.fixture
def finished_copy(finished, tmp_path):
    """A private copy of the finished study."""
    return copy_checkout(finished, tmp_path / "finished")
