"""Unpack an untrusted tar archive completely into one folder, or not at all."""

import gzip
import os
import shutil
import tarfile
import unicodedata
import zlib
from collections.abc import Iterable
from pathlib import Path, PurePosixPath
from typing import IO, Any

from workflow_lib.base.errors import UserError
from workflow_lib.images.cases import alike

MOST_MEMBERS = 200_000
LONGEST_PART = 255
"""Limit of the length of a file name in bytes, as in common file systems."""
LARGEST_RATIO = 200
"""Limit of the compression ratio. Images are far below it, decompression bombs far above."""
LARGEST_HEADER = 16 << 20
"""Limit of bytes that tarfile may read at once. It reads headers with long names that way, not contents."""
_CHUNK = 1 << 20
_BROKEN = (tarfile.TarError, EOFError, zlib.error, ValueError, OverflowError, MemoryError, RecursionError)


def unpack(archive: Path, folder: Path) -> None:
    """Unpack a tar archive, compressed with gzip or not, into the empty folder `folder`.

    Resource forks of macOS (._name) are skipped. Permissions and owners in the archive are ignored.
    Raises UserError, before anything is written, if a member is a link or a device, if a name is absolute, leads outside the
    folder
    or is invalid, if two names are the same file on some systems, and if the contents are too large for the disk or in relation
    to
    the archive; also raises UserError if the archive is damaged.
    """
    try:
        with open(archive, "rb") as file:
            compressed = file.read(2) == b"\x1f\x8b"
            file.seek(0)
            if not compressed:
                _unpack(archive, file, folder)
                return
            with gzip.GzipFile(fileobj=file) as stream:
                _unpack(archive, stream, folder)
                _to_the_end(archive, stream)
    except OSError as error:
        if isinstance(error, gzip.BadGzipFile):
            raise UserError(f"{archive} is not a valid tar archive ({error}). Delete it and run again.") from error
        raise UserError(f"{archive} cannot be unpacked into {folder}: {error.strerror or error}. Run again to go on.") from error
    except _BROKEN as error:
        raise UserError(
            f"{archive} is not a valid tar archive ({error or type(error).__name__}). Delete it and run again."
        ) from error


def _to_the_end(archive: Path, stream: gzip.GzipFile) -> None:
    """Read up to gzip's checksum. Raises EOFError or BadGzipFile if it is missing or wrong."""
    most = LARGEST_RATIO * archive.stat().st_size
    while stream.read(_CHUNK):
        if stream.tell() > most:
            raise _unsafe(archive, f"it goes on for more than {most} bytes")


class _Headers:
    """A file object for tarfile that refuses the huge reads which a forged header requests."""

    def __init__(self, file: IO[bytes] | gzip.GzipFile) -> None:
        self._file = file

    def read(self, size: int = -1) -> bytes:
        if not 0 <= size <= LARGEST_HEADER:
            raise tarfile.ReadError(f"a header of {size} bytes")
        return self._file.read(size)

    def seek(self, position: int, whence: int = 0) -> int:
        return self._file.seek(position, whence)

    def tell(self) -> int:
        return self._file.tell()


def _unpack(archive: Path, file: IO[bytes] | gzip.GzipFile, folder: Path) -> None:
    headers: Any = _Headers(file)
    with tarfile.open(fileobj=headers, mode="r:") as tar:
        members = list(_wanted(archive, tar))
        _check_space(members, folder)
        _check_twins(archive, members)
        for member in members:
            target = folder.joinpath(*PurePosixPath(member.name).parts)
            if member.isdir():
                target.mkdir(parents=True, exist_ok=True)
                continue
            target.parent.mkdir(parents=True, exist_ok=True)
            source = tar.extractfile(member)
            assert source is not None  # it is a regular file
            with source, open(target, "xb") as output:
                _copy(source, output, member.size)


def _copy(source: IO[bytes], output: IO[bytes], size: int) -> None:
    left = size
    while left:
        chunk = source.read(min(_CHUNK, left))
        if not chunk:
            raise EOFError("its end is missing")
        output.write(chunk)
        left -= len(chunk)
    output.flush()
    os.fsync(output.fileno())


def _wanted(archive: Path, tar: tarfile.TarFile) -> Iterable[tarfile.TarInfo]:
    """Check the kinds and names of the members and yield the members to unpack."""
    total, most = 0, LARGEST_RATIO * archive.stat().st_size
    for number, member in enumerate(tar, start=1):
        if number > MOST_MEMBERS:
            raise _unsafe(archive, f"it has more than {MOST_MEMBERS} members")
        fault = _fault(member)
        if fault:
            raise _unsafe(archive, f"its member {member.name[:200]!r} {fault}")
        # Checked here, because a compressed archive is decompressed up to the next header, whose place depends on this size.
        total += member.size
        if total > most:
            raise _unsafe(archive, f"its {archive.stat().st_size} bytes claim to hold {total}, or more")
        if not PurePosixPath(member.name).name.startswith("._"):
            yield member


def _fault(member: tarfile.TarInfo) -> str:
    if not (member.isreg() or member.isdir()) or member.issparse():
        return "is a link, a device or a file with holes"
    name = member.name
    path = PurePosixPath(name)
    if not (path.parts or member.isdir()) or path.is_absolute() or ".." in path.parts or "\\" in name or ":" in name:
        return "leads outside the folder"
    if any(unicodedata.category(character) in ("Cc", "Cs") for character in name):
        return "has a control character in its name"
    if any(len(part.encode("utf-8", "replace")) > LONGEST_PART for part in path.parts):
        return "has a name that is too long"
    return "has a negative size" if member.size < 0 else ""


def _check_space(members: Iterable[tarfile.TarInfo], folder: Path) -> None:
    total = sum(member.size for member in members)
    free = shutil.disk_usage(folder).free
    if total > free:
        raise UserError(
            f"{folder.parent}: {total / 1e9:.2f} GB are needed to unpack, {free / 1e9:.2f} GB are free. Make room, then run "
            "again."
        )


def _check_twins(archive: Path, members: Iterable[tarfile.TarInfo]) -> None:
    files: dict[str, str] = {}
    folders: dict[str, str] = {}
    for member in members:
        path = PurePosixPath(member.name)
        parents = [*reversed(path.parents)][1:] + ([path] if member.isdir() else [])
        other = next((folders[alike(str(p))] for p in parents if folders.setdefault(alike(str(p)), str(p)) != str(p)), None)
        other = other or next((files[alike(str(p))] for p in parents if alike(str(p)) in files), None)
        if not member.isdir():
            other = other or folders.get(alike(str(path))) or files.get(alike(str(path)))
            files[alike(str(path))] = str(path)
        if other is not None:
            raise _unsafe(archive, f"its members {other[:100]!r} and {member.name[:100]!r} are one file on some systems")


def _unsafe(archive: Path, why: str) -> UserError:
    return UserError(f"{archive} is not safe to unpack: {why}. Delete it, and get it from the official address.")
