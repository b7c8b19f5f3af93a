"""Families: folders in which every file is one member (a loss, a network, an optimiser, a metric, a table, a figure, a format).

A member is found by the name of its file, so that adding one touches no list. Files whose names begin with an underscore, and the
family's own `registry` and `interface`, are no members. In a family with an `entry`, a folder that holds a module of that name
is a member, too.
"""

import difflib
import importlib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import ModuleType

from workflow_lib.base.errors import UserError

OWN = frozenset({"registry", "interface", "documentation"})
"""Modules of a family's folder, beside those with an underscore, that are no members."""

PACKAGE_FOLDER = Path(__file__).resolve().parents[1]


@dataclass(frozen=True)
class Family:
    """The members of one folder of the package.

    Parameters
    ----------
    package : str
        Dotted name of the folder below `workflow_lib`: ``"losses"``, ``"datasets.formats"``.
    noun : str
        What a member is called in messages: ``"loss"``.
    not_members : frozenset of str
        Further modules of the folder that are no members.
    entry : str
        Name of the module by which a folder is a member; "" where only files are.
    """

    package: str
    noun: str
    not_members: frozenset[str] = frozenset()
    entry: str = ""

    def names(self) -> tuple[str, ...]:
        """Return the names of all members, sorted. Imports none of them."""
        found = [*_modules(self.package), *(_folders(self.package, self.entry) if self.entry else ())]
        return tuple(sorted(name for name in found if name not in self.not_members))

    def module(self, name: str) -> str:
        """Return the dotted name of a member's module, for a fingerprint."""
        own = f".{self.entry}" if self.entry and name in _folders(self.package, self.entry) else ""
        return f"workflow_lib.{self.package}.{name}{own}"

    def get(self, name: str) -> ModuleType:
        """Return a member's module. Raises UserError for a name that is none, with the nearest one."""
        if name not in self.names():
            raise UserError(self.unknown(name))
        return importlib.import_module(self.module(name))

    def unknown(self, name: str) -> str:
        """Return what to say of a name that is no member's."""
        close = difflib.get_close_matches(name, self.names(), n=1)
        hint = f"did you mean {close[0]!r}? " if close else ""
        return f"there is no {self.noun} {name!r}; {hint}there are: {', '.join(self.names())}"


@cache
def _modules(package: str) -> tuple[str, ...]:
    folder = PACKAGE_FOLDER.joinpath(*package.split("."))
    return tuple(sorted(p.stem for p in folder.glob("*.py") if not p.stem.startswith("_") and p.stem not in OWN))


@cache
def _folders(package: str, entry: str) -> tuple[str, ...]:
    folder = PACKAGE_FOLDER.joinpath(*package.split("."))
    return tuple(sorted(path.parent.name for path in folder.glob(f"*/{entry}.py")))
