"""The fingerprint of a step: one digest of its settings and of the code that it can reach.

The code of a step is the closure of its module's imports inside `workflow_lib`, reduced to what can change a result
(`source.py`). Rooms and modules that only control or report a run are left out, and their imports are not followed. The caller
names further roots: modules that are found by name at run time (losses, dataset formats), and files outside the package.
"""

import ast
import functools
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from workflow_lib.base.checkout import reports
from workflow_lib.base.files import canonical_json, sha256_file, sha256_text
from workflow_lib.provenance.source import effective_source, effective_tree

SHORT = 12
"""Number of hexadecimal digits of a fingerprint that is displayed, or compared with a displayed one: 48 bits."""

PACKAGE = "workflow_lib"
PACKAGE_FOLDER = Path(__file__).resolve().parent.parent

REPORTS = "reports/"
"""Prefix of the names of files that are not Python code."""

NEUTRAL_ROOMS = ("workflow_lib.host",)
"""Rooms about the machine: its memory, its free GPUs, signals."""

NEUTRAL = frozenset(
    {
        "workflow_lib.base.version",
        "workflow_lib.base.durations",
        "workflow_lib.datasets.download.progress",
        "workflow_lib.provenance.fingerprints",
        "workflow_lib.provenance.known",
        "workflow_lib.provenance.records",
        "workflow_lib.provenance.source",
        "workflow_lib.training.attempts",
        "workflow_lib.training.budget",
        "workflow_lib.training.events",
        "workflow_lib.training.progress",
        "workflow_lib.steps.command",
    }
)
"""Modules that describe a result or control how it is made, but cannot change it. An edit of version, digests, records, progress,
logs or arguments causes no job to run again."""


def fingerprint(settings: object, code: Iterable[str | Path]) -> str:
    """Return the digest (64 hexadecimal digits) of a step's settings and of the code that it reaches.

    `code` names modules of the package, files outside it (a user's loss), and files below `reports/`.
    """
    return combined(settings, code_digest(code))


def combined(settings: object, code: str) -> str:
    """Return the fingerprint of settings and of code whose digest is known."""
    return sha256_text(canonical_json({"settings": settings, "code": code}))


def code_digest(code: Iterable[str | Path]) -> str:
    """Return the digest of the import closure of modules and files, named as for `fingerprint`."""
    return table_digest(code_table(code))


def table_digest(table: Mapping[str, str]) -> str:
    """Return the digest of a table of code."""
    return sha256_text(canonical_json(dict(table)))


def code_table(code: Iterable[str | Path]) -> dict[str, str]:
    """Return the digest of every module and file that the code reaches: module or file name to digest of its source.

    Files that are not Python code (templates, published numbers) are digested byte by byte. Their names begin with `reports/`.
    """
    code = list(code)
    modules = sorted({item for item in code if isinstance(item, str)})
    paths = {item for item in code if isinstance(item, Path)}
    files = sorted((item for item in paths if item.suffix == ".py"), key=lambda file: file.name)
    others = sorted(paths - {*files})
    sources = {file.name: file.read_text(encoding="utf-8-sig") for file in files}
    imported = {name for source in sources.values() for name in _imports_of(ast.parse(source), "")}
    reached = _table_of_modules(tuple(sorted({*modules, *imported})))
    own = {name: sha256_text(effective_source(source)) for name, source in sources.items()}
    return reached | own | {report_name(path): _file_digest(path) for path in others}


def report_name(path: Path) -> str:
    """Return the name of a file of the project's folder `reports/` in a code table, independent of its location."""
    return f"{REPORTS}{path.relative_to(reports()).as_posix()}"


def report_file(name: str) -> Path | None:
    """Return the file that `report_name` names, or None if this checkout has no such file."""
    path = reports() / name.removeprefix(REPORTS)
    return path if name.startswith(REPORTS) and ".." not in name and path.is_file() else None


@functools.cache
def _file_digest(path: Path) -> str:
    return sha256_file(path)


@functools.cache
def _table_of_modules(modules: tuple[str, ...]) -> dict[str, str]:
    return {name: _module(name)[1] for name in sorted(import_closure(modules))}


def source_digest(file: Path) -> str:
    """Return the digest of the parts of a Python file that can change a result."""
    return sha256_text(effective_source(file.read_text(encoding="utf-8-sig")))


def import_closure(modules: Iterable[str]) -> set[str]:
    """Return the names of all modules of the package that `modules` import, directly or not, themselves included."""
    closure: set[str] = set()
    waiting = [name for module in modules for name in _with_parents(module)]
    while waiting:
        name = waiting.pop()
        if name not in closure and not is_neutral(name):
            closure.add(name)
            waiting += [parent for imported in _module(name)[0] for parent in _with_parents(imported)]
    return closure


_BODIES = ("body", "orelse", "finalbody", "handlers", "cases")
"""Fields of the syntax tree that hold statements, or nodes that hold statements."""


def is_neutral(name: str) -> bool:
    """Return whether a module is left out of every fingerprint, regardless of what imports it."""
    return name in NEUTRAL or any(name == room or name.startswith(f"{room}.") for room in NEUTRAL_ROOMS)


@functools.cache
def module_path(name: str) -> Path | None:
    """Return the source file of a module of the package, or None if it does not exist."""
    base = PACKAGE_FOLDER.parent.joinpath(*name.split("."))
    for candidate in (base.with_suffix(".py"), base / "__init__.py"):
        if candidate.is_file():
            return candidate
    return None


def _with_parents(name: str) -> list[str]:
    """Return a module and its parent packages: importing a.b.c also runs a/__init__ and a/b/__init__."""
    parts = name.split(".")
    return [".".join(parts[:length]) for length in range(1, len(parts) + 1)]


@functools.cache
def _module(name: str) -> tuple[frozenset[str], str]:
    """Return the modules of the package that a module imports, inside functions too, and the digest of its source."""
    path = module_path(name)
    if path is None:
        raise ModuleNotFoundError(f"no module {name}")
    package = name if path.name == "__init__.py" else name.rpartition(".")[0]
    source = path.read_text(encoding="utf-8")
    tree = ast.parse(source)
    return _imports_of(tree, package), sha256_text(effective_tree(tree, source))


def _imports_of(tree: ast.Module, package: str) -> frozenset[str]:
    found: set[str] = set()
    for node in _statements(tree):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = _absolute(node.module, node.level, package)
            found.add(base)
            found.update(f"{base}.{alias.name}" for alias in node.names)
    return frozenset(n for n in found if n.split(".")[0] == PACKAGE and module_path(n) is not None)


def _statements(node: ast.AST) -> Iterator[ast.stmt]:
    """Yield the statements inside a node, including those in functions and branches. Expressions contain no statements."""
    for field in _BODIES:
        for inner in getattr(node, field, ()):
            if isinstance(inner, ast.stmt):
                yield inner
            yield from _statements(inner)


def _absolute(module: str | None, level: int, package: str) -> str:
    if level == 0:
        return module or ""
    parts = package.split(".")[: len(package.split(".")) - level + 1]
    return ".".join([*parts, *([module] if module else [])])
