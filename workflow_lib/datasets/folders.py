"""Images and masks in folders of the user's own, found by patterns."""

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from workflow_lib.cases import Case, LabelMap, Reading
from workflow_lib.datasets._format import Options, layout_error, no_downloads, single_channel_faults
from workflow_lib.datasets._layouts import is_image, natural, stem
from workflow_lib.errors import Faults, UserError
from workflow_lib.sections.files import CASE, Files
from workflow_lib.sections.files import GROUP as GROUP_MARK

LABEL = "images in folders"
LICENCE = "that of the images"
URL = ""
DOWNLOADABLE = False
PHANTOM = None
GROUP = "group"

INSTRUCTIONS = f"""\
How to use images and masks of your own (licence: {LICENCE}): `root` is the folder below which they lie, and `files` says where:
  files:
    images: ["images/{{case}}.png"]      # one pattern per channel; {{case}} stands for the case's name, {{group}} for its
    masks: "masks/{{case}}*.png"         # patient or sequence, * for anything; several masks of a case are joined
    classes: {{background: 0, lesion: 255}}
NIfTI, PNG, TIFF, BMP, GIF and JPEG are read."""

_SHOWN = 20


@dataclass(frozen=True)
class _Found:
    """The files of one pattern by case, and the group that their paths name."""

    files: Mapping[str, tuple[Path, ...]]
    groups: Mapping[str, str]


def _files(options: Options) -> Files:
    if options.get("files") is None:
        raise UserError("files: is missing; the format `folders` needs it.\n" + INSTRUCTIONS)
    return Files.model_validate(options["files"])


def label_map(root: Path, options: Options) -> LabelMap:
    """Return the classes and regions that the section `files` names."""
    files = _files(options)
    names = tuple(files.classes)
    values = tuple((value,) if isinstance(value, int) else tuple(value) for value in files.classes.values())
    return LabelMap(names, values, {name: tuple(names.index(part) for part in parts) for name, parts in files.regions.items()})


def reading(root: Path, options: Options) -> Reading:
    """Return colour and threshold that the section `files` names."""
    files = _files(options)
    return Reading(colour=files.colour, threshold=files.threshold)


def find_cases(root: Path, options: Options) -> list[Case]:
    """Return the cases that have an image for every pattern and a mask, in natural order.

    Raises UserError where no file fits a pattern, and Faults that names every case without an image or a mask, or with more than
    one image for a pattern.
    """
    files = _files(options)
    first = _search(root, files.images[0])
    known = set(first.files)
    channels = [first, *(_search(root, pattern, known) for pattern in files.images[1:])]
    masks = _search(root, files.masks, known)
    views = _search(root, files.field_of_view, known) if files.field_of_view is not None else None
    patterns = [*files.images, files.masks, *([files.field_of_view] if files.field_of_view is not None else [])]
    if not masks.files or not channels[0].files:
        raise layout_error(LABEL, root, patterns, INSTRUCTIONS)
    faults: list[str] = []
    cases = []
    every = {name for found in (*channels, masks) for name in found.files}
    for name in sorted(every, key=natural):
        faults += _faults_of(name, channels, masks, views, files)
        groups = {found.groups[name] for found in (*channels, masks) if found.groups.get(name)}
        if len(groups) > 1:
            faults.append(f"{name}: lies in several groups: {', '.join(sorted(groups))}. Let the names of cases be different")
        view = views.files.get(name, (None,))[0] if views is not None else None
        images = tuple(path for found in channels for path in found.files.get(name, ())[:1])
        cases.append(Case(name, images, masks.files.get(name, ()), view, min(groups, default="")))
    if faults:
        more = [f"and {len(faults) - _SHOWN} more"] if len(faults) > _SHOWN else []
        raise Faults(f"{root}: images and masks do not fit together:", [*faults[:_SHOWN], *more])
    return cases


def _faults_of(name: str, channels: list[_Found], masks: _Found, views: _Found | None, files: Files) -> list[str]:
    faults = []
    for pattern, found in zip(files.images, channels, strict=True):
        paths = found.files.get(name, ())
        if not paths:
            faults.append(f"{name}: no image {_filled(pattern, name)}")
        elif len(paths) > 1:
            faults.append(f"{name}: several images fit {pattern}: {', '.join(path.name for path in paths)}")
    if name not in masks.files:
        faults.append(f"{name}: no mask {_filled(files.masks, name)}")
    if views is not None and len(views.files.get(name, ())) != 1:
        faults.append(f"{name}: not one, but {len(views.files.get(name, ()))} fields of view {files.field_of_view}")
    return faults


def _filled(pattern: str, name: str) -> str:
    return pattern.replace(CASE, name)


def _search(root: Path, pattern: str, known: Collection[str] | None = None) -> _Found:
    """Return the files below root that fit a pattern.

    A pattern without an ending, or with `.*` as its ending, takes any image. Where {case} is followed by *, the name of the case
    is the longest of the `known` ones that the file's name begins with, if no letter or digit follows there.
    """
    any_ending = pattern.endswith(".*") or not is_image(Path("x" + pattern))
    bare = pattern.removesuffix(".*")
    open_end = CASE + "*" in bare
    expression = _expression(bare.replace(CASE + "*", CASE))
    files: dict[str, list[Path]] = {}
    groups: dict[str, str] = {}
    for path, relative in _walk(root, pattern.count("/") + 1):
        if not is_image(path):
            continue
        shown = relative[: len(relative) - len(path.name)] + stem(path.name) if any_ending else relative
        match = expression.fullmatch(shown)
        name = match["case"] if match is not None else None
        if name is not None and open_end:
            name = _beginning(name, known or ())
        if match is not None and name:
            files.setdefault(name, []).append(path)
            groups[name] = match.groupdict().get("group") or ""
    ordered = {name: tuple(sorted(paths, key=lambda path: natural(path.name))) for name, paths in files.items()}
    return _Found(ordered, groups)


def _beginning(text: str, known: Collection[str]) -> str | None:
    ends = (end for end in range(len(text), 0, -1) if end == len(text) or not text[end].isalnum())
    return next((text[:end] for end in ends if text[:end] in known), None)


@cache
def _expression(pattern: str) -> re.Pattern[str]:
    marks = {CASE: "(?P<case>[^/]+)", GROUP_MARK: "(?P<group>[^/]+?)", "*": "[^/]*?"}
    parts = re.split(r"(\{case\}|\{group\}|\*)", pattern)
    return re.compile("".join(marks.get(part) or re.escape(part) for part in parts))


def _walk(folder: Path, depth: int, prefix: str = "") -> Iterator[tuple[Path, str]]:
    """Yield the files `depth` folders deep, with their paths from the root; hidden ones are skipped."""
    if not folder.is_dir():
        return
    for path in folder.iterdir():
        if path.name.startswith("."):
            continue
        if depth == 1:
            if path.is_file():
                yield path, prefix + path.name
        elif path.is_dir():
            yield from _walk(path, depth - 1, f"{prefix}{path.name}/")


def option_faults(options: Options) -> list[str]:
    """Return a fault where the section `files` is missing, or where channels are chosen by name: patterns choose them."""
    missing = [] if options.get("files") is not None else ["files: is missing; it says where images and masks lie"]
    return missing + single_channel_faults(LABEL, options)


def explain_labels(values: Collection[float]) -> str:
    """Recognise masks of 0 and 255 for which 1 was declared, and grey edges."""
    if set(values) == {0.0, 255.0}:
        return "a mask of 0 and 255. Declare 255 in files.classes, or give files.threshold"
    if 255.0 in values and len(values) > 2:
        return "a mask with grey edges, as lossy compression and resizing leave them. Give files.threshold, such as 127"
    return ""


downloads = no_downloads
