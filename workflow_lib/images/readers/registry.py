"""The readers of volume formats besides NIfTI, by the endings of their files."""

from pathlib import Path

from workflow_lib.images.readers import dicom, metaimage, mgh, nrrd, pair
from workflow_lib.images.readers.interface import Reader

READERS: tuple[Reader, ...] = (metaimage, nrrd, mgh, pair, dicom)
# Not a family that is found by name: all readers are part of what a step that reads images is made from.


def suffixes() -> tuple[str, ...]:
    """Return the endings of all readers, in lower case."""
    return tuple(suffix for reader in READERS for suffix in reader.SUFFIXES)


def reader_of(path: Path) -> Reader | None:
    """Return the reader of a file by its ending, or None."""
    suffix = path.suffix.lower()
    return next((reader for reader in READERS if suffix in reader.SUFFIXES), None)


def companions(path: Path) -> tuple[Path, ...]:
    """Return the further files that hold the voxels of a file."""
    reader = reader_of(path)
    # A pipe would never answer.
    return reader.companions(path) if reader is not None and path.is_file() else ()
