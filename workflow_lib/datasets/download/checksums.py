"""The SHA-256 of every downloaded file, recorded when it is first seen and compared in later runs."""

import threading
from pathlib import Path
from typing import Any, Literal

from workflow_lib.base.errors import UserError
from workflow_lib.base.files import read_json, sha256_file, write_json

FILE = "checksums.json"
State = Literal["missing", "new", "same", "changed"]


class Checksums:
    """The file `checksums.json` of a dataset's folder: relative path -> sha256, bytes, and modification time.

    A file with the recorded length and time is considered unchanged without reading it: reading 20 GB takes minutes, and
    `inspect`
    reads and records every file anyway.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._lock = threading.Lock()
        self._entries = self._read()
        self._written = dict(self._entries)

    def _read(self) -> dict[str, dict[str, Any]]:
        path = self._root / FILE
        if not path.exists():
            return {}
        try:
            entries = read_json(path)
            sound = isinstance(entries, dict) and all(map(_is_entry, entries.values()))
        except UnicodeDecodeError:
            sound = False
        if not sound:
            raise UserError(f"{path} is not as this program writes it. Restore it; or delete it, and every file counts as new.")
        return dict(entries)

    def seems_same(self, name: str) -> bool:
        """Return whether a file is recorded and has the recorded length and time."""
        entry = self._entries.get(name)
        try:
            found = (self._root / name).stat()
        except OSError:
            return False
        return entry is not None and (found.st_size, found.st_mtime_ns) == (entry["bytes"], entry.get("mtime_ns"))

    def state(self, name: str) -> State:
        """Compare a file with its record: missing, new (no record), same or changed. Raises OSError if it cannot be read."""
        path = self._root / name
        if not path.is_file():
            return "missing"
        entry = self._entries.get(name)
        if entry is None:
            return "new"
        if self.seems_same(name):
            return "same"
        if path.stat().st_size != entry["bytes"] or sha256_file(path) != entry["sha256"]:
            return "changed"
        self.record(name, entry["sha256"])
        return "same"

    def recorded(self, name: str) -> str | None:
        """Return the recorded digest of a file, or None if there is none."""
        entry = self._entries.get(name)
        return entry["sha256"] if entry is not None else None

    def record(self, name: str, digest: str | None = None) -> None:
        """Record the present state of a file. `write` saves the records."""
        path = self._root / name
        digest = digest or sha256_file(path)
        found = path.stat()
        with self._lock:
            self._entries[name] = {"sha256": digest, "bytes": found.st_size, "mtime_ns": found.st_mtime_ns}

    def write(self) -> None:
        """Save the records if they changed. Raises UserError if the disk is full or the folder is not writable."""
        with self._lock:
            if self._entries != self._written:
                write_json(self._root / FILE, self._entries)
                self._written = dict(self._entries)


def _is_entry(entry: object) -> bool:
    return isinstance(entry, dict) and isinstance(entry.get("sha256"), str) and isinstance(entry.get("bytes"), int)
