"""Looking for files in the folders of a dataset: what the formats share."""

import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from workflow_lib.errors import UserError
from workflow_lib.pictures import is_picture

LARGEST_DESCRIPTION = 64 << 20
"""Bytes of a dataset.json that are still read; real ones have some kilobytes."""

IMAGE_SUFFIXES = (".nii.gz", ".nii")


def natural(text: str) -> tuple[tuple[int, int, str], ...]:
    """Return the key by which names are sorted as people do: 2 before 10."""
    parts = re.findall(r"[0-9]+|[^0-9]+", text)
    return tuple((0, int(part), part) if part.isdecimal() else (1, 0, part.casefold()) for part in parts)


def stem(name: str) -> str:
    """Return a file's name without .nii.gz, .nii, or the ending of a picture."""
    for suffix in IMAGE_SUFFIXES:
        if name.lower().endswith(suffix):
            return name[: -len(suffix)]
    return name[: -len(Path(name).suffix)] if is_picture(Path(name)) else name


def is_image(path: Path) -> bool:
    """Say by the name whether a file is NIfTI or a picture, and not hidden."""
    name = path.name.lower()
    return not name.startswith((".", "_")) and (name.endswith(IMAGE_SUFFIXES) or is_picture(path))


def images_in(folder: Path) -> dict[str, Path]:
    """Return the images of a folder by their names without ending, in natural order.

    Raises UserError where two files differ in the ending only: which of the two is meant cannot be told.
    """
    found: dict[str, Path] = {}
    if not folder.is_dir():
        return found
    for path in sorted(folder.iterdir(), key=lambda path: natural(path.name)):
        if is_image(path):
            other = found.setdefault(stem(path.name), path)
            if other != path:
                raise UserError(f"{folder}: {other.name} and {path.name} have the same name. Remove one of the two.")
    return found


def subfolder(root: Path, *candidates: str) -> Path | None:
    """Return the first of the folders below root that exists, whatever the case of its letters, or None."""
    for candidate in candidates:
        folder: Path | None = root
        for part in Path(candidate).parts:
            folder = _child(folder, part) if folder is not None else None
        if folder is not None and folder.is_dir():
            return folder
    return None


def _child(folder: Path, name: str) -> Path | None:
    if (folder / name).is_dir():
        return folder / name
    if not folder.is_dir():
        return None
    return next((path for path in sorted(folder.iterdir()) if path.name.lower() == name.lower() and path.is_dir()), None)


def read_description(path: Path, what: str) -> dict[str, Any]:
    """Return the object in a dataset.json. Raises UserError when it is missing, too large, no JSON, or not `what` it must be."""
    try:
        if path.stat().st_size > LARGEST_DESCRIPTION:
            raise UserError(f"{path} has {path.stat().st_size / 1e6:.0f} MB; that is no description of a dataset.")
        content = json.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}.") from error
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path} is not valid JSON ({error}). Get the file again.") from error
    if not isinstance(content, dict):
        raise UserError(f"{path}: must hold {what}.")
    return content


def below(folder: Path, name: object) -> Path | None:
    """Return the file of a relative path that stays below a folder, or None where it is no such path."""
    if not isinstance(name, str) or not name or "\0" in name or "\\" in name:
        return None
    path = Path(name)
    return None if path.is_absolute() or ".." in path.parts or not path.name else folder / path


def names_of(channels: object) -> dict[str, int] | None:
    """Return channel name -> index of `channel_names` or `modality` ({"0": "T1", ...}), or None where it is no such list.

    A name that stands twice gets its index behind it, so that every channel can be chosen.
    """
    if not isinstance(channels, Mapping) or not channels:
        return None
    try:
        by_index = {int(index): str(name).strip() for index, name in channels.items()}
    except (TypeError, ValueError):
        return None
    if sorted(by_index) != list(range(len(by_index))):
        return None
    names = list(by_index.values())
    return {name if names.count(name) == 1 else f"{name} {index}": index for index, name in sorted(by_index.items())}


def chosen_channels(path: Path, available: Mapping[str, int], wanted: Iterable[str] | None) -> tuple[int, ...]:
    """Return the indices of the wanted channels, all if None. Raises UserError that names channels which do not exist."""
    if wanted is None:
        return tuple(available.values())
    unknown = [name for name in wanted if name not in available]
    if unknown:
        raise UserError(f"channels: {path} has no {', '.join(map(repr, unknown))}; it has {', '.join(map(repr, available))}.")
    return tuple(available[name] for name in wanted)


def channel_list_faults(options: Mapping[str, Any]) -> list[str]:
    """Return the fault of a `channels` key that is empty or names one twice."""
    channels = options.get("channels")
    if channels is not None and (not channels or len(set(channels)) != len(channels)):
        return ["channels: name at least one, and none twice; or remove the key to read all"]
    return []
