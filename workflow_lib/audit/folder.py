"""Looking into a folder that nobody vouches for: no path leaves it, no link is followed, no file is read without a bound."""

import hashlib
import json
import os
import re
import stat
from pathlib import Path, PurePosixPath
from typing import Any

from workflow_lib.errors import UserError

JSON_BYTES = 256 << 20
"""A JSON file above this many bytes is not read; an index of histograms has about 20 kB per case."""

TEXT_BYTES = 1 << 30
FILES = 2_000_000
_LINE = re.compile(r"([0-9a-f]{64})  (\S.*)")


def safe_path(folder: Path, relative: str) -> Path:
    """Return a file below `folder`. Raises UserError for a path that leads out of it, through a link, or to no regular file."""
    parts = PurePosixPath(relative).parts
    if not parts or PurePosixPath(relative).is_absolute() or ".." in parts or "\\" in relative or "\0" in relative:
        raise UserError(f"{relative!r}: leads out of the folder")
    path = folder
    for part in parts:
        path = path / part
        if path.is_symlink():
            raise UserError(f"{relative}: is a link, or lies behind one")
    try:
        kind = path.lstat().st_mode
    except OSError:
        raise UserError(f"{relative}: is missing") from None
    if not stat.S_ISREG(kind):
        raise UserError(f"{relative}: is no regular file")
    return path


def sha256(folder: Path, relative: str) -> str:
    """Return the SHA-256 of a file below `folder`."""
    with open(os.open(safe_path(folder, relative), os.O_RDONLY | os.O_NOFOLLOW), "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def read_bytes(folder: Path, relative: str, limit: int = TEXT_BYTES) -> bytes:
    """Return a file's content. Raises UserError when it has more than `limit` bytes."""
    path = safe_path(folder, relative)
    with open(os.open(path, os.O_RDONLY | os.O_NOFOLLOW), "rb") as stream:
        content = stream.read(limit + 1)
    if len(content) > limit:
        raise UserError(f"{relative}: has more than {limit} bytes, so it is not read")
    return content


def read_json(folder: Path, relative: str) -> dict[str, Any]:
    """Return a JSON object. Raises UserError when it is none."""
    try:
        content = json.loads(read_bytes(folder, relative, JSON_BYTES))
    except (ValueError, RecursionError):
        raise UserError(f"{relative}: is no JSON") from None
    if not isinstance(content, dict):
        raise UserError(f"{relative}: is no JSON object")
    return content


def read_sums(folder: Path, name: str) -> dict[str, str]:
    """Return the digests of a file in the format of `sha256sum`. Raises UserError unless every byte of it is as it is written."""
    text = read_bytes(folder, name).decode("utf-8", "surrogateescape")
    lines = text.split("\n")
    found: dict[str, str] = {}
    for line in lines[:-1]:
        match = _LINE.fullmatch(line)
        if match is None:
            raise UserError(f"{name}: {line[:80]!r} is no line of checksums")
        found[match[2]] = match[1]
    if lines[-1] or len(found) != len(lines) - 1 or list(found) != sorted(found):
        raise UserError(f"{name}: a line is double, out of order, or not ended")
    return found


def listing(folder: Path) -> list[str]:
    """Return the paths of everything below `folder` that is no folder, sorted. Raises UserError when there are too many."""
    found: list[str] = []
    for place, folders, files in os.walk(folder):
        links = [name for name in folders if (Path(place) / name).is_symlink()]
        found += [(Path(place) / name).relative_to(folder).as_posix() for name in [*files, *links]]
        if len(found) > FILES:
            raise UserError(f"{folder} holds more than {FILES} files, which no study does")
    return sorted(found)
