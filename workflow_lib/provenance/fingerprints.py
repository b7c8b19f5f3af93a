"""What a step's result depends on, as one digest: its settings and the code it can reach.

The code of a step is the closure of its module's imports inside `workflow_lib`. Comments, docstrings, descriptions of settings,
what a loss file tells about its loss, blank lines and trailing white space do not count, and the digest is the same on every
Python version, because it is taken from the text and not from a compiler's tree. Modules that are found by name at run time
(losses, dataset formats) are named as further roots by the caller, and so are files that are no part of the package.
"""

import ast
import functools
import io
import tokenize
from collections.abc import Iterable, Mapping
from pathlib import Path

from workflow_lib.base.files import canonical_json, sha256_text

SHORT = 12
"""Digits of a fingerprint where it is shown, or compared with one that is: 48 bits."""

PACKAGE = "workflow_lib"
PACKAGE_FOLDER = Path(__file__).resolve().parent.parent

NEUTRAL = frozenset(
    {
        "workflow_lib.base.version",
        "workflow_lib.base.durations",
        "workflow_lib.host.memory",
        "workflow_lib.host.gpus",
        "workflow_lib.provenance.fingerprints",
        "workflow_lib.provenance.records",
        "workflow_lib.training.attempts",
        "workflow_lib.training.budget",
        "workflow_lib.training.events",
        "workflow_lib.training.progress",
        "workflow_lib.steps._command",
    }
)
"""Modules that tell about a result and cannot change it. Edits of version, digests, records, memory, GPUs, progress, logs,
arguments rerun nothing."""


TOLD = frozenset({"LABEL", "CITATION", "EQUATION", "FAMILY", "BUILT_FROM", "PRESETS", "NOTES", "CURVES"})
"""What a loss file tells about its loss. It reaches a result through the settings of the steps that show it, or not at all."""


def fingerprint(settings: object, code: Iterable[str | Path]) -> str:
    """Return the digest (64 hexadecimal digits) of a step's settings and of the code that it reaches.

    `code` names modules of the package, and files that are no part of it (a loss of the user's own).
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
    """Return the digest of every module and file that the code reaches: module or file name to digest of its source."""
    code = list(code)
    modules = sorted({item for item in code if isinstance(item, str)})
    files = sorted({item for item in code if isinstance(item, Path)}, key=lambda file: file.name)
    sources = {file.name: file.read_text(encoding="utf-8-sig") for file in files}
    imported = {name for source in sources.values() for name in _imports_of(source, "")}
    reached = _table_of_modules(tuple(sorted({*modules, *imported})))
    return reached | {name: sha256_text(effective_source(source)) for name, source in sources.items()}


@functools.cache
def _table_of_modules(modules: tuple[str, ...]) -> dict[str, str]:
    return {name: _module(name)[1] for name in sorted(import_closure(modules))}


def source_digest(file: Path) -> str:
    """Return the digest of what a Python file says, without comments, docstrings and blank lines."""
    return sha256_text(effective_source(file.read_text(encoding="utf-8-sig")))


def import_closure(modules: Iterable[str]) -> set[str]:
    """Return the names of all modules of the package that `modules` import, directly or not, themselves included."""
    closure: set[str] = set()
    waiting = [name for module in modules for name in _with_parents(module)]
    while waiting:
        name = waiting.pop()
        if name not in closure and name not in NEUTRAL:
            closure.add(name)
            waiting += [parent for imported in _module(name)[0] for parent in _with_parents(imported)]
    return closure


@functools.cache
def module_path(name: str) -> Path | None:
    """Return the source file of a module of the package, or None when there is none of that name."""
    base = PACKAGE_FOLDER.parent.joinpath(*name.split("."))
    for candidate in (base.with_suffix(".py"), base / "__init__.py"):
        if candidate.is_file():
            return candidate
    return None


def _with_parents(name: str) -> list[str]:
    """Importing a.b.c runs a/__init__ and a.b/__init__ too."""
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
    return _imports_of(source, package), sha256_text(effective_source(source))


@functools.lru_cache(maxsize=1)
def _nodes(source: str) -> tuple[ast.AST, ...]:
    """Return all nodes of a source, the module first; the same source is asked for several times in a row."""
    return tuple(ast.walk(ast.parse(source)))


def _imports_of(source: str, package: str) -> frozenset[str]:
    found: set[str] = set()
    for node in _nodes(source):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = _absolute(node.module, node.level, package)
            found.add(base)
            found.update(f"{base}.{alias.name}" for alias in node.names)
    return frozenset(n for n in found if n.split(".")[0] == PACKAGE and module_path(n) is not None)


def _absolute(module: str | None, level: int, package: str) -> str:
    if level == 0:
        return module or ""
    parts = package.split(".")[: len(package.split(".")) - level + 1]
    return ".".join([*parts, *([module] if module else [])])


def effective_source(source: str) -> str:
    """Return Python source without comments, docstrings, `description=` texts, blank lines and trailing white space.

    Of a loss file also without what it tells about its loss (`TOLD`), unless its own code uses that.
    """
    lines = source.split("\n")
    for row, column in _comments(source):
        lines[row] = lines[row][:column]
    for first, start, last, end in _descriptions(source):
        lines[first], tail = lines[first][:start], lines[last][end:] if first != last else lines[first][end:]
        for row in range(first + 1, last + 1):
            lines[row] = ""
        lines[first] += tail
    for first, last in (*_docstrings(source), *_told(source)):
        # A docstring alone in a body needs no stand-in here: the text is compared, never run.
        for row in range(first, last + 1):
            lines[row] = ""
    return "\n".join(line.rstrip() for line in lines if line.strip())


def _comments(source: str) -> list[tuple[int, int]]:
    if "#" not in source:
        return []
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    return [(token.start[0] - 1, token.start[1]) for token in tokens if token.type == tokenize.COMMENT]


def _descriptions(source: str) -> list[tuple[int, int, int, int]]:
    """Return the places (row, column, last row, end column) of constant texts given as `description=`, the last one first."""
    nodes = [
        keyword.value
        for call in _nodes(source)
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id == "Field"
        for keyword in call.keywords
        if keyword.arg == "description" and isinstance(keyword.value, ast.Constant) and isinstance(keyword.value.value, str)
    ]
    places = []
    for node in nodes:
        text = source.split("\n")[node.lineno - 1]
        # The tree counts columns in bytes of UTF-8.
        start = len(text.encode()[: node.col_offset].decode())
        end_row = (node.end_lineno or node.lineno) - 1
        end = len(source.split("\n")[end_row].encode()[: node.end_col_offset].decode())
        places.append((node.lineno - 1, start, end_row, end))
    return sorted(places, reverse=True)


def _docstrings(source: str) -> list[tuple[int, int]]:
    """Return the line ranges of strings that stand alone as statements (docstrings, attribute documentation)."""
    return [
        (node.lineno - 1, (node.end_lineno or node.lineno) - 1)
        for node in _nodes(source)
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
        if _alone(source, node)
    ]


def _told(source: str) -> list[tuple[int, int]]:
    """Return the line ranges in which a loss file assigns a name of `TOLD` that nothing else in the file mentions."""
    tree = _nodes(source)[0]
    assert isinstance(tree, ast.Module)
    assigned = {name: node for node in tree.body for name in _assigned(node)}
    # A loss, or a network or an optimiser.
    if "NAME" not in assigned or not {"FAMILY", "CITATION"} & set(assigned):
        return []
    used = {node.id for node in _nodes(source) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)}
    nodes = [node for name, node in assigned.items() if name in TOLD - used and _alone(source, node)]
    return [(node.lineno - 1, (node.end_lineno or node.lineno) - 1) for node in nodes]


def _alone(source: str, node: ast.stmt) -> bool:
    """Return whether nothing but a comment shares the rows of a statement."""
    lines = source.split("\n")
    before = lines[node.lineno - 1].encode()[: node.col_offset].decode()
    after = lines[(node.end_lineno or node.lineno) - 1].encode()[node.end_col_offset :].decode().strip()
    return not before.strip() and (not after or after.startswith("#"))


def _assigned(node: ast.stmt) -> list[str]:
    """Return the name that a statement alone assigns to."""
    targets = node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
    return [targets[0].id] if len(targets) == 1 and isinstance(targets[0], ast.Name) else []
