"""What all kinds of pictures share: a file that is opened with care, what its header may claim, and errors that name it."""

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

MAX_PIXELS = 100_000_000
"""Pixels of one picture. Those of the datasets have less than a million and large photographs 50 million; this many take 100 MB
per channel of 8 bits. Whole-slide scans, which have more, do not fit a network as one image anyway."""
MAX_BYTES = 32 * MAX_PIXELS
"""Bytes of a picture's file that are read into memory: four samples of eight bytes for each of the most pixels."""

MEND = "Get the file again, or leave the case out (`exclude`)."
SAVE = "Save it again as PNG, or as TIFF without compression."
"""What to do, in messages."""

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
    """Decoded pixels (rows, columns, 1 or 3); with a palette (entries, 3), they are its indices."""

    pixels: np.ndarray
    palette: np.ndarray | None = None


class Reader(io.BufferedReader):
    """A file that is never asked for more than it has left, so that a wrong length in it takes no memory."""

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
    """Call the reader of the file's format; whatever goes wrong in it becomes a UserError that names the file.

    With `seen`, the digest of the file is noted there: it is read once into memory, hashed, and decoded from there.
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
        # Pillow raises OSError without a number for damaged files.
        raise (_damaged(path, error) if error.errno is None else unreadable(path, error)) from error
    except Exception as error:
        # Decoders stumble over damaged files in all sorts of ways: struct.error, KeyError, ValueError, RecursionError, ...
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
    """Keep Pillow strict, and Pillow and tifffile silent: what matters is told as an error."""
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
    """Return the format of a file by its first bytes."""
    begin = reader.read(64)
    reader.seek(0)
    for magic, kind in MAGIC.items():
        if begin.startswith(magic):
            return kind
    shown = f"it begins with {begin[:20]!r}" if begin else "it is empty"
    page = (
        " (an HTML page, as servers send in place of a file)" if begin.removeprefix(b"\xef\xbb\xbf").lstrip()[:1] == b"<" else ""
    )
    raise UserError(f"{path} is no PNG, TIFF, BMP, GIF or JPEG file: {shown}{page}. {MEND}")


def check_pixels(path: Path, rows: int, columns: int) -> None:
    """Raise UserError when a header tells of no pixel, or of too many."""
    if rows < 1 or columns < 1:
        raise UserError(f"{path} holds no pixel: by its header it has {rows} rows and {columns} columns. {MEND}")
    if rows * columns > MAX_PIXELS:
        raise UserError(
            f"{path} is of {columns} x {rows} pixels by its header; more than {MAX_PIXELS // 10**6} million are not read. "
            "Scale it down, or cut it into parts."
        )


def check_size(path: Path, claimed: float, possible: float, size: int, unit: str) -> None:
    """Raise UserError when a header claims more than a file of `size` bytes can hold."""
    if claimed > possible:
        raise UserError(
            f"{path} is cut short, or its header is wrong: the header claims {claimed:,.0f} {unit} "
            f"in a file of {describe_bytes(size)}. {MEND}"
        )


def check_single(path: Path, frames: int) -> None:
    """Raise UserError when there are several pictures in a file."""
    if frames > 1:
        raise UserError(f"{path} holds more than one picture (pages or frames). Save the one that counts by itself.")


def check_orientation(path: Path, orientation: Any) -> None:
    """Raise UserError when EXIF says that the picture is to be turned."""
    if orientation in range(2, 9):
        raise UserError(
            f"{path} is stored turned or mirrored (EXIF orientation {orientation}), which its mask need not be. "
            "Save the picture upright, without this mark, so that it lies as its mask does."
        )


def check_finite(path: Path, pixels: np.ndarray) -> None:
    """Raise UserError when a pixel is no number."""
    if pixels.dtype.kind == "f" and not np.isfinite(pixels).all():
        count = int(pixels.size - np.isfinite(pixels).sum())
        raise UserError(
            f"{path} holds {count} values that are not finite (NaN or infinity). Replace them, or leave the case out (`exclude`)."
        )


def check_palette(path: Path, picture: Picture) -> None:
    """Raise UserError when a pixel has a colour that the palette has not."""
    if picture.palette is not None and int(picture.pixels.max()) >= len(picture.palette):
        raise UserError(
            f"{path} is damaged: colour {int(picture.pixels.max())} is used, and its palette has {len(picture.palette)}. {MEND}"
        )


def native(pixels: np.ndarray) -> np.ndarray:
    """Return pixels in native byte order; of one bit, 0 and 255."""
    if pixels.dtype == np.bool_:
        return np.where(pixels, np.uint8(255), np.uint8(0))
    return pixels.astype(pixels.dtype.newbyteorder("="), copy=False)
