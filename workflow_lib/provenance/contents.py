"""Digests of the results on the disk, cached as long as size, dates and inode of their files stay the same.

Dates never decide whether a result is the recorded one. They only decide whether its content is read again.
"""

import os
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from workflow_lib.base.errors import UserError
from workflow_lib.base.files import read_json, sha256_text, write_json
from workflow_lib.base.parallel import mapped
from workflow_lib.preprocessing.store import INDEX, Store
from workflow_lib.provenance.records import digest

MEMORY = Path(".snakemake/whichloss")
"""Folder in the working directory that keeps digests between runs. If it is lost, the digests are computed again."""

SETTLED_SECONDS = 2.0
"""A file that changed less than this before it was read is read again next time: some file systems store whole seconds."""

READERS = 16
"""Threads that read files in parallel: on a network file system each spends most of its time waiting."""

Say = Callable[[str], None]

CONFIRMED = "confirmed"

MANY_BYTES = 4 << 30
"""Above this, reading takes seconds and is reported."""


class Contents:
    """The digests of the outputs below a folder of results; `memory` is the file that keeps them between runs.

    With `forget` the digests in that file are ignored.
    """

    def __init__(self, root: Path, memory: Path, forget: bool = False) -> None:
        self._root, self._memory = root, memory
        self._known = {} if forget else _read(memory)
        self._changed = False

    def digests(self, names: Iterable[str], say: Say | None = None) -> dict[str, str | None]:
        """Return the digest of every file or folder as `records.digest` computes it; None where it does not exist.

        The digest of a folder of preprocessed images is "" if one of its arrays differs from the digest in its index.
        """
        names = list(dict.fromkeys(names))
        states = dict(zip(names, mapped(lambda name: _state(self._root / name), names), strict=True))
        unknown = [name for name, state in states.items() if state and self._known.get(name, ("",))[0] != state.text]
        size = sum(state.size for name in unknown for state in [states[name]] if state)
        if size > MANY_BYTES and say is not None:
            say(f"Reading {size / 1e9:.0f} GB of results that are new or have other dates than when they were last read ...")
        with ThreadPoolExecutor(READERS) as pool:
            found = dict(zip(unknown, pool.map(lambda name: _content(self._root / name), unknown), strict=True))
        for name, sha256 in found.items():
            state = states[name]
            if state is not None and sha256 is not None:
                # A state that is not settled is kept for this process only.
                self._known[name] = (state.text if state.settled else "", sha256)
                self._changed |= state.settled
        return {name: found.get(name, self._known[name][1]) if state else None for name, state in states.items()}

    def confirmed(self, name: str, key: str, check: Callable[[], bool]) -> bool:
        """Return whether a file passed a check, which is repeated if the file changed or `key`, its reference."""
        state, entry = _state(self._root / name), f"{name} against {key}"
        if state is None:
            return False
        if self._known.get(entry) == (state.text, CONFIRMED):
            return True
        holds = check()
        if holds and state.settled:
            self._known = {one: value for one, value in self._known.items() if not one.startswith(f"{name} against ")}
            self._known[entry] = (state.text, CONFIRMED)
            self._changed = True
        return holds

    def save(self) -> None:
        """Keep the digests for the next run. If the file cannot be written, they are computed again."""
        if not self._changed:
            return
        try:
            self._memory.parent.mkdir(parents=True, exist_ok=True)
            write_json(self._memory, {name: list(entry) for name, entry in sorted(self._known.items()) if entry[0]})
        except (OSError, UserError):
            return


class _State:
    """Size, dates and inodes of a file, or of all files of a folder, as one text."""

    def __init__(self, files: Iterable[tuple[str, os.stat_result]]) -> None:
        lines, self.size, newest = [], 0, 0
        # A large study has hundreds of thousands of predictions.
        for name, found in files:
            lines.append(f"{name} {found.st_size} {found.st_mtime_ns} {found.st_ctime_ns} {found.st_ino}")
            self.size += found.st_size
            newest = max(newest, found.st_ctime_ns)
        lines.sort()
        self.text = lines[0] if len(lines) == 1 and lines[0].startswith(" ") else sha256_text("\n".join(lines))
        self.settled = newest / 1e9 < time.time() - SETTLED_SECONDS


def _state(path: Path) -> _State | None:
    try:
        if not path.is_dir():
            return _State([("", path.stat())])
        start = len(str(path))
        return _State((entry.path[start:], entry.stat()) for entry in _files(path))
    except (FileNotFoundError, NotADirectoryError):
        return None


def _files(folder: str | Path) -> Iterable["os.DirEntry[str]"]:
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                yield from _files(entry.path)
            elif not entry.name.startswith(".snakemake"):
                yield entry


def _content(path: Path) -> str | None:
    """Return the digest of a result's content, "" if arrays of a store differ from its index."""
    try:
        if (path / INDEX).is_file():
            store = Store([path])
            for case in store:
                store.verify(case)
        return str(digest(path)["sha256"])
    except FileNotFoundError:
        return None
    except UserError:
        return ""


def _read(memory: Path) -> dict[str, tuple[str, str]]:
    try:
        content = read_json(memory)
        return {str(name): (str(state), str(sha256)) for name, (state, sha256) in content.items()}
    except (UserError, OSError, AttributeError, TypeError, ValueError):
        return {}
