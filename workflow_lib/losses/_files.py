"""Reading of a user's loss file: a Python file outside the package."""

import ast
import importlib.util
import sys
import traceback
from pathlib import Path
from types import ModuleType

from workflow_lib.base.errors import UserError

HEAVY = ("tensorflow", "keras", "torch", "jax", "miscnn")
"""Libraries that the process of Snakemake must not load.

This process reads the loss files, because it checks their parameters.
"""

OWN_PACKAGE = __name__.split(".")[0]
LOSSES = __name__.rpartition(".")[0]

FINDS_BY_NAME = ("registry", "documentation", "_files", "*")
"""Modules that give access to losses by name, which the fingerprint cannot follow.

`*` imports all of them.
"""


def read_module(path: Path, source: str) -> ModuleType:
    """Return the module that is defined by the source of a Python file, without writing bytecode.

    Raises UserError with the reason and the line, for example if the file name is not a valid function
    name, if the source is not valid Python, if it imports what a loss file may not, or if its execution
    fails.
    """
    if not path.stem.isidentifier() or path.stem.startswith("_"):
        raise UserError(f"The loss file {path} must have a name of letters, digits and '_', that of the function in it.")
    try:
        tree = ast.parse(source, filename=str(path))
    except (SyntaxError, ValueError) as error:
        line = getattr(error, "lineno", None)
        raise UserError(f"The loss file {path} is no Python{f', line {line}' if line else ''}: {error}.") from None
    _check_imports(tree, path)
    _check_attributes(tree, path)
    module = ModuleType(f"loss_file_{path.stem}")
    module.__file__ = str(path)
    # Pydantic resolves the type names of a model's fields in the module registered under this name.
    sys.modules[module.__name__] = module
    try:
        exec(compile(tree, str(path), "exec"), module.__dict__)
    except (Exception, SystemExit) as error:
        lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(path)]
        where = f", line {lines[-1]}" if lines else ""
        raise UserError(f"The loss file {path} cannot be read{where}: {type(error).__name__}: {error}.") from None
    return module


def source_of(path: Path) -> str:
    """Return the text of a loss file. Raises UserError if it is missing or not a text file."""
    try:
        return path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        place = "" if path.is_absolute() else f" in {Path.cwd()}"
        raise UserError(f"The loss file {path} does not exist{place}; a relative path starts at the working directory.") from None
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"The loss file {path} cannot be read: {error}.") from None


def _check_imports(tree: ast.Module, path: Path) -> None:
    """Reject heavy imports outside functions, and imports of code that is not in the fingerprint."""
    at_reading = _imports(tree, inside_functions=False)
    for node in _imports(tree, inside_functions=True):
        where = f"The loss file {path}, line {node.lineno},"
        modules = [alias.name for alias in node.names] if isinstance(node, ast.Import) else [node.module or ""]
        if (isinstance(node, ast.ImportFrom) and node.level) or any(_is_own_file(name, path.parent) for name in modules):
            raise UserError(
                f"{where} imports from another file of yours. A loss is one file, so that "
                "its changes are noticed; import from workflow_lib.losses or from installed packages."
            )
        names = modules if isinstance(node, ast.Import) else [f"{node.module}.{alias.name}" for alias in node.names]
        for name in names:
            _check_followed(name, where)
        absent = [name for name in modules if not _is_there(name)]
        if absent:
            raise UserError(f"{where} imports {absent[0]}, which is not installed.")
        heavy = [name for name in modules if name.split(".")[0] in HEAVY and node in at_reading]
        if heavy:
            raise UserError(
                f"{where} imports {heavy[0]}. The workflow reads the file before anything is "
                "trained and does not load that library there: use the operations `ops` that the formula is given, or import "
                "inside the formula."
            )


def _check_followed(name: str, where: str) -> None:
    """Reject a module or name through which the loss can use code that is not in its fingerprint."""
    package, inside = name.split(".")[0], name.removeprefix(f"{LOSSES}.").split(".")[0]
    if package == "importlib" or (package == OWN_PACKAGE and inside in FINDS_BY_NAME):
        raise UserError(
            f"{where} finds other code by its name, whose changes would go unnoticed. "
            "Import a loss itself: from workflow_lib.losses import focal."
        )
    if package == OWN_PACKAGE and not name.startswith(f"{LOSSES}."):
        raise UserError(
            f"{where} imports {name}, through which it could reach code whose changes would go unnoticed. Of {OWN_PACKAGE} "
            f"import {LOSSES}.toolkit, which has what losses share, or a loss itself: from {LOSSES} import focal."
        )
    if package == OWN_PACKAGE and inside == "weighted_sum":
        raise UserError(
            f"{where} imports {LOSSES}.weighted_sum, which finds its terms by their names: their changes would go unnoticed. "
            "Compose the sum in the study's YAML instead (loss: weighted_sum, with its terms under parameters; see "
            f"docs/losses.md), or import the losses themselves: from {LOSSES} import focal."
        )


def _check_attributes(tree: ast.Module, path: Path) -> None:
    """Reject the use of an attribute `registry`, which builds losses by name.

    The attribute is available as soon as the package is imported.
    """
    attributes = (node for node in ast.walk(tree) if isinstance(node, ast.Attribute))
    lines = [node.lineno for node in attributes if node.attr == "registry"]
    if lines:
        raise UserError(
            f"The loss file {path}, line {min(lines)}, uses registry, which finds a loss by its name: changes of that loss would "
            f"go unnoticed. Import the loss itself: from {LOSSES} import focal; or compose losses in the study's YAML "
            "(loss: weighted_sum, see docs/losses.md)."
        )


def _is_there(module: str) -> bool:
    name = module.split(".")[0]
    try:
        return name in sys.modules or importlib.util.find_spec(name) is not None
    except (ImportError, ValueError):
        return False


def _is_own_file(module: str, folder: Path) -> bool:
    """Return whether a module is a user's file.

    It is then not part of the standard library, of this package or of an installed package. A file in the
    `folder` of the loss also counts if Python would not find it, because the import refers to that file.
    """
    name = module.split(".")[0]
    if name in sys.stdlib_module_names or name == OWN_PACKAGE:
        return False
    if not _is_there(name):
        return (folder / f"{name}.py").is_file() or (folder / name).is_dir()
    try:
        spec = importlib.util.find_spec(name)
    except (ImportError, ValueError):
        return False
    origin = None if spec is None else spec.origin or next(iter(spec.submodule_search_locations or []), None)
    return origin is not None and not {"site-packages", "dist-packages"} & set(Path(origin).parts)


def _imports(tree: ast.Module, inside_functions: bool) -> list[ast.Import | ast.ImportFrom]:
    """Return the imports of a file in the order of their lines."""
    found: list[ast.Import | ast.ImportFrom] = []
    waiting: list[ast.AST] = [tree]
    while waiting:
        node = waiting.pop()
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            found.append(node)
        elif inside_functions or not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
            waiting += ast.iter_child_nodes(node)
    return sorted(found, key=lambda node: node.lineno)
