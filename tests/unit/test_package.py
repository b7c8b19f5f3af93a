"""pyproject.toml: the name, the single version, and the dependencies, which match the imports of the package."""

import ast
import re
import shutil
import subprocess
import sys
import tomllib
from importlib import metadata

from workflow_lib.base.version import VERSION
from workflow_lib.provenance.fingerprints import PACKAGE_FOLDER

UNINSTALLABLE = {"miscnn"}
"""Imported by name but not declared: its pinned requirements cannot be installed on a supported Python."""


def imported():
    """Return the names of the packages that the code imports, also inside functions."""
    found = set()
    for path in PACKAGE_FOLDER.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                found |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                found.add(node.module.partition(".")[0])
    return found - set(sys.stdlib_module_names) - {"workflow_lib"}


def test_the_dependencies_are_what_the_package_imports(root):
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    declared = {re.split(r"[<>=!~;\[ ]", entry)[0].lower() for entry in project["dependencies"]}
    owners = metadata.packages_distributions()
    needed = {owners[name][0].lower() for name in imported() - UNINSTALLABLE}
    assert needed == declared
    locked = (root / "envs/lock.txt").read_text(encoding="utf-8")
    assert [name for name in (*declared, "setuptools") if f"\n{name}==" not in locked] == []


def test_one_version_stands_everywhere(root):
    content = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))
    assert content["project"]["name"] == "whichloss"
    assert content["project"]["dynamic"] == ["version"]
    assert content["tool"]["setuptools"]["dynamic"]["version"] == {"attr": "workflow_lib.base.version.VERSION"}
    assert f"\nversion: {VERSION}\n" in (root / "CITATION.cff").read_text(encoding="utf-8")
    assert f"\n## {VERSION}" in (root / "CHANGELOG.md").read_text(encoding="utf-8")


def test_another_python_is_refused_before_an_environment_is_made(root, tmp_path):
    for name in ("Makefile", "pyproject.toml", "setup.py"):
        shutil.copy(root / name, tmp_path)
    shutil.copytree(root / "envs", tmp_path / "envs")
    old = tmp_path / "python3.10"
    old.write_text(f'#!/bin/sh\nexec {sys.executable} -c "import sys; sys.version_info = (3, 10, 1); exec(sys.argv[1])" "$2"\n')
    old.chmod(0o755)
    done = subprocess.run(["make", "venv", f"PYTHON={old}"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "is not Python 3.11, 3.12 or 3.13. Name one: make venv PYTHON=" in done.stdout
    assert not (tmp_path / ".venv").exists()
