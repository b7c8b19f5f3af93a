"""The digests of files, computed from the same bytes that are used."""

import hashlib
import io
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from workflow_lib.base.errors import UserError

_BUFFER = 1 << 17
_CHUNK = 1 << 20
"""Bytes after the voxels that are read at a time for the digest."""


State = tuple[int, int, int, int]
"""Size, mtime_ns, ctime_ns and inode of a file. As long as they stay the same, its content is taken to be the same."""


def file_state(path: Path) -> State | None:
    """Return the state of a file, or None if it cannot be found."""
    try:
        return _state(path.stat())
    except OSError:
        return None


def _state(found: os.stat_result) -> State:
    return (found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino)


@dataclass
class FilesRead:
    """The SHA-256 of files by path, their state when they were opened, and remarks of their readers.

    A reader remarks on everything that it converts, rounds, drops or reorders.
    """

    sha256: dict[Path, str] = field(default_factory=dict)
    states: dict[Path, State] = field(default_factory=dict)
    remarks: dict[Path, list[str]] = field(default_factory=dict)

    def remark(self, path: Path, text: str) -> None:
        """Add a remark on a file, a clause without a full stop. The same remark is kept once."""
        texts = self.remarks.setdefault(path, [])
        if text not in texts:
            texts.append(text)

    def add(self, path: Path, state: os.stat_result, sha256: str) -> None:
        """Add a file. Raises UserError if it was read before with other bytes."""
        if self.sha256.setdefault(path, sha256) != sha256:
            raise UserError(f"{path} changed while it was read. Run the command again when nothing writes to it.")
        self.states.setdefault(path, _state(state))


class HashedFile(io.RawIOBase):
    """A file that is hashed while it is read once, from its first byte to its last."""

    def __init__(self, file: IO[bytes] | io.FileIO) -> None:
        super().__init__()
        self._file = file
        self._digest = hashlib.sha256()

    def readable(self) -> bool:
        """Return True. The file cannot be rewound, because every byte is hashed once."""
        return True

    def readinto(self, buffer: memoryview, /) -> int:  # type: ignore[override]
        """Read bytes into a buffer and return their number."""
        count = self._file.readinto(buffer)  # type: ignore[union-attr]
        self._digest.update(memoryview(buffer)[:count])
        return int(count)

    def buffered(self) -> io.BufferedReader:
        """Return a buffered reader."""
        return io.BufferedReader(self, _BUFFER)

    def digest_to_the_end(self) -> str:
        """Read the remaining bytes and return the SHA-256 of all."""
        chunk = memoryview(bytearray(_CHUNK))
        while self.readinto(chunk):
            pass
        return self._digest.hexdigest()
