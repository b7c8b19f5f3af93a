"""Read the bytes of image files, compressed or not, with a check of their size and with errors that name the file."""

import gzip
import os
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TypeVar

from workflow_lib.base.errors import UserError

_GZIP_MAGIC = b"\x1f\x8b"
_CHUNK = 1 << 20
"""Bytes that are skipped at a time."""
_MAX_EXPANSION = 1032
"""Largest compression ratio of deflate: its longest match of 258 bytes takes at least two bits."""
_MAX_TRAILER = 64 << 20
"""Limit of bytes that are read after the voxels of a compressed file to reach its checksum. No program appends that much."""
EXCLUDE = "leave the case out (`exclude`)"
MEND = "Get the file again, or leave the case out (`exclude`)."
_Result = TypeVar("_Result")


def unreadable(path: Path, error: OSError) -> UserError:
    """Return the UserError for a file that cannot be read."""
    if isinstance(error, FileNotFoundError):
        return UserError(f"{path} does not exist. Check the path, or get the file.")
    if isinstance(error, IsADirectoryError):
        return UserError(f"{path} is a folder, not a file with an image. Name the file in it.")
    if isinstance(error, PermissionError):
        return UserError(f"{path} cannot be read: you have no permission. Change it with chmod, or ask its owner.")
    return UserError(f"{path} cannot be read: {error.strerror or error}. Check the disk, then run the command again.")


def describe_bytes(count: int) -> str:
    """Return a number of bytes as text, exact below one megabyte."""
    if count < 10**6:
        return f"{count:,} bytes"
    return f"{count / 10**6:,.1f} MB" if count < 10**9 else f"{count / 10**9:,.1f} GB"


@dataclass(frozen=True)
class Stream:
    """The uncompressed bytes of a file: `file` reads them; `size` is the size of the file itself."""

    file: IO[bytes]
    size: int
    compressed: bool

    @property
    def capacity(self) -> int:
        """Upper bound of the number of uncompressed bytes."""
        return _MAX_EXPANSION * self.size if self.compressed else self.size


def readably(path: Path, read: Callable[[Stream], _Result]) -> _Result:
    """Call `read` with the file's uncompressed bytes. Convert reading errors to UserErrors that name the file."""
    try:
        with _opened(path) as stream:
            return read(stream)
    except EOFError as error:
        raise UserError(f"{path} is cut short: its end is missing, as after a broken download. {MEND}") from error
    except (gzip.BadGzipFile, zlib.error) as error:
        raise UserError(f"{path} is damaged: its compressed data are not valid ({error}). {MEND}") from error
    except MemoryError as error:
        raise UserError(f"{path} is too large for the memory here. Use a machine with more, or {EXCLUDE}.") from error
    except OSError as error:
        raise unreadable(path, error) from error


@contextmanager
def _opened(path: Path) -> Iterator[Stream]:
    """Open a file for reading. The content, not the name, determines whether it is decompressed."""
    if path.exists() and not (path.is_file() or path.is_dir()):
        # A pipe or a device may be endless or block forever.
        raise UserError(f"{path} is no regular file. Name the file that holds the image.")
    with open(path, "rb") as file:
        size = os.fstat(file.fileno()).st_size
        compressed = file.read(2) == _GZIP_MAGIC
        file.seek(0)
        if compressed:
            with gzip.GzipFile(fileobj=file, mode="rb") as stream:
                yield Stream(stream, size, compressed)  # type: ignore[arg-type]  # a GzipFile reads like any binary file
        else:
            yield Stream(file, size, compressed)


def check_size(path: Path, stream: Stream, offset: int, claimed: int) -> None:
    """Raise UserError if a file cannot contain what its header claims. `offset` is the first byte of the voxels."""
    if claimed <= stream.capacity:
        return
    at_most = f", which unpack to {describe_bytes(stream.capacity)} at most" if stream.compressed else ""
    raise UserError(
        f"{path} is cut short, or its header is wrong: the header claims {describe_bytes(claimed)} (voxels from byte {offset}) "
        f"in a file of {describe_bytes(stream.size)}{at_most}. {MEND}"
    )


def exactly(stream: IO[bytes], count: int) -> bytes:
    block = stream.read(count)
    if len(block) < count:
        raise EOFError
    return block


def skip(file: IO[bytes], count: int) -> None:
    while count > 0:
        count -= len(exactly(file, min(count, _CHUNK)))


def read_to_the_end(path: Path, file: IO[bytes]) -> None:
    """Read the bytes after the voxels of a compressed file, so that its checksum is verified."""
    read = 0
    while chunk := file.read(_CHUNK):
        read += len(chunk)
        if read > _MAX_TRAILER:
            raise UserError(f"{path} goes on for more than {describe_bytes(_MAX_TRAILER)} after its voxels. {MEND}")
