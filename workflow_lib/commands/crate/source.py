"""Copy the code that made a study next to its results."""

import io
import re
import shutil
import subprocess
import tarfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from workflow_lib.base.checkout import checkout
from workflow_lib.base.errors import UserError
from workflow_lib.base.files import atomic_folder, write_text
from workflow_lib.images.cases import LONGEST_NAME, name_fault
from workflow_lib.plan import jobs as planning
from workflow_lib.report.recipe import CHANGES, study_yaml

_COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
NEEDED = (
    *("LICENSE", "Makefile", "README.md", "Snakefile", "config.yaml", "pyproject.toml", "setup.py"),
    *("envs", "reports", "rules", "workflow_lib"),
)
"""The parts of the repository that are needed to run a study."""


def copy_source(record: Mapping[str, Any], target: Path) -> str:
    """Copy the code that made the report of `record`, with the study as YAML, into `target`; return its origin in words.

    The code is taken from the recorded commit. If there is none, or it had uncommitted changes, the code of this checkout is
    used,
    which must have the same fingerprint. Raises UserError if it has not, or if the name of the study is no valid file name.
    """
    commit, name = record["facts"]["commit"], str(record["settings"]["name"])
    if fault := name_fault(name):
        raise UserError(f"The report's record names a study that cannot be one, {name[:LONGEST_NAME]!r}: {fault}.")
    with atomic_folder(target) as folder:
        if commit and not commit.endswith(CHANGES) and (archive := _archive(commit)) is not None:
            with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
                tar.extractall(folder, filter="data")
            origin = f"commit {commit}"
        else:
            _require_same_code(record, commit)
            _copy_checkout(folder)
            origin = _of_checkout(commit)
        write_text(folder / f"{name}.yaml", study_yaml(record["settings"]["config"]))
    return origin


def _of_checkout(commit: str | None) -> str:
    """Return in words the origin of this checkout's code, which has the fingerprint of the results."""
    if commit is None:
        return "a checkout without git"
    if commit.endswith(CHANGES):
        return f"uncommitted changes to commit {commit.removesuffix(CHANGES)}"
    return f"commit {commit}"


def _archive(commit: str) -> bytes | None:
    """Return the needed files of a commit as a tar archive, or None if git or the commit is not available."""
    if not _COMMIT.fullmatch(commit):
        return None  # git could read it as an option, or as the name of a branch or tag
    root = checkout()
    if root is None:
        return None
    try:
        # Older commits do not have all these files, and `git archive` fails for a path that does not exist.
        there = _git(root, "ls-tree", "--name-only", "-z", commit, "--", *NEEDED).decode().split("\0")
        return _git(root, "archive", "--format=tar", commit, "--", *filter(None, there))
    except (OSError, subprocess.SubprocessError):
        return None


def _git(root: Path, *arguments: str) -> bytes:
    return subprocess.run(["git", "-C", root, *arguments], capture_output=True, check=True, timeout=60).stdout


def _require_same_code(record: Mapping[str, Any], commit: str | None) -> None:
    try:
        now = planning.load(record["settings"]["config"], "the study's record").job("report_page").fingerprint
    except UserError:
        now = ""
    if now != record["fingerprint"]:
        name = f"commit {commit}" if commit else "no commit"
        raise UserError(
            f"This checkout is not the code that made these results: their report was made by {name}, with another fingerprint. "
            "Run the same command in the checkout that made them."
        )


def _copy_checkout(folder: Path) -> None:
    root = checkout()
    if root is None:
        raise UserError(
            "The code that made these results belongs into the crate, with its rules and environment, and this whichloss was "
            "installed without them. Run the same command with the whichloss of a clone of the repository (`make venv` there)."
        )
    for name in NEEDED:
        source = root / name
        if source.is_dir():
            shutil.copytree(source, folder / name, ignore=shutil.ignore_patterns("__pycache__", ".*"))
        elif source.is_file():
            shutil.copyfile(source, folder / name)
