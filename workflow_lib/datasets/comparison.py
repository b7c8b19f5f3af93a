"""What has changed in the files of a dataset since they were inspected."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from workflow_lib.base.parallel import mapped
from workflow_lib.images.cases import Case
from workflow_lib.images.files_read import file_state

NEW, REMOVED, CHANGED = "new", "removed", "changed"

ROLES = ("image", "mask", "field of view")


@dataclass(frozen=True)
class Change:
    """A case that is not as it was inspected; `what` is NEW, REMOVED, or the roles of the files that changed or are missing."""

    case: str
    what: str

    def __str__(self) -> str:
        """Return the change in words."""
        return f"{self.case}: {self.what}"


@dataclass(frozen=True)
class Comparison:
    """The changes of a dataset, in the order of its cases; `absent` when none of its files is there any more."""

    changes: tuple[Change, ...] = ()
    absent: bool = False

    @property
    def listing_changed(self) -> bool:
        """Whether there are other files than before, or only other contents."""
        return any(not change.what.endswith(CHANGED) for change in self.changes)


def compare(
    inspected: Sequence[Mapping[str, Any]], present: Sequence[Case], digests: Callable[[list[str]], Mapping[str, str | None]]
) -> Comparison:
    """Compare the cases of an inspection with the files that are there now.

    Parameters
    ----------
    inspected : sequence of mapping
        `cases` of inspection.json.
    present : sequence of Case
        The cases that the format finds now; none where it finds no dataset.
    digests : callable
        Returns the SHA-256 of files, None for one that is missing. It is called once, and only for files of other size, dates or
        inode.

    Returns
    -------
    Comparison
        The changes. A file with other dates and the same content is none.
    """
    before = {entry["id"]: Case.from_json(entry) for entry in inspected}
    now = {case.id: case for case in present}
    recorded = {path: sha256 for entry in inspected for path, sha256 in entry["found"]["sha256"].items()}
    states = {path: tuple(s) for entry in inspected for path, s in entry["found"].get("states", {}).items()}
    files = list(dict.fromkeys(path.as_posix() for case in before.values() for path in case.files))
    found = dict(zip(files, mapped(lambda file: file_state(Path(file)), files), strict=True))
    if not now and not any(found.values()):
        return Comparison(absent=True)
    differing = [path for path in files if found[path] is not None and found[path] != states.get(path)]
    contents = digests(differing) if differing else {}
    changed = {path for path in differing if contents[path] != recorded.get(path)}
    missing = {path for path in files if found[path] is None and path in recorded}
    changes = [change for name in dict.fromkeys([*before, *now]) for change in _change(name, before, now, changed, missing)]
    return Comparison(tuple(changes))


def _change(
    name: str, before: Mapping[str, Case], now: Mapping[str, Case], changed: Iterable[str], missing: Iterable[str]
) -> Iterator[Change]:
    if name not in now:
        yield Change(name, REMOVED)
    elif name not in before:
        yield Change(name, NEW)
    else:
        said = [f"{role} {CHANGED}" for role, paths in _files(before[name]) if {*paths} & {*changed}]
        said += [f"{role} {REMOVED}" for role, paths in _files(before[name]) if {*paths} & {*missing}]
        if not said and before[name] != now[name]:
            # Another mask, another channel, another group: what the format says of the case.
            said = ["other files or another group"]
        if said:
            yield Change(name, ", ".join(said))


def _files(case: Case) -> Iterator[tuple[str, list[str]]]:
    view = () if case.field_of_view is None else (case.field_of_view,)
    for role, paths in zip(ROLES, ((*case.images, *case.companions), case.masks, view), strict=True):
        yield role, [path.as_posix() for path in paths]
