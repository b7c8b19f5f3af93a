"""Common functions of the formats to find files in the folders of a dataset."""

import json
import os
import re
import reprlib
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from workflow_lib.base.errors import Faults, UserError
from workflow_lib.images.pictures.reading import is_picture
from workflow_lib.images.readers.registry import suffixes
from workflow_lib.images.recognition import LFS_POINTER, LFS_REMEDY

LARGEST_DESCRIPTION = 64 << 20
"""Size limit of a dataset.json in bytes; real ones have some kilobytes."""

IMAGE_SUFFIXES = (".nii.gz", ".nii", ".seg.nrrd", *suffixes())

_LONGEST_CLASS_NAME = 100
_MOST_FAULTS = 20
_BRIEF = reprlib.Repr()
_BRIEF.maxlevel, _BRIEF.maxdict, _BRIEF.maxlist, _BRIEF.maxstring = 3, 8, 8, 60


def natural(text: str) -> tuple[tuple[int, int, str, str], ...]:
    """Return a sort key for the natural order of names: 2 before 10."""
    return tuple(_natural_part(part) for part in re.findall(r"[0-9]+|[^0-9]+", text))


def _natural_part(part: str) -> tuple[int, int, str, str]:
    if part[0] not in "0123456789":
        return 1, 0, part.casefold(), part
    # Sort by length, then as text. This equals the order by value and works for any length, unlike int().
    digits = part.lstrip("0")
    return 0, len(digits), digits, part


def entries(folder: Path) -> list[Path]:
    """Return the entries of a folder in natural order, or an empty list if it is not a folder.

    Raises UserError if the folder cannot be listed, or if a name is not valid Unicode and cannot be written to a text file.
    """
    if not folder.is_dir():
        return []
    try:
        paths = sorted(folder.iterdir(), key=lambda path: natural(path.name))
    except OSError as error:
        raise UserError(f"{folder} cannot be listed: {error.strerror}.") from error
    unreadable = [ascii(path.name) for path in paths if not is_text(path.name)]
    if unreadable:
        raise UserError(f"{folder}: names that are not UTF-8: {', '.join(unreadable[:5])}. Rename or remove these files.")
    return paths


def is_text(name: str) -> bool:
    """Return whether a name can be written to a UTF-8 file, so that it has no undecodable bytes and no unpaired surrogates."""
    return not any("\ud800" <= character <= "\udfff" for character in name)


def shown(value: object) -> str:
    """Return the representation of a value of a JSON file, shortened if it is long or deeply nested."""
    return _BRIEF.repr(value)[:300]


def raise_faults(heading: str, faults: list[str]) -> None:
    """Raise Faults if there are faults. The first twenty are listed."""
    if faults:
        more = [f"and {len(faults) - _MOST_FAULTS} more"] if len(faults) > _MOST_FAULTS else []
        raise Faults(heading, [*faults[:_MOST_FAULTS], *more])


def is_class_name(name: object) -> bool:
    """Return whether a value of a JSON file is a valid name of a class or channel: one line of printable text."""
    return isinstance(name, str) and 0 < len(name.strip()) <= _LONGEST_CLASS_NAME and name.strip().isprintable()


def composed(name: str) -> str:
    """Return a name in Unicode form NFC, in which names that look alike are equal: macOS and archives made there use another."""
    return unicodedata.normalize("NFC", name)


def stem(name: str) -> str:
    """Return a file name without .nii.gz, .nii, or the ending of another volume or of a picture."""
    for suffix in IMAGE_SUFFIXES:
        if name.lower().endswith(suffix):
            return name[: -len(suffix)]
    return name[: -len(Path(name).suffix)] if is_picture(Path(name)) else name


def is_image(path: Path) -> bool:
    """Return whether a file is a volume or a picture according to its name, and not hidden."""
    name = path.name.lower()
    return not name.startswith(".") and (name.endswith(IMAGE_SUFFIXES) or is_picture(path))


def hidden_images(root: Path) -> list[Path]:
    """Return the files below a folder that are images by their endings and hidden, as macOS leaves them in archives."""
    found = []
    for folder, folders, names in os.walk(root):
        folders.sort()
        found += [Path(folder, name) for name in sorted(names) if name.startswith(".") and is_image(Path(name.lstrip("._")))]
    return found


def images_in(folder: Path) -> dict[str, Path]:
    """Return the images of a folder by their names without suffix, in natural order.

    Raises Faults if two files differ only in their suffix, because the choice would be ambiguous.
    """
    found: dict[str, Path] = {}
    faults = []
    for path in entries(folder):
        if is_image(path):
            other = found.setdefault(composed(stem(path.name)), path)
            if other != path:
                faults.append(f"{other.name} and {path.name} have the same name. Remove one of the two")
    raise_faults(f"{folder}: two files for one case:", faults)
    return found


def subfolder(root: Path, *candidates: str) -> Path | None:
    """Return the first of the given folders below root that exists, ignoring case, or None."""
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
    return next((path for path in entries(folder) if path.name.lower() == name.lower() and path.is_dir()), None)


def read_description(path: Path, what: str) -> dict[str, Any]:
    """Return the object in a dataset.json.

    Raises UserError if the file is missing, too large or invalid; `what` describes it.
    """
    try:
        if path.stat().st_size > LARGEST_DESCRIPTION:
            raise UserError(f"{path} has {path.stat().st_size / 1e6:.0f} MB; a description of a dataset has some kilobytes.")
        content = json.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}.") from error
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path} is not valid JSON: {_json_fault(path, error)}") from error
    if not isinstance(content, dict):
        raise UserError(f"{path}: must hold {what}.")
    return content


def _json_fault(path: Path, error: Exception) -> str:
    """Return where a JSON file is wrong and what to do: such files are often edited by hand."""
    content = path.read_bytes()
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "it is in UTF-16. Save it in UTF-8."
    if content.startswith(LFS_POINTER):
        return LFS_REMEDY
    if isinstance(error, UnicodeDecodeError):
        return f"it is not text in UTF-8 (byte {error.start}). Save it in UTF-8, or get the file again."
    if not isinstance(error, json.JSONDecodeError):
        return "it is nested too deeply, or has too long a number. Get the file again."
    before, after = error.doc[: error.pos].rstrip(), error.doc[error.pos :].lstrip()
    if not error.doc.strip() or not after:
        return "it is empty or cut short. Get the file again."
    # A comma before a closing bracket: Python 3.13 names the comma, earlier versions the bracket.
    is_comma = (re.match(r"[}\]]", after) and before.endswith(",")) or re.match(r",\s*[}\]]", after)
    comma = " (a comma before a closing bracket)" if is_comma else ""
    line = error.doc.splitlines()[error.lineno - 1].strip()
    return f"line {error.lineno}, column {error.colno}: {error.msg}{comma}: {shown(line)}. Correct it, or get the file again."


def below(folder: Path, name: object) -> Path | None:
    """Return the file of a relative path inside a folder, or None if the path is invalid or leaves the folder."""
    if not isinstance(name, str) or not name or "\0" in name or "\\" in name or not is_text(name):
        return None
    path = Path(name)
    return None if path.is_absolute() or ".." in path.parts or not path.name else folder / path


def names_of(channels: object) -> dict[str, int] | None:
    """Return channel name -> index from `channel_names` or `modality` ({"0": "T1", ...}), or None if it has another form.

    Duplicate names get their index appended, and an invalid name is replaced by "channel" and the index, so that every channel
    can
    be chosen.
    """
    if not isinstance(channels, Mapping) or not channels:
        return None
    try:
        by_index = {int(index): name.strip() if is_class_name(name) else "channel" for index, name in channels.items()}
    except (TypeError, ValueError):
        return None
    if len(by_index) != len(channels) or sorted(by_index) != list(range(len(by_index))):
        return None
    times = Counter(by_index.values())
    names = {
        name if times[name] == 1 and name != "channel" else f"{name} {index}": index for index, name in sorted(by_index.items())
    }
    return names if len(names) == len(by_index) else {f"channel {index}": index for index in sorted(by_index)}


def chosen_channels(path: Path, available: Mapping[str, int], wanted: Iterable[str] | None) -> tuple[int, ...]:
    """Return the indices of the wanted channels, or all if `wanted` is None. Raises UserError with the unknown channels."""
    if wanted is None:
        return tuple(available.values())
    unknown = [name for name in wanted if name not in available]
    if unknown:
        raise UserError(f"channels: {path} has no {', '.join(map(repr, unknown))}; it has {', '.join(map(repr, available))}.")
    return tuple(available[name] for name in wanted)


def channel_list_faults(options: Mapping[str, Any]) -> list[str]:
    """Return the fault of a `channels` key that is empty or has duplicates."""
    channels = options.get("channels")
    if channels is not None and (not channels or len(set(channels)) != len(channels)):
        return ["channels: name at least one, and none twice; or remove the key to read all"]
    return []
