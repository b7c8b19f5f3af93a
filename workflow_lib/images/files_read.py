"""What was read of files: the digest of the bytes that were used, taken while they were read."""

import hashlib
import io
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from workflow_lib.base.errors import UserError

_BUFFER = 1 << 17
_CHUNK = 1 << 20
"""Bytes behind the voxels that are read at once, for the digest alone."""


@dataclass
class FilesRead:
    """Files by path: the SHA-256 of their bytes, and (size, mtime_ns, ctime_ns, inode) as they were when opened."""

    sha256: dict[Path, str] = field(default_factory=dict)
    states: dict[Path, tuple[int, int, int, int]] = field(default_factory=dict)

    def add(self, path: Path, state: os.stat_result, sha256: str) -> None:
        """Note a file. Raises UserError where it has been read before with other bytes."""
        if self.sha256.setdefault(path, sha256) != sha256:
            raise UserError(f"{path} changed while it was read. Run the command again when nothing writes to it.")
        self.states.setdefault(path, (state.st_size, state.st_mtime_ns, state.st_ctime_ns, state.st_ino))


class HashedFile(io.RawIOBase):
    """A file that is read once, from its first byte to its last, and hashed on the way."""

    def __init__(self, file: IO[bytes] | io.FileIO) -> None:
        super().__init__()
        self._file = file
        self._digest = hashlib.sha256()

    def readable(self) -> bool:
        """Say that it can be read. It cannot be rewound: every byte counts once."""
        return True

    def readinto(self, buffer: memoryview, /) -> int:  # type: ignore[override]
        """Read bytes into a buffer and return their number."""
        count = self._file.readinto(buffer)  # type: ignore[union-attr]
        self._digest.update(memoryview(buffer)[:count])
        return int(count)

    def buffered(self) -> io.BufferedReader:
        """Return a reader of it for small pieces."""
        return io.BufferedReader(self, _BUFFER)

    def digest_to_the_end(self) -> str:
        """Read what has not been asked for, and return the SHA-256 of all bytes."""
        chunk = memoryview(bytearray(_CHUNK))
        while self.readinto(chunk):
            pass
        return self._digest.hexdigest()
