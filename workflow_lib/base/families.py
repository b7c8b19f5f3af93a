"""Families: folders in which every file is one member (a loss, a network, an optimiser, a metric, a table, a figure, a format).

A member is found by the name of its file, so that adding one touches no list. Files whose names begin with an underscore, and the
family's own `registry` and `interface`, are no members.
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
    """

    package: str
    noun: str
    not_members: frozenset[str] = frozenset()

    def names(self) -> tuple[str, ...]:
        """Return the names of all members, sorted. Imports none of them."""
        folders = importlib.import_module(f"workflow_lib.{self.package}").__path__
        return tuple(name for name in _modules(tuple(folders)) if name not in self.not_members)

    def module(self, name: str) -> str:
        """Return the dotted name of a member's module, for a fingerprint."""
        return f"workflow_lib.{self.package}.{name}"

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
def _modules(folders: tuple[str, ...]) -> tuple[str, ...]:
    files = {path.stem for folder in folders for path in Path(folder).glob("*.py")}
    return tuple(sorted(name for name in files if not name.startswith("_") and name not in OWN))
