"""Import large libraries without optional dependencies that are not needed here.

Some libraries import optional packages if they are installed; some modules belong to a package that imports all others. Both
are
suppressed during one import. Later imports are not affected, but a library imported here works without these packages until the
process ends.
"""

import contextlib
import functools
import gc
import importlib
import importlib.util
import sys
import threading
import types
import typing
from collections.abc import Collection, Iterator
from importlib.machinery import ModuleSpec
from typing import Any


class _Refusal:
    """A finder that, in one thread, reports some packages as not installed. It must be the first finder."""

    def __init__(self, packages: Collection[str]) -> None:
        self._packages, self._thread = packages, threading.get_ident()

    def find_spec(self, name: str, path: object = None, target: object = None) -> ModuleSpec | None:
        """Raise ModuleNotFoundError for a refused package; return None for others."""
        if name in self._packages and threading.get_ident() == self._thread:
            raise ModuleNotFoundError(f"{name} is kept out of this import by workflow_lib/base/imports.py", name=name)
        return None


@contextlib.contextmanager
def lean(without: Collection[str]) -> Iterator[None]:
    """Within the `with` statement, import a large library faster and without the given top-level packages.

    At the end, all existing objects are excluded from later garbage collections, because nearly all of them are permanent.
    """
    with refused(without), uncollected(), type_names_compiled_once():
        yield
        gc.freeze()


@contextlib.contextmanager
def refused(packages: Collection[str]) -> Iterator[None]:
    """Within the `with` statement, treat these top-level packages as not installed, unless they are already imported.

    Suitable for libraries that work without them. Imports in other threads are not affected.
    """
    refusal = _Refusal(packages)
    # A new list, because another thread may be iterating over the old one.
    sys.meta_path = [refusal, *sys.meta_path]
    try:
        yield
    finally:
        sys.meta_path = [finder for finder in sys.meta_path if finder is not refusal]


@contextlib.contextmanager
def uncollected() -> Iterator[None]:
    """Within the `with` statement, disable garbage collection.

    The imports create a million permanent objects, and each collection would traverse all of them.
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


@contextlib.contextmanager
def type_names_compiled_once() -> Iterator[None]:
    """Within the `with` statement, compile each string that names a type only once.

    TensorFlow annotates its operations with eighteen thousand strings, which name only a few dozen types.
    """
    place = typing.__dict__
    if "compile" in place:
        yield
        return
    place["compile"] = functools.cache(compile)
    try:
        yield
    finally:
        place.pop("compile", None)


def module_alone(name: str) -> Any:
    """Import a module without running the `__init__` of its parent packages, and return it.

    If the package is already imported, its own module is returned. Otherwise no module of the package remains in `sys.modules`,
    so
    that a later import of the package is not affected.
    """
    parents = [name[:place] for place, letter in enumerate(name) if letter == "."]
    top = parents[0]
    if top in sys.modules:
        return importlib.import_module(name)
    spec = importlib.util.find_spec(top)
    if spec is None or spec.submodule_search_locations is None:
        raise ModuleNotFoundError(f"No module named {top!r}", name=top)
    folders = list(spec.submodule_search_locations)
    try:
        for parent in parents:
            package = types.ModuleType(parent)
            package.__path__ = [folder + parent.removeprefix(top).replace(".", "/") for folder in folders]
            sys.modules[parent] = package
        return importlib.import_module(name)
    finally:
        for loaded in [other for other in sys.modules if other == top or other.startswith(f"{top}.")]:
            del sys.modules[loaded]
