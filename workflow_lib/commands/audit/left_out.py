"""What a bundle leaves out on purpose: declared in it, told as not checked, and only what the tables do not rest on."""

import re
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path

from workflow_lib.base.errors import UserError
from workflow_lib.commands.audit import folder as safe

BUNDLE = "bundle.json"
"""In the folder of a bundle: what was left out of it, path to reason."""

LEAVABLE = re.compile(r"preprocessed/.*|predictions/.*|training/.*/model\.weights\.h5")
"""What a bundle may leave out: the tables can be computed again without it."""

KINDS = {"preprocessed/": "preprocessed images", "predictions/": "predictions", "training/": "weights"}


def declared(folder: Path) -> dict[str, str]:
    """Return what the bundle says that it leaves out and may leave out, path to reason; nothing where the folder is no bundle."""
    if not (folder / BUNDLE).exists():
        return {}
    said = safe.read_json(folder, BUNDLE).get("left_out")
    if not isinstance(said, dict):
        raise UserError(f"{BUNDLE}: does not say what is left out")
    return {str(name): str(reason) for name, reason in said.items() if LEAVABLE.fullmatch(str(name))}


def by_kind(absent: Collection[str], reasons: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Yield of every kind of files that are not in the folder, and need not be, its name and how many, with the reasons."""
    for start, kind in KINDS.items():
        names = sorted(name for name in absent if name.startswith(start))
        why = sorted({reasons[name] for name in names if name in reasons})
        if names:
            yield kind, f"{len(names)} files are not in the folder" + (f": {'; '.join(why)}" if why else "")
