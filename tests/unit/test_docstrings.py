"""Docstrings of losses, metrics and statistics: their sections, and their examples, which are executed."""

import ast
import doctest
import importlib
import io
import re

import pytest

from workflow_lib.base.parameters import parameter_rows
from workflow_lib.losses import registry, toolkit
from workflow_lib.provenance.fingerprints import PACKAGE_FOLDER

ROOMS = ("losses", "metrics", "statistics")
SECTIONS = ("Parameters", "Returns", "Raises", "References", "Examples")
FILES = [path for room in ROOMS for path in sorted((PACKAGE_FOLDER / room).glob("[a-z_]*.py")) if path.stem != "__init__"]
OF_USERS = {
    "losses": {"get", "build", "faults", "needed", "resolved_parameters", "preset", "with_components"},
    "metrics": {"function"},
}
"""Functions of the registries for users."""


def functions(path):
    """Return the public functions of a file. For files that begin with an underscore, only those that `toolkit` exports.

    The function `formula` of all losses is described once, by the type `Formula`.
    """
    found = [node for node in ast.parse(path.read_text(encoding="utf-8")).body if isinstance(node, ast.FunctionDef)]
    public = [node for node in found if not node.name.startswith("_") and node.name != "formula"]
    return [node for node in public if node.name in toolkit.__all__] if path.stem.startswith("_") else public


PUBLIC = [(path, node) for path in FILES for node in functions(path)]


def is_called_by_users(path, name):
    room = path.parent.name
    if path.stem == "registry":
        return name in OF_USERS.get(room, ())
    return name == path.stem or path.stem.startswith("_") or (room == "statistics" and name != "compute")


def sections(text):
    """Return the sections of a docstring by title, in their order."""
    parts = re.split(r"^(\w+)\n(-+)\n", text, flags=re.MULTILINE)
    assert all(len(title) == len(line) for title, line in zip(parts[1::3], parts[2::3], strict=True))
    return dict(zip(parts[1::3], parts[3::3], strict=True))


@pytest.mark.parametrize(("path", "node"), PUBLIC, ids=[f"{path.parent.name}/{path.stem}.{node.name}" for path, node in PUBLIC])
def test_a_public_function_has_the_sections_that_apply(path, node):
    found = sections(ast.get_docstring(node) or "")
    arguments = [argument.arg for argument in (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs)]
    apply = {
        "Parameters": bool(arguments),
        "Returns": ast.unparse(node.returns) != "None",
        "Raises": any(isinstance(inner, ast.Raise) for inner in ast.walk(node)),
        "References": path.parent.name in ("losses", "metrics") and node.name == path.stem,
        "Examples": is_called_by_users(path, node.name),
    }
    assert [title for title, needed in apply.items() if needed and title not in found] == []
    assert list(found) == [title for title in SECTIONS if title in found]
    if node.args.kwarg is None:
        entries = re.findall(r"^(\w[\w, ]*) : ", found.get("Parameters", ""), flags=re.MULTILINE)
        assert [name for entry in entries for name in entry.split(", ")] == arguments


def entry(row):
    """Return a parameter of a loss in the form of the docstring."""
    kind = row.accepted.replace("`true` or `false`", "bool").replace("`null`", "None").replace("`", "'")
    value = {"null": "None", "true": "True", "false": "False"}.get(row.default, row.default)
    default = f"'{value}'" if f"'{value}'" in kind else value
    return f"{row.name} : {kind}, {'required' if value == 'required' else f'default {default}'} {row.meaning}"


@pytest.mark.parametrize("name", registry.names())
def test_the_parameters_and_the_source_of_a_loss_are_those_of_its_file(name):
    loss = registry.get(name)
    found = sections(ast.get_docstring(next(node for path, node in PUBLIC if path.stem == node.name == name)) or "")
    expected = " ".join(entry(row) for row in parameter_rows(loss.Parameters))
    assert " ".join(found.get("Parameters", "").split()) == " ".join(expected.split())
    assert " ".join(found["References"].split()) == loss.CITATION


def test_the_examples_hold():
    """In one process and without Keras, because losses are evaluated with NumPy."""
    ran, said = {}, io.StringIO()
    for path in FILES:
        module = importlib.import_module(f"workflow_lib.{path.parent.name}.{path.stem}")
        runner = doctest.DocTestRunner(verbose=False)
        for examples in doctest.DocTestFinder(exclude_empty=True).find(module):
            runner.run(examples, out=said.write)
        ran[path] = runner.summarize(verbose=False)
    assert sum(result.failed for result in ran.values()) == 0, said.getvalue()
    assert {path for path, node in PUBLIC if is_called_by_users(path, node.name)} <= {
        path for path, result in ran.items() if result.attempted
    }
