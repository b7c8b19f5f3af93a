"""A room imports only from rooms above it in docs/architecture.md, nothing private from other rooms, and without cycles."""

import ast
import re
import subprocess
import sys

import pytest

from workflow_lib.provenance import layout
from workflow_lib.provenance.fingerprints import PACKAGE, PACKAGE_FOLDER


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


def modules():
    """Return the syntax tree of every module by its name; a package has the name of its folder."""
    paths = {
        ".".join(path.relative_to(PACKAGE_FOLDER.parent).with_suffix("").parts): path for path in PACKAGE_FOLDER.rglob("*.py")
    }
    return {name.removesuffix(".__init__"): ast.parse(path.read_text(encoding="utf-8")) for name, path in paths.items()}


def imported_names(tree):
    """Yield (module, name) of every import from the package, also inside functions; no name for `import m`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, "a relative import"
            module = node.module or ""
            yield from ((module, alias.name) for alias in node.names if module.split(".")[0] == PACKAGE)
        elif isinstance(node, ast.Import):
            yield from ((alias.name, "") for alias in node.names if alias.name.split(".")[0] == PACKAGE)


def is_private(name):
    return name.startswith("_") and not name.startswith("__")


def private_imports(trees):
    """Return `importer: name` for private names or modules of another room."""
    found = [
        f"{name}: {module}.{what}"
        for name, tree in trees.items()
        for module, what in imported_names(tree)
        if room_of(module) != room_of(name) and any(map(is_private, [*module.split("."), what]))
    ]
    for name, tree in trees.items():
        aliases = {what: f"{module}.{what}" for module, what in imported_names(tree) if f"{module}.{what}" in trees}
        found += [
            f"{name}: {aliases[node.value.id]}.{node.attr}"
            for node in ast.walk(tree)
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and is_private(node.attr)
            if node.value.id in aliases and room_of(aliases[node.value.id]) != room_of(name)
        ]
    return found


def circles(graph):
    """Return the groups of modules that import each other directly or indirectly, each sorted."""

    def reached(start):
        found: set[str] = set()
        waiting = [start]
        while waiting:
            new = graph[waiting.pop()] - found
            found |= new
            waiting += new
        return found

    closures = {name: reached(name) for name in graph}
    return {tuple(sorted(other for other in closures[name] if name in closures[other])) for name in graph} - {()}


def imports_of(trees):
    """Return module -> the modules of the package that it imports."""
    return {
        name: {whole if (whole := f"{module}.{what}") in trees else module for module, what in imported_names(tree)} & set(trees)
        for name, tree in trees.items()
    }


CIRCLES: dict[tuple[str, ...], str] = {}
"""Accepted import cycles, sorted, with the reason."""


def test_no_room_imports_what_is_private_to_another():
    assert private_imports(modules()) == []


def test_a_private_import_is_noticed_in_each_of_its_forms():
    sources = {
        "workflow_lib.above._inner": "_HIDDEN = OPEN = 1",
        "workflow_lib.above.open": "_hidden = shown = 1",
        "workflow_lib.above.same_room": "from workflow_lib.above._inner import OPEN",
        "workflow_lib.below.module": "def f():\n    from workflow_lib.above._inner import OPEN",
        "workflow_lib.below.name": "from workflow_lib.above.open import _hidden, shown",
        "workflow_lib.below.plain": "import workflow_lib.above._inner",
        "workflow_lib.below.attribute": "from workflow_lib.above import open\nopen._hidden, open.shown, open.__doc__",
    }
    assert private_imports({name: ast.parse(source) for name, source in sources.items()}) == [
        "workflow_lib.below.module: workflow_lib.above._inner.OPEN",
        "workflow_lib.below.name: workflow_lib.above.open._hidden",
        "workflow_lib.below.plain: workflow_lib.above._inner.",
        "workflow_lib.below.attribute: workflow_lib.above.open._hidden",
    ]


def test_no_modules_import_each_other_but_those_with_a_reason():
    assert circles(imports_of(modules())) == set(CIRCLES)


def test_a_circle_is_noticed_inside_functions_too():
    sources = {
        "workflow_lib.a": "from workflow_lib import b",
        "workflow_lib.b": "from workflow_lib.c import f",
        "workflow_lib.c": "def f():\n    import workflow_lib.a",
        "workflow_lib.d": "from workflow_lib import a",
    }
    graph = imports_of({name: ast.parse(source) for name, source in sources.items()})
    assert circles(graph) == {("workflow_lib.a", "workflow_lib.b", "workflow_lib.c")}


HEAVY = {"tensorflow", "keras", "miscnn", "numba"}
LIGHT = {"report_page": {"matplotlib", "statsmodels", "scipy.stats"}, "inspect": {"pandas", "matplotlib"}, "check": {"pandas"}}
"""Libraries that steps which run often, or for which a user waits, must not load."""
STEPS = sorted(layout.STEPS)


@pytest.mark.parametrize("step", STEPS)
def test_a_step_loads_no_more_than_it_needs_to_start(step):
    unwanted = sorted(HEAVY | LIGHT.get(step, set()))
    code = f"import sys, workflow_lib.steps.{step}; print(*[name for name in {unwanted} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], cwd=PACKAGE_FOLDER.parent, capture_output=True, text=True, check=True)
    assert done.stdout.split() == []
