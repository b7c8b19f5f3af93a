"""The dataset formats: every module of this package that is no helper is one, under its file's name."""

import difflib
import importlib
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import cast

from workflow_lib.cases import Case, LabelMap, Reading
from workflow_lib.datasets._format import Format, Options
from workflow_lib.errors import UserError

HELPERS = frozenset({"check", "documentation", "download", "inspection", "phantom", "registry"})
"""Modules of this package that are no formats; so are those whose names begin with an underscore."""


@cache
def formats() -> tuple[str, ...]:
    """Return the names of all formats, sorted. Imports none of them."""
    names = (path.stem for path in Path(__file__).parent.glob("*.py"))
    return tuple(sorted(name for name in names if not name.startswith("_") and name not in HELPERS))


def get(name: str) -> Format:
    """Return the module of a format. Raises UserError for a name that is none."""
    if name not in formats():
        close = difflib.get_close_matches(name, formats(), n=1)
        hint = f"did you mean {close[0]!r}? " if close else ""
        raise UserError(f"format: there is no {name!r}; {hint}known formats: {', '.join(formats())}")
    return cast(Format, importlib.import_module(f"workflow_lib.datasets.{name}"))


def faults(name: str, source: str, phantom_kind: str | None = None, options: Options | None = None) -> list[str]:
    """Return what is wrong with a dataset's format, source, kind of phantom and options, one sentence per fault.

    `source` is folder, download or phantom; a kind of None is not looked at. Reads no data.
    """
    try:
        module = get(name)
    except UserError as error:
        return [str(error)]
    found = module.option_faults(options or {})
    if source == "download" and not module.DOWNLOADABLE:
        found.append(f"source: {module.LABEL} cannot be downloaded without registration; use `source: folder`")
    if source == "phantom" and module.PHANTOM is None:
        found.append(f"source: there is no phantom in the format {name}")
    elif source == "phantom" and phantom_kind not in (None, module.PHANTOM):
        found.append(f"phantom.kind: in the format {name} it must be {module.PHANTOM}; it is {phantom_kind}")
    return found


def find_cases(name: str, root: Path, options: Options | None = None) -> list[Case]:
    """Return the labelled cases of a dataset, sorted by identifier. Raises UserError where the layout is not found."""
    with _readable():
        return get(name).find_cases(Path(root), options or {})


def label_map(name: str, root: Path, options: Options | None = None) -> LabelMap:
    """Return the classes of a dataset. Raises UserError where the format reads them from a file that is missing."""
    with _readable():
        return get(name).label_map(Path(root), options or {})


def reading(name: str, root: Path, options: Options | None = None) -> Reading:
    """Return how the files of a dataset are read. Raises UserError where a file that tells it is missing or unusable."""
    with _readable():
        return get(name).reading(Path(root), options or {})


@contextmanager
def _readable() -> Iterator[None]:
    """Turn what the file system refuses, such as a folder that may not be entered, into a UserError."""
    try:
        yield
    except OSError as error:
        raise UserError(f"{error.filename} cannot be read: {error.strerror or error}. Check its permissions.") from error


def instructions(name: str) -> str:
    """Return how to get the data, under which terms, and which layout is looked for."""
    return get(name).INSTRUCTIONS
