"""The dataset formats. Every file of this folder is one, named after the format."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import cast

from workflow_lib.base.errors import UserError
from workflow_lib.base.families import Family
from workflow_lib.datasets.formats.interface import Format, Options
from workflow_lib.images.cases import Case, LabelMap, Reading
from workflow_lib.images.readers.registry import companions

FAMILY = Family("datasets.formats", "dataset format", frozenset({"layouts"}))


def formats() -> tuple[str, ...]:
    """Return the sorted names of all formats, without importing them."""
    return FAMILY.names()


def get(name: str) -> Format:
    """Return the module of a format. Raises UserError if the name is unknown."""
    if name not in formats():
        raise UserError(f"format: {FAMILY.unknown(name)}")
    return cast(Format, FAMILY.get(name))


def faults(name: str, source: str, phantom_kind: str | None = None, options: Options | None = None) -> list[str]:
    """Return the faults of a dataset's format, source, kind of phantom and options, one sentence per fault.

    `source` is folder, download or phantom. A kind of None is not checked. No data is read.
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
    """Return the labelled cases of a dataset, sorted by identifier. Raises UserError if the layout is not found."""
    with _readable():
        return [_with_companions(case) for case in get(name).find_cases(Path(root), options or {})]


def _with_companions(case: Case) -> Case:
    others = tuple(other for path in case.files for other in companions(path))
    return replace(case, companions=others) if others else case


def label_map(name: str, root: Path, options: Options | None = None) -> LabelMap:
    """Return the classes of a dataset. Raises UserError if the format reads them from a file that is missing."""
    with _readable():
        return get(name).label_map(Path(root), options or {})


def reading(name: str, root: Path, options: Options | None = None) -> Reading:
    """Return how the files of a dataset are read. Raises UserError if a file with this information is missing or invalid."""
    with _readable():
        return get(name).reading(Path(root), options or {})


@contextmanager
def _readable() -> Iterator[None]:
    """Convert an OSError, for example for a folder without permission, to a UserError."""
    try:
        yield
    except OSError as error:
        raise UserError(f"{error.filename} cannot be read: {error.strerror or error}. Check its permissions.") from error
