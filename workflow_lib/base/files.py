"""Write files atomically, and compute digests."""

import contextlib
import errno
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from workflow_lib.base.errors import UserError

WRITING = ".writing-"
"""Prefix of temporary files and folders. They remain only if their process was killed."""


@contextlib.contextmanager
def atomic_path(path: str | Path) -> Iterator[Path]:
    """Yield a temporary path next to `path` with the same suffixes, and rename it to `path` when the block succeeds.

    The bytes are on disk (fsync) before the renaming. After an error the temporary file is removed.
    Raises UserError if the disk is full or the folder is not writable.
    """
    path = Path(path)
    temporary: Path | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=WRITING, suffix="-" + path.name)
        os.close(handle)
        temporary = Path(name)
        yield temporary
        _sync(temporary)
        # mkstemp creates private files. Results get the permissions of the user's umask.
        umask = os.umask(0)
        os.umask(umask)
        temporary.chmod(0o666 & ~umask)
        temporary.replace(path)
        _sync(path.parent)
    except OSError as error:
        raise _cannot_write(path, error) from error
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def atomic_folder(path: str | Path) -> Iterator[Path]:
    """Yield a temporary folder next to `path`. It replaces `path` when the block succeeds, and is removed when it fails.

    Temporary folders of killed processes for the same `path` are removed first.
    """
    path = Path(path)
    temporary: Path | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        for left in path.parent.glob(f"{WRITING}{path.name}-*"):
            shutil.rmtree(left, ignore_errors=True)
        temporary = Path(tempfile.mkdtemp(dir=path.parent, prefix=f"{WRITING}{path.name}-"))
        yield temporary
        umask = os.umask(0)
        os.umask(umask)
        temporary.chmod(0o777 & ~umask)
        _sync(temporary)
        if path.exists():
            shutil.rmtree(path)
        temporary.replace(path)
        _sync(path.parent)
    except OSError as error:
        raise _cannot_write(path, error) from error
    finally:
        if temporary is not None:
            shutil.rmtree(temporary, ignore_errors=True)


def _cannot_write(path: Path, error: OSError) -> Exception:
    """Return a UserError for an error with an errno, such as a full disk or a missing permission; else the error itself."""
    number = error.errno
    if number is None and _is_full(path.parent):
        # NumPy reports a short write without errno.
        number = errno.ENOSPC
    if number is None:
        return error
    return UserError(
        f"Cannot write {path}: {os.strerror(number)}. "
        "Free some space or check the permissions, then run the same command again; nothing half-written was kept."
    )


def _is_full(folder: Path) -> bool:
    """Return whether less than 64 KiB are free, so that a write probably failed for lack of space."""
    return folder.exists() and shutil.disk_usage(folder).free < 65536


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def write_text(path: str | Path, text: str) -> None:
    """Write UTF-8 text atomically."""
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="\n")


def write_json(path: str | Path, content: Any, sort_keys: bool = True) -> None:
    """Write JSON atomically: keys sorted or in their order, indentation by two spaces, no NaN, a newline at the end."""
    write_text(path, json.dumps(content, sort_keys=sort_keys, indent=2, allow_nan=False, ensure_ascii=False) + "\n")


def read_json(path: str | Path) -> Any:
    """Read a JSON file. Raises UserError if it is missing or invalid."""
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise UserError(f"{path} does not exist. Run the step that makes it first.") from error
    except json.JSONDecodeError as error:
        raise UserError(f"{path} is not valid JSON ({error}). Delete it and run the step that makes it again.") from error


def canonical_json(content: Any) -> str:
    """Return JSON on one line with sorted keys, so that equal content gives equal text."""
    return json.dumps(content, sort_keys=True, separators=(",", ":"), allow_nan=False)


def sha256_file(path: str | Path) -> str:
    """Return the hexadecimal SHA-256 of a file's bytes."""
    with open(path, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def sha256_text(text: str) -> str:
    """Return the hexadecimal SHA-256 of a text in UTF-8."""
    return hashlib.sha256(text.encode("utf-8")).hexdigest()
