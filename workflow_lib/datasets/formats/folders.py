"""Images and masks in the user's own folders, found by patterns."""

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path, PurePosixPath

from workflow_lib.base.errors import UserError
from workflow_lib.datasets.formats.interface import Options, layout_error, no_downloads, single_channel_faults
from workflow_lib.datasets.formats.layouts import entries, is_image, natural, raise_faults, stem
from workflow_lib.images.cases import Case, LabelMap, Reading
from workflow_lib.study.sections.files import CASE, Files
from workflow_lib.study.sections.files import GROUP as GROUP_MARK

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
Images and masks may lie in one folder: a file that fits several patterns is taken by the one that spells out most of its name.
NIfTI, PNG, TIFF, BMP, GIF and JPEG are read."""


@dataclass(frozen=True)
class _Found:
    """The files of one pattern by case, the groups in their paths, and files that match no case."""

    files: Mapping[str, tuple[Path, ...]]
    groups: Mapping[str, frozenset[str]]
    strays: tuple[Path, ...] = ()


def _files(options: Options) -> Files:
    if options.get("files") is None:
        raise UserError("files: is missing; the format `folders` needs it.\n" + INSTRUCTIONS)
    return Files.model_validate(options["files"])


def label_map(root: Path, options: Options) -> LabelMap:
    """Return the classes and regions in the section `files`."""
    files = _files(options)
    names = tuple(files.classes)
    values = tuple((value,) if isinstance(value, int) else tuple(value) for value in files.classes.values())
    return LabelMap(names, values, {name: tuple(names.index(part) for part in parts) for name, parts in files.regions.items()})


def reading(root: Path, options: Options) -> Reading:
    """Return the colour and threshold in the section `files`."""
    files = _files(options)
    return Reading(colour=files.colour, threshold=files.threshold)


def find_cases(root: Path, options: Options) -> list[Case]:
    """Return the cases that have an image for every pattern and a mask, in natural order.

    Raises UserError if no file matches a pattern, and Faults with every case that has no image, no mask, or more than one image
    for
    a pattern, and every mask without a case.
    """
    files = _files(options)
    patterns = [*files.images, files.masks, *([files.field_of_view] if files.field_of_view is not None else [])]
    found_by = _search_all(root, patterns)
    channels = [found_by[pattern] for pattern in files.images]
    masks = found_by[files.masks]
    views = found_by[files.field_of_view] if files.field_of_view is not None else None
    if not masks.files or not channels[0].files:
        raise layout_error(LABEL, root, patterns, INSTRUCTIONS)
    faults: list[str] = []
    cases = []
    every = {name for found in (*channels, masks) for name in found.files}
    for name in sorted(every, key=natural):
        faults += _faults_of(name, channels, masks, views, files)
        groups = {group for found in (*channels, masks) for group in found.groups.get(name, ())}
        if len(groups) > 1:
            faults.append(f"{name}: lies in several groups: {', '.join(sorted(groups))}. Let the names of cases be different")
        view = views.files.get(name, (None,))[0] if views is not None else None
        images = tuple(path for found in channels for path in found.files.get(name, ())[:1])
        cases.append(Case(name, images, masks.files.get(name, ()), view, min(groups, default="")))
    for pattern, found in found_by.items():
        faults += [f"{path}: fits {pattern}, but its name begins with that of no image" for path in found.strays]
    raise_faults(f"{root}: images and masks do not fit together:", faults)
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


def _search_all(root: Path, patterns: Sequence[str]) -> dict[str, _Found]:
    """Return the files of every pattern. The first pattern, that of the first channel, determines the names of the cases.

    A file is assigned to one pattern only: the one with most literal characters. Patterns with an open end come last.
    """
    found: dict[str, _Found] = {}
    taken: set[Path] = set()
    for pattern in sorted(dict.fromkeys(patterns), key=lambda pattern: (_has_open_end(pattern), -_spelt_out(pattern))):
        known = found[patterns[0]].files if patterns[0] in found else ()
        found[pattern] = _search(root, pattern, known, taken)
        taken.update(path for paths in found[pattern].files.values() for path in paths)
    return found


def _has_open_end(pattern: str) -> bool:
    return CASE + "*" in pattern.removesuffix(".*")


def _spelt_out(pattern: str) -> int:
    return len(re.sub(r"\{case\}|\{group\}|\*", "", pattern))


def _search(root: Path, pattern: str, known: Collection[str], taken: Collection[Path]) -> _Found:
    """Return the files below root that match a pattern and are not taken.

    A pattern without an ending, or with the ending `.*`, matches any image. If {case} is followed by *, the name of the case is
    the
    longest of the `known` names with which the file name begins and which is not followed by a letter or digit.
    """
    pattern = str(PurePosixPath(pattern))
    any_ending = pattern.endswith(".*") or not is_image(Path("x" + pattern))
    bare = pattern.removesuffix(".*").replace(CASE + "*", CASE)
    expression = _expression(bare)
    files: dict[str, list[Path]] = {}
    groups: dict[str, set[str]] = {}
    strays = []
    for path, relative in _walk(root, bare.split("/")):
        if not is_image(path) or path in taken:
            continue
        match = expression.fullmatch(relative[: len(relative) - len(path.name)] + stem(path.name) if any_ending else relative)
        if match is None:
            continue
        name = _beginning(match["case"], known) if _has_open_end(pattern) else match["case"]
        if name is None:
            strays.append(path)
        else:
            files.setdefault(name, []).append(path)
            groups.setdefault(name, set()).update(filter(None, [match.groupdict().get("group")]))
    ordered = {name: tuple(sorted(paths, key=lambda path: natural(path.name))) for name, paths in files.items()}
    return _Found(ordered, {name: frozenset(names) for name, names in groups.items()}, tuple(strays))


def _beginning(text: str, known: Collection[str]) -> str | None:
    ends = (end for end in range(len(text), 0, -1) if end == len(text) or not text[end].isalnum())
    return next((text[:end] for end in ends if text[:end] in known), None)


@cache
def _expression(pattern: str) -> re.Pattern[str]:
    marks = {CASE: "(?P<case>[^/]+)", GROUP_MARK: "(?P<group>[^/]+?)", "*": "[^/]*?"}
    parts = re.split(r"(\{case\}|\{group\}|\*)", pattern)
    return re.compile("".join(marks.get(part) or re.escape(part) for part in parts))


def _walk(folder: Path, parts: Sequence[str], prefix: str = "") -> Iterator[tuple[Path, str]]:
    """Yield the files in the folders that match a pattern's parts, with their paths relative to root.

    Hidden files are skipped.
    """
    part, *rest = parts
    if rest and not set(part) & set("{*"):
        # Do not list the parent folder: it may contain large folders that are not part of the dataset.
        yield from _walk(folder / part, rest, f"{prefix}{part}/")
        return
    for path in entries(folder):
        if path.name.startswith("."):
            continue
        if not rest:
            if path.is_file():
                yield path, prefix + path.name
        elif _expression(part).fullmatch(path.name) and path.is_dir():
            yield from _walk(path, rest, f"{prefix}{path.name}/")


def option_faults(options: Options) -> list[str]:
    """Return a fault if the section `files` is missing, or if channels are given by name, because patterns define them."""
    missing = [] if options.get("files") is not None else ["files: is missing; it says where images and masks lie"]
    return missing + single_channel_faults(LABEL, options)


def explain_labels(values: Collection[float]) -> str:
    """Recognise masks with 0 and 255 for which 1 was declared, or the reverse, and grey edges."""
    if set(values) == {0.0, 1.0}:
        return "a mask of 0 and 1. Declare 1 in files.classes"
    if set(values) == {0.0, 255.0}:
        return "a mask of 0 and 255. Declare 255 in files.classes, or give files.threshold"
    if 255.0 in values and len(values) > 2:
        return "a mask with grey edges, as lossy compression and resizing leave them. Give files.threshold, such as 127"
    return ""


downloads = no_downloads
