"""Common parts of all kinds of pictures: opening a file, checking the claims of its header, and errors that name it."""

import hashlib
import io
import logging
import os
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from workflow_lib.base.errors import UserError
from workflow_lib.images._files import check_regular, describe_bytes, unreadable
from workflow_lib.images.files_read import FilesRead, HashedFile
from workflow_lib.images.recognition import guess

MAX_PIXELS = 100_000_000
"""Limit of the pixels of a picture. Those of the datasets have less than a million, large photographs 50 million. This limit
takes 100 MB per 8-bit channel. Whole-slide scans have more and are too large for a network anyway.
"""
MAX_BYTES = 32 * MAX_PIXELS
"""Limit of the bytes of a picture file that are read into memory: four samples of eight bytes for each pixel of the largest."""

MEND = "Get the file again, or leave the case out (`exclude`)."
SAVE = "Save it again as PNG, or as TIFF without compression."
"""Remedies for messages."""

MAGIC = {
    b"\x89PNG\r\n\x1a\n": "PNG",
    b"GIF87a": "GIF",
    b"GIF89a": "GIF",
    b"BM": "BMP",
    b"\xff\xd8\xff": "JPEG",
    **dict.fromkeys((b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"), "TIFF"),
}

_Result = TypeVar("_Result")


@dataclass(frozen=True)
class Picture:
    """Decoded pixels (rows, columns, 1 or 3). With a palette (entries, 3), the pixels are its indices.

    `alpha` (rows, columns): the opacity, None if every pixel is opaque.
    """

    pixels: np.ndarray
    palette: np.ndarray | None = None
    alpha: np.ndarray | None = None


class Reader(io.BufferedReader):
    """A file that never reads more than what is left of it, so that a wrong length in it allocates no memory."""

    def __init__(self, file: io.FileIO | io.BytesIO) -> None:
        super().__init__(file)
        self.size = self.seek(0, io.SEEK_END)
        self.seek(0)

    def read(self, size: int | None = -1, /) -> bytes:
        left = max(self.size - self.tell(), 0)
        return super().read(left if size is None or size < 0 else min(size, left))


def readably(
    path: Path,
    tiff: Callable[[Path, Reader], _Result],
    other: Callable[[Path, Reader, str], _Result],
    seen: FilesRead | None = None,
) -> _Result:
    """Call the reader of the file's format. Convert all its errors to UserErrors that name the file.

    With `seen`, the file is read once into memory, hashed, and decoded from there.
    """
    check_regular(path)
    try:
        with _quietly(), Reader(io.FileIO(path, "rb") if seen is None else _in_memory(path, seen)) as reader:
            kind = _kind(path, reader)
            return tiff(path, reader) if kind == "TIFF" else other(path, reader, kind)
    except UserError:
        raise
    except MemoryError as error:
        raise UserError(f"{path} is too large for the memory here. Use a machine with more, or scale it down.") from error
    except OSError as error:
        # Pillow raises OSError without errno for damaged files.
        raise (_damaged(path, error) if error.errno is None else unreadable(path, error)) from error
    except Exception as error:
        # Decoders fail on damaged files with any exception: struct.error, KeyError, ValueError, RecursionError, ...
        raise _damaged(path, error) from error


def _in_memory(path: Path, seen: FilesRead) -> io.BytesIO:
    """Return the bytes of a file, their digest noted."""
    with open(path, "rb", buffering=0) as file:
        # Before the first byte: a file that changes from here on has another state or another digest.
        state = os.fstat(file.fileno())
        if state.st_size > MAX_BYTES:
            seen.add(path, state, HashedFile(file).digest_to_the_end())
            raise UserError(f"{path} is too large for a picture: {describe_bytes(state.st_size)}. {MEND}")
        content = file.read()
    seen.add(path, state, hashlib.sha256(content).hexdigest())
    return io.BytesIO(content)


def _damaged(path: Path, error: Exception) -> UserError:
    shown = " ".join(str(error).split())[:200] or type(error).__name__
    return UserError(f"{path} is damaged or cut short ({shown}). {MEND}")


@contextmanager
def _quietly() -> Iterator[None]:
    """Keep Pillow strict, and Pillow and tifffile silent. Relevant problems are raised as errors."""
    from PIL import ImageFile

    logger, lenient = logging.getLogger("tifffile"), ImageFile.LOAD_TRUNCATED_IMAGES
    disabled = logger.disabled
    logger.disabled, ImageFile.LOAD_TRUNCATED_IMAGES = True, False
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.disabled, ImageFile.LOAD_TRUNCATED_IMAGES = disabled, lenient


def _kind(path: Path, reader: Reader) -> str:
    """Return the format of a file from its first bytes."""
    begin = reader.read(64)
    reader.seek(0)
    for magic, kind in MAGIC.items():
        if begin.startswith(magic):
            return kind
    shown = f"it begins with {begin[:20]!r}" if begin else "it is empty"
    raise UserError(f"{path} is not a PNG, TIFF, BMP, GIF or JPEG file: {shown}{guess(begin)}. {MEND}")


def check_pixels(path: Path, rows: int, columns: int) -> None:
    """Raise UserError if a header has no pixels or too many."""
    if rows < 1 or columns < 1:
        raise UserError(f"{path} holds no pixel: by its header it has {rows} rows and {columns} columns. {MEND}")
    if rows * columns > MAX_PIXELS:
        raise UserError(
            f"{path} is of {columns} x {rows} pixels by its header; more than {MAX_PIXELS // 10**6} million are not read. "
            "Scale it down, or cut it into parts."
        )


def check_size(path: Path, claimed: float, possible: float, size: int, unit: str) -> None:
    """Raise UserError if a header claims more than a file of `size` bytes can hold."""
    if claimed > possible:
        raise UserError(
            f"{path} is cut short, or its header is wrong: the header claims {claimed:,.0f} {unit} "
            f"in a file of {describe_bytes(size)}. {MEND}"
        )


def check_single(path: Path, frames: int) -> None:
    """Raise UserError if a file contains several pictures."""
    if frames > 1:
        raise UserError(
            f"{path} holds more than one picture (pages or frames). Save the one that counts by itself; convert a volume in TIFF "
            "(a stack) to NIfTI."
        )


def check_orientation(path: Path, orientation: Any) -> None:
    """Raise UserError if EXIF requires a rotation or reflection."""
    if orientation in range(2, 9):
        raise UserError(
            f"{path} is stored turned or mirrored (EXIF orientation {orientation}), which its mask need not be. "
            "Save the picture upright, without this mark, so that it lies as its mask does."
        )


def check_finite(path: Path, pixels: np.ndarray) -> None:
    """Raise UserError if a pixel is NaN or infinite."""
    if pixels.dtype.kind == "f" and not np.isfinite(pixels).all():
        count = int(pixels.size - np.isfinite(pixels).sum())
        raise UserError(
            f"{path} holds {count} values that are not finite (NaN or infinity). Replace them, or leave the case out (`exclude`)."
        )


def check_palette(path: Path, picture: Picture) -> None:
    """Raise UserError if a pixel uses a colour that is not in the palette."""
    if picture.palette is not None and int(picture.pixels.max()) >= len(picture.palette):
        raise UserError(
            f"{path} is damaged: colour {int(picture.pixels.max())} is used, and its palette has {len(picture.palette)}. {MEND}"
        )


def not_opaque(alpha: np.ndarray) -> np.ndarray | None:
    """Return opacities, or None if every pixel is opaque."""
    opaque = np.iinfo(alpha.dtype).max if alpha.dtype.kind in "iu" else 1
    return None if (alpha == opaque).all() else np.ascontiguousarray(alpha)


def native(pixels: np.ndarray) -> np.ndarray:
    """Return pixels in native byte order; 1-bit pixels become 0 and 255."""
    if pixels.dtype == np.bool_:
        return np.where(pixels, np.uint8(255), np.uint8(0))
    return pixels.astype(pixels.dtype.newbyteorder("="), copy=False)
