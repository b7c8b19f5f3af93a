"""The list of mutations, and functions that put one into a checkout and remove it."""

import fnmatch
import os
import tomllib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

TIERS = ("unit", "workflow", "system")
FOLDER = Path(__file__).resolve().parent / "catalogue"
KEYS = {"file", "old", "new", "breaks", "tests"}


@dataclass(frozen=True)
class Mutation:
    """One fault: the file, the text that is replaced (it occurs once), the new text, the consequence, and the tests that must
    fail.

    `tests` are pytest node ids or test files.
    """

    id: str
    file: str
    old: str
    new: str
    breaks: str
    tests: tuple[str, ...]

    @property
    def tier(self) -> str:
        """The slowest tier of its tests."""
        return max((test.split("/")[1] for test in self.tests), key=TIERS.index)


def read(folder: Path = FOLDER) -> list[Mutation]:
    """Return all mutations in the order of the files. Raises ValueError if an entry is invalid or an id is duplicated."""
    found: dict[str, Mutation] = {}
    for path in sorted(folder.glob("*.toml")):
        for name, entry in tomllib.loads(path.read_text(encoding="utf-8")).items():
            if set(entry) != KEYS:
                raise ValueError(f"{path.name}: {name} has the keys {sorted(entry)}, not {sorted(KEYS)}")
            if name in found:
                raise ValueError(f"{path.name}: there is another {name}")
            found[name] = Mutation(name, entry["file"], entry["old"], entry["new"], entry["breaks"], tuple(entry["tests"]))
    return list(found.values())


def chosen(mutations: Iterable[Mutation], patterns: Sequence[str], tier: str | None) -> list[Mutation]:
    """Return the mutations of the tier whose id matches one of the patterns, or all of the tier if there are no patterns."""
    return [
        mutation
        for mutation in mutations
        if (not patterns or any(fnmatch.fnmatchcase(mutation.id, pattern) for pattern in patterns))
        and tier in (None, mutation.tier)
    ]


def fault(mutation: Mutation, root: Path) -> str:
    """Return why a mutation cannot be put into a checkout, or ""."""
    path = root / mutation.file
    if not path.is_file():
        return f"there is no {mutation.file}"
    times = path.read_text(encoding="utf-8").count(mutation.old)
    if times != 1:
        return f"its text stands {times} times in {mutation.file}"
    if mutation.old == mutation.new:
        return "it changes nothing"
    missing = [test for test in mutation.tests if not (root / test.partition("::")[0]).is_file()]
    return f"there is no {', '.join(missing)}" if missing else ""


def put_in(mutation: Mutation, root: Path, number: int) -> tuple[bytes, int]:
    """Put the fault into the file; return the previous content and modification time in nanoseconds.

    Python and numba consider a compiled file current if time (for Python in seconds) and size of the source are the same.
    Therefore
    each `number` gives the file a different time, which no earlier version of it had.
    """
    path = root / mutation.file
    content, time = path.read_bytes(), path.stat().st_mtime_ns
    path.write_bytes(content.replace(mutation.old.encode(), mutation.new.encode()))
    later = time + (number + 1) * 2 * 10**9
    os.utime(path, ns=(later, later))
    return content, time


def take_out(mutation: Mutation, root: Path, before: tuple[bytes, int]) -> None:
    """Restore the file with its modification time, so that files compiled from it before are current again."""
    path = root / mutation.file
    path.write_bytes(before[0])
    os.utime(path, ns=(before[1], before[1]))
