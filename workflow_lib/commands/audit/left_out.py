"""Files that a bundle omits on purpose. The bundle declares them, and the audit reports them as not checked."""

from collections.abc import Collection, Iterator, Mapping
from pathlib import Path

from workflow_lib.base.errors import UserError
from workflow_lib.commands.audit import folder as safe
from workflow_lib.provenance.left_out import BUNDLE, LEAVABLE

KINDS = {"preprocessed/": "preprocessed images", "predictions/": "predictions", "training/": "weights"}


def declared(folder: Path) -> dict[str, str]:
    """Return the omitted files that the bundle declares and that may be omitted, path to reason. Empty if it is no bundle."""
    if not (folder / BUNDLE).exists():
        return {}
    files = safe.read_json(folder, BUNDLE).get("left_out")
    if not isinstance(files, dict):
        raise UserError(f"{BUNDLE}: does not list what is left out")
    return {str(name): str(reason) for name, reason in files.items() if LEAVABLE.fullmatch(str(name))}


def by_kind(absent: Collection[str], reasons: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Yield each kind of absent files with their number and the reasons."""
    for start, kind in KINDS.items():
        names = sorted(name for name in absent if name.startswith(start))
        why = sorted({reasons[name] for name in names if name in reasons})
        if names:
            yield kind, f"{len(names)} files are not in the folder" + (f": {'; '.join(why)}" if why else "")
