"""Families: folders in which every file is one member (a loss, a network, an optimiser, a metric, a table, a figure, a format).

Members are found by the names of their files, so that no list has to be edited to add one. Files whose names begin with an
underscore, and the family's `registry`, `interface` and `documentation`, are not members. In a family with an `entry`, a folder
that contains a module of that name is also a member.
"""

import ast
import difflib
import importlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

from workflow_lib.base.errors import UserError

PACKAGE_FOLDER = Path(__file__).resolve().parents[1]

OWN = frozenset({"registry", "interface", "documentation"})
"""Modules of a family's folder that are not members, in addition to those with an underscore."""


@dataclass(frozen=True)
class Listed:
    """The entry of a member's file in the report: title, path ({} stands for the dataset), and the columns that identify a row.

    `published`: whether it only has rows if a dataset is compared with published numbers.
    """

    title: str
    path: str
    keys: str
    published: bool = False


@dataclass(frozen=True)
class Family:
    """The members of one folder of the package.

    Parameters
    ----------
    package : str
        Dotted name of the folder in `workflow_lib`: ``"losses"``, ``"datasets.formats"``.
    noun : str
        Name of a member in messages: ``"loss"``.
    not_members : frozenset of str
        Further modules of the folder that are not members.
    entry : str
        Name of the module that makes a folder a member; "" if only files are members.
    """

    package: str
    noun: str
    not_members: frozenset[str] = frozenset()
    entry: str = ""

    def names(self) -> tuple[str, ...]:
        """Return the sorted names of all members, without importing them."""
        folders = _folders(self.package)
        found = {*_modules(folders), *(_entries(folders, self.entry) if self.entry else ())}
        return tuple(sorted(name for name in found if name not in self.not_members))

    def module(self, name: str) -> str:
        """Return the dotted name of a member's module, for example for a fingerprint."""
        own = f".{self.entry}" if self.entry and name in _entries(_folders(self.package), self.entry) else ""
        return f"workflow_lib.{self.package}.{name}{own}"

    def modules(self, names: Iterable[str] | None = None) -> list[str]:
        """Return the dotted names of the modules of the given members, or of all members."""
        return [self.module(name) for name in (self.names() if names is None else names)]

    def get(self, name: str) -> ModuleType:
        """Return a member's module. Raises UserError with the closest name if there is no such member."""
        if name not in self.names():
            raise UserError(self.unknown(name))
        return importlib.import_module(self.module(name))

    def facts(self, name: str) -> Mapping[str, Any]:
        """Return the constants of a member: the literals assigned to upper-case names at the top level of its file.

        They are read from the source without importing it, so that names and titles are available without loading large
        libraries.
        """
        if name not in self.names():
            raise UserError(self.unknown(name))
        return _facts(self.package, name)[0]

    def defines(self, name: str, function: str) -> bool:
        """Return whether a member's file defines a function of that name at its top level, without importing it."""
        if name not in self.names():
            raise UserError(self.unknown(name))
        return function in _facts(self.package, name)[1]

    def ordered(self) -> tuple[str, ...]:
        """Return the names sorted by the members' `ORDER`; members without it come last, by name."""
        return tuple(sorted(self.names(), key=lambda name: (float(self.facts(name).get("ORDER", "inf")), name)))

    def unknown(self, name: str, further: Iterable[str] = ()) -> str:
        """Return the message for a name that is neither a member nor one of the `further` accepted names."""
        known = (*self.names(), *further)
        close = difflib.get_close_matches(name, known, n=1)
        hint = f"did you mean {close[0]!r}? " if close else ""
        return f"there is no {self.noun} {name!r}; {hint}there are: {', '.join(known)}"


def _folders(package: str) -> tuple[str, ...]:
    """Return the folders of the members: that of the package, and those that a test adds."""
    return tuple(importlib.import_module(f"workflow_lib.{package}").__path__)


@cache
def _modules(folders: tuple[str, ...]) -> tuple[str, ...]:
    files = {path.stem for folder in folders for path in Path(folder).glob("*.py")}
    return tuple(sorted(name for name in files if not name.startswith("_") and name not in OWN))


@cache
def _facts(package: str, name: str) -> tuple[Mapping[str, Any], frozenset[str]]:
    """Return the literal constants of a member's file, and the names of its functions."""
    files = (Path(folder) / f"{name}.py" for folder in _folders(package))
    tree = ast.parse(next(file for file in files if file.is_file()).read_text(encoding="utf-8"))
    constants: dict[str, Any] = {}
    for node in tree.body:
        if isinstance(node, ast.Assign):
            targets, value = node.targets, node.value
        elif isinstance(node, ast.AnnAssign) and node.value is not None:
            targets, value = [node.target], node.value
        else:
            continue
        if len(targets) == 1 and isinstance(targets[0], ast.Name) and targets[0].id.isupper():
            try:
                constants[targets[0].id] = ast.literal_eval(value)
            except ValueError:
                continue  # The value is computed at import, so it is not a literal constant.
    return constants, frozenset(node.name for node in tree.body if isinstance(node, ast.FunctionDef))


@cache
def _entries(folders: tuple[str, ...], entry: str) -> tuple[str, ...]:
    return tuple(sorted(path.parent.name for folder in folders for path in Path(folder).glob(f"*/{entry}.py")))
