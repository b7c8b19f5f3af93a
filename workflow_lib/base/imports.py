"""Imports of large libraries that bring along only what is needed here.

Some import whatever is installed, for functions that nobody calls here; some are one module of a package that imports all others.
What is held back is held back during that one import: later everything can be imported as ever, but what was imported here does
without it as long as the process lives.
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
    """A finder that stands before all others and says of some packages, in one thread, that they are not installed."""

    def __init__(self, packages: Collection[str]) -> None:
        self._packages, self._thread = packages, threading.get_ident()

    def find_spec(self, name: str, path: object = None, target: object = None) -> ModuleSpec | None:
        """Raise ModuleNotFoundError for a refused package; of others this finder knows nothing."""
        if name in self._packages and threading.get_ident() == self._thread:
            raise ModuleNotFoundError(f"{name} is kept out of this import by workflow_lib/base/imports.py", name=name)
        return None


@contextlib.contextmanager
def lean(without: Collection[str]) -> Iterator[None]:
    """Within the block a large library is imported, without the top-level packages named, and at less cost.

    What is alive at its end, garbage included, is not looked through when Python looks for garbage later: nearly all of it stays.
    """
    with refused(without), uncollected(), type_names_compiled_once():
        yield
        gc.freeze()


@contextlib.contextmanager
def refused(packages: Collection[str]) -> Iterator[None]:
    """Within the block these top-level packages count as not installed, unless they were imported before.

    For libraries that do without them where they are not installed. Other threads can import them all the same.
    """
    refusal = _Refusal(packages)
    # A new list: another thread may be walking through the old one.
    sys.meta_path = [refusal, *sys.meta_path]
    try:
        yield
    finally:
        sys.meta_path = [finder for finder in sys.meta_path if finder is not refusal]


@contextlib.contextmanager
def uncollected() -> Iterator[None]:
    """Within the block Python looks for no garbage.

    What starts makes a million objects that stay, and Python would look through all of them a dozen times.
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
    """Within the block Python compiles every text that stands for a type once, and not each time it is met.

    TensorFlow names the types that each of its operations takes, eighteen thousand names of a few dozen types.
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
    """Import a module of a package without running the `__init__` of the packages it lies in, and return it.

    Where the package was imported before, its own module is returned. Otherwise none of its modules stays in `sys.modules`, so
    that a later import of the package runs as if this one had not been.
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
