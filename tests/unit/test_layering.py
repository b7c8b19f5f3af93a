"""A room imports only from rooms above it in the list of docs/architecture.md."""

import ast
import re
import subprocess
import sys

import pytest

from workflow_lib.provenance.fingerprints import PACKAGE_FOLDER


def rooms(root):
    """Return the rooms in the order of the document's table."""
    text = (root / "docs" / "architecture.md").read_text(encoding="utf-8")
    table = re.findall(r"^\| (`[^|]*`) \|", text.split("## Ground floor")[0], flags=re.MULTILINE)
    return [name.strip("`").rstrip("/").removesuffix(".py") for row in table for name in re.findall(r"`[^`]+`", row)]


def room_of(module):
    return module.split(".")[1] if "." in module else ""


def imported(path):
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("workflow_lib"):
            yield from [f"{node.module}.{alias.name}" for alias in node.names] if node.module == "workflow_lib" else [node.module]
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name.startswith("workflow_lib"))


def test_every_room_stands_in_the_document_and_every_room_of_the_document_exists(root):
    there = {path.stem for path in PACKAGE_FOLDER.iterdir() if path.is_dir() or path.suffix == ".py"}
    assert there - {"__init__", "__pycache__", "py"} - {"py.typed"} == set(rooms(root))


@pytest.mark.parametrize(
    "path", sorted(PACKAGE_FOLDER.rglob("*.py")), ids=lambda path: path.relative_to(PACKAGE_FOLDER).as_posix()
)
def test_no_import_points_upwards(root, path):
    order = rooms(root)
    own = path.relative_to(PACKAGE_FOLDER).parts[0].removesuffix(".py")
    if own == "__init__":
        assert list(imported(path)) == []
        return
    above = order[: order.index(own) + 1]
    for module in imported(path):
        assert room_of(module) in above, f"{own} may not import {module}"


HEAVY = {"tensorflow", "keras", "miscnn", "numba"}
LIGHT = {"report_page": {"matplotlib", "statsmodels", "scipy.stats"}, "inspect": {"pandas", "matplotlib"}, "check": {"pandas"}}
"""What a step that runs often, or that somebody waits for, must not load either."""
STEPS = sorted(path.stem for path in (PACKAGE_FOLDER / "steps").glob("[a-z]*.py"))


@pytest.mark.parametrize("step", STEPS)
def test_a_step_loads_no_more_than_it_needs_to_start(step):
    unwanted = sorted(HEAVY | LIGHT.get(step, set()))
    code = f"import sys, workflow_lib.steps.{step}; print(*[name for name in {unwanted} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], cwd=PACKAGE_FOLDER.parent, capture_output=True, text=True, check=True)
    assert done.stdout.split() == []
