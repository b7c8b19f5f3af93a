"""Read files of an untrusted folder: paths stay inside it, links are not followed, and all sizes are limited."""

import csv
import hashlib
import io
import json
import os
import re
import stat
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from workflow_lib.base.errors import UserError
from workflow_lib.provenance.manifest import SUMS

JSON_BYTES = 64 << 20
"""Size limit of a JSON file: as Python objects it takes about twenty times as much memory. The largest JSON files of a study
are the indices with histograms, with about 20 kB per case of a shard."""

JSON_DEPTH = 40
"""Limit of nested objects and lists; steps write at most ten levels."""

FILE_BYTES = 64 << 30
"""Size limit for hashing: a sparse file takes no disk space but hours to read. A preprocessed volume has some 100 MB."""

TEXT_BYTES = 256 << 20
FIELD_CHARACTERS = 100_000
"""Limit of the length of a line of a CSV file. A row of results has about 100 characters, in a large study 10,000."""

COPIED_BYTES = 8 << 30
"""Limit of the total size of the copied files; a study of 40 losses has less than 1 GB of them."""

FILES = 2_000_000
FOLDERS_DEEP = 40
COPIED = (".json", ".csv", ".tex", ".svg", ".png", ".html")
NOT_COPIED = ("predictions/", "logs/", "checkpoints/", "workflow/")
_LINE = re.compile(r"([0-9a-f]{64})  (\S.*)")


def safe_path(folder: Path, relative: str) -> Path:
    """Return the path of a file below `folder`.

    Raises UserError if the path leaves the folder, contains a link, or leads to no regular file.
    """
    parts = PurePosixPath(relative).parts
    if not parts or PurePosixPath(relative).is_absolute() or ".." in parts or "\\" in relative or "\0" in relative:
        raise UserError(f"{relative!r}: leads out of the folder")
    path = folder
    try:
        for part in parts:
            path = path / part
            if path.is_symlink():
                raise UserError(f"{relative}: is a link, or lies behind one")
        kind = path.lstat().st_mode
    except (OSError, ValueError):
        raise UserError(f"{relative}: is missing") from None
    if not stat.S_ISREG(kind):
        raise UserError(f"{relative}: is not a regular file")
    return path


def _opened(folder: Path, relative: str) -> io.BufferedReader:
    """Open a file for reading. Flags and a second check exclude a link or pipe put in its place after the first check."""
    path = safe_path(folder, relative)
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError as error:
        raise UserError(f"{relative}: cannot be read ({error.strerror})") from None
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise UserError(f"{relative}: is not a regular file")
    return open(handle, "rb")


def sha256(folder: Path, relative: str) -> str:
    """Return the SHA-256 of a file below `folder`. Raises UserError if it is larger than any result."""
    with _opened(folder, relative) as stream:
        if os.fstat(stream.fileno()).st_size > FILE_BYTES:
            raise UserError(f"{relative}: has more than {FILE_BYTES} bytes, so it is not read")
        return hashlib.file_digest(stream, "sha256").hexdigest()


def read_bytes(folder: Path, relative: str, limit: int = TEXT_BYTES) -> bytes:
    """Return the content of a file. Raises UserError if it has more than `limit` bytes."""
    with _opened(folder, relative) as stream:
        # A sparse file takes no disk space, but memory when it is read.
        if os.fstat(stream.fileno()).st_size <= limit:
            content = stream.read(limit + 1)
            if len(content) <= limit:
                return content
    raise UserError(f"{relative}: has more than {limit} bytes, so it is not read")


def read_json(folder: Path, relative: str) -> dict[str, Any]:
    """Return a JSON object. Raises UserError if the file is not one, or is nested too deeply."""
    try:
        content = json.loads(read_bytes(folder, relative, JSON_BYTES), parse_constant=_no_number)
    except (ValueError, RecursionError):
        raise UserError(f"{relative}: is not JSON") from None
    if not isinstance(content, dict):
        raise UserError(f"{relative}: is not a JSON object")
    if _deeper(content, JSON_DEPTH):
        raise UserError(f"{relative}: holds lists in lists more than {JSON_DEPTH} deep, so it is not used")
    return content


def _no_number(name: str) -> float:
    raise ValueError(f"{name} is not a number in JSON")


def _deeper(content: object, depth: int) -> bool:
    """Return whether objects and lists are nested more than `depth` levels deep. Works level by level, without recursion."""
    level: list[object] = [content]
    for _ in range(depth):
        level = [
            item
            for outer in level
            if isinstance(outer, (dict, list))
            for item in (outer.values() if isinstance(outer, dict) else outer)
            if isinstance(item, (dict, list))
        ]
        if not level:
            return False
    return True


def check_csv(folder: Path, relative: str) -> None:
    """Raise UserError if a table is not UTF-8 text or has a line that is too long."""
    _table_text(folder, relative)


def read_csv(folder: Path, relative: str) -> list[dict[str, str]]:
    """Return the rows of a table. Raises UserError as `check_csv` does, and if a row has too few or too many values."""
    try:
        columns, *rows = csv.reader(io.StringIO(_table_text(folder, relative), newline=""), strict=True)
    except (csv.Error, ValueError):
        raise UserError(f"{relative}: is not a table") from None
    if any(len(row) != len(columns) for row in rows):
        raise UserError(f"{relative}: a row has more or fewer values than there are columns")
    return [dict(zip(columns, row, strict=True)) for row in rows]


def _table_text(folder: Path, relative: str) -> str:
    content = read_bytes(folder, relative)
    if max(map(len, content.split(b"\n")), default=0) > FIELD_CHARACTERS:
        raise UserError(f"{relative}: has a line of more than {FIELD_CHARACTERS} characters, so it is not used")
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError:
        raise UserError(f"{relative}: is not text in UTF-8") from None


def read_sums(folder: Path, name: str) -> dict[str, str]:
    """Return the digests of a file in the format of `sha256sum`. Raises UserError unless it is formatted exactly as written."""
    text = read_bytes(folder, name).decode("utf-8", "surrogateescape")
    lines = text.split("\n")
    found: dict[str, str] = {}
    for line in lines[:-1]:
        match = _LINE.fullmatch(line)
        if match is None:
            raise UserError(f"{name}: {line[:80]!r} is not a line of checksums")
        found[match[2]] = match[1]
    if lines[-1] or len(found) != len(lines) - 1 or list(found) != sorted(found):
        raise UserError(f"{name}: a line is double, out of order, or not ended")
    return found


def listing(folder: Path) -> list[str]:
    """Return the sorted paths of all files below `folder`.

    Raises UserError if there are too many files, folders are nested too deeply, or a folder cannot be read.
    """
    found: list[str] = []
    waiting = [("", 0)]
    while waiting:
        place, depth = waiting.pop()
        if depth > FOLDERS_DEEP:
            raise UserError(f"{place[:200]}: folders lie more than {FOLDERS_DEEP} deep in each other, which no study's do")
        try:
            with os.scandir(folder / place) as entries:
                for entry in entries:
                    path = f"{place}/{entry.name}" if place else entry.name
                    if entry.is_dir(follow_symlinks=False):
                        waiting.append((path, depth + 1))
                    else:
                        found.append(path)
        except OSError as error:
            raise UserError(f"{folder / place}: cannot be read ({error.strerror})") from None
        if len(found) + len(waiting) > FILES:
            raise UserError(f"{folder} holds more than {FILES} files, which no study does")
    return sorted(found)


def is_copied(name: str) -> bool:
    """Return whether a file of the results is small and needed to recompute results."""
    if name.startswith("preprocessed/"):
        return name.endswith("/index.json")
    return name == SUMS or (name.endswith(COPIED) and not name.startswith(NOT_COPIED))


def copy(folder: Path, names: Sequence[str], target: Path) -> list[str]:
    """Copy files into a private folder, so that they cannot change between check and use. Return the faults.

    A JSON file or a table that cannot be used is not copied and is reported.
    """
    faults, room = [], COPIED_BYTES
    for name in names:
        try:
            if name.endswith(".json"):
                read_json(folder, name)
            elif name.endswith(".csv"):
                check_csv(folder, name)
            content = read_bytes(folder, name)
            room -= len(content)
            if room < 0:
                raise UserError(f"{name}: all small files together have more than {COPIED_BYTES} bytes, so it is not used")
        except UserError as error:
            faults.append(str(error))
            continue
        path = target / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return faults
