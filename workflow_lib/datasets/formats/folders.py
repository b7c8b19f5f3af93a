"""Images and masks in the user's own folders, found by patterns."""

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path, PurePosixPath

from workflow_lib.base.errors import UserError
from workflow_lib.datasets.formats.interface import Options, layout_error, no_downloads, single_channel_faults
from workflow_lib.datasets.formats.layouts import composed, entries, is_image, natural, stem
from workflow_lib.images.cases import Case, LabelMap, Reading
from workflow_lib.images.readers import dicom
from workflow_lib.study.sections.files import CASE, CLASS, Files
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
    masks: "masks/{{case}}*.png"         # patient or sequence, * for anything
    classes: {{background: 0, lesion: 255}}
If a case has several masks, `several_masks: join` takes their union. With {{class}} in the pattern of the masks, each class has a
file: "{{case}}/{{class}}.nii.gz". For masks whose classes are colours, `colours` gives the colour of each.
Images and masks may lie in one folder: a file that fits several patterns is taken by the one that spells out most of its name.
NIfTI, MetaImage, NRRD, MGH, DICOM (a folder per series), PNG, TIFF, BMP, GIF and JPEG are read."""


_SEVERAL_MASKS = (
    "set `files.several_masks: join` if their union is meant, or give a pattern that fits one (one annotator), or one with "
    "{class} (a file per class)"
)


@dataclass(frozen=True)
class _Found:
    """The files of one pattern by case, the groups and classes in their paths, and files that match no case."""

    files: Mapping[str, tuple[Path, ...]]
    groups: Mapping[str, frozenset[str]]
    strays: tuple[Path, ...] = ()
    classes: Mapping[Path, str] = field(default_factory=dict)


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
    values = {name: _first_value(entry) for name, entry in files.classes.items()}
    colours = tuple((int(code[1:], 16), values[name]) for name, code in files.colours.items())
    return Reading(colour=files.colour, threshold=files.threshold, overlaps=files.overlaps == "last", colours=colours)


def _first_value(entry: int | list[int]) -> int:
    return entry if isinstance(entry, int) else entry[0]


def find_cases(root: Path, options: Options) -> list[Case]:
    """Return the cases, in natural order. A case has a fault if a file of it is missing, or if there are several.

    Raises UserError if no image or no mask is found.
    """
    files = _files(options)
    patterns = [*files.images, files.masks, *([files.field_of_view] if files.field_of_view is not None else [])]
    found_by = _search_all(root, patterns, tuple(files.classes)[1:])
    channels = [found_by[pattern] for pattern in files.images]
    masks = found_by[files.masks]
    views = found_by[files.field_of_view] if files.field_of_view is not None else None
    if not masks.files or not channels[0].files:
        counts = {pattern: sum(map(len, found.files.values())) for pattern, found in found_by.items()}
        raise layout_error(LABEL, root, [_counted(pattern, counts[pattern]) for pattern in patterns], INSTRUCTIONS)
    every = {name for found in (*channels, masks) for name in found.files}
    cases = [_case(name, channels, masks, views, files) for name in sorted(every, key=natural)]
    return cases + [
        Case(stem(path.name), (), (path,), faults=(f"{path}: fits {pattern}, but its name begins with that of no image",))
        for pattern, found in found_by.items()
        for path in found.strays
    ]


def _counted(pattern: str, count: int) -> str:
    return f"{pattern}: {count or 'no'} file{'s' * (count != 1)}"


def _case(name: str, channels: list[_Found], masks: _Found, views: _Found | None, files: Files) -> Case:
    """Return a case with its faults: what is missing, and what is there more than once."""
    faults = []
    for pattern, found in zip(files.images, channels, strict=True):
        faults += _not_one(f"image {_filled(pattern, name)}", _without_slices(found.files.get(name, ())))
    groups = {group for found in (*channels, masks) for group in found.groups.get(name, ())}
    if len(groups) > 1:
        faults.append(f"it lies in several groups: {', '.join(sorted(groups))}. Let the names of cases be different")
    if views is not None:
        faults += _not_one(f"field of view {_filled(files.field_of_view or '', name)}", views.files.get(name, ()))
    view = views.files.get(name, (None,))[0] if views is not None else None
    images = tuple(path for found in channels for path in found.files.get(name, ())[:1])
    if CLASS in files.masks:
        truths, values, more, remarks = _class_masks(name, masks, files)
    else:
        truths, values, more, remarks = masks.files.get(name, ()), (), [], []
        checked = truths[:1] if files.several_masks == "join" else truths
        more += _not_one(f"mask {_filled(files.masks, name)}", checked, _SEVERAL_MASKS)
    return Case(name, images, truths, view, min(groups, default=""), "", tuple(faults + more), values, tuple(remarks))


def _without_slices(paths: Sequence[Path]) -> Sequence[Path]:
    """Return one file in place of the slices of a DICOM series, which lie in one folder."""
    is_series = len({path.parent for path in paths}) == 1 and all(path.suffix.lower() in dicom.SUFFIXES for path in paths)
    return paths[:1] if is_series else paths


def _not_one(what: str, paths: Sequence[Path], remedy: str = "let the pattern fit one") -> list[str]:
    """Return the fault of a missing file, or of several where one is expected."""
    if not paths:
        return [f"it has no {what}"]
    if len(paths) > 1:
        return [f"{len(paths)} files fit {what}: {', '.join(path.name for path in paths[:5])}; {remedy}"]
    return []


def _class_masks(name: str, masks: _Found, files: Files) -> tuple[tuple[Path, ...], tuple[int, ...], list[str], list[str]]:
    """Return the masks of a case with a file per class: paths in the order of `classes`, their values, faults and remarks."""
    by_class: dict[str, list[Path]] = {}
    for path in masks.files.get(name, ()):
        by_class.setdefault(masks.classes[path], []).append(path)
    paths, values, faults, remarks = [], [], [], []
    for label, entry in list(files.classes.items())[1:]:
        of_class = by_class.pop(composed(label), [])
        if len(of_class) > 1:
            faults += _not_one(f"mask {_filled(files.masks, name).replace(CLASS, label)}", of_class)
        elif of_class:
            paths.append(of_class[0])
            values.append(_first_value(entry))
        else:
            remarks.append(f"it has no mask file for {label}, which was taken as absent")
    if not paths and not faults:
        faults.append(f"it has no mask {_filled(files.masks, name)} of a class ({', '.join(list(files.classes)[1:])})")
    if by_class:
        shown = ", ".join(sorted(by_class)[:5]) + (", ..." if len(by_class) > 5 else "")
        remarks.append(f"{len(by_class)} of its masks are of classes that the study does not have, and are not read: {shown}")
    return tuple(paths), tuple(values), faults, remarks


def _filled(pattern: str, name: str) -> str:
    return pattern.replace(CASE, name)


def _search_all(root: Path, patterns: Sequence[str], classes: tuple[str, ...]) -> dict[str, _Found]:
    """Return the files of every pattern. The first pattern, that of the first channel, determines the names of the cases.

    A file is assigned to one pattern only: the one with most literal characters. Patterns with an open end come last.
    """
    found: dict[str, _Found] = {}
    taken: set[Path] = set()
    for pattern in sorted(dict.fromkeys(patterns), key=lambda pattern: (_has_open_end(pattern), -_spelt_out(pattern))):
        known = found[patterns[0]].files if patterns[0] in found else ()
        found[pattern] = _search(root, pattern, known, taken, classes)
        taken.update(path for paths in found[pattern].files.values() for path in paths)
    return found


def _has_open_end(pattern: str) -> bool:
    return CASE + "*" in pattern.removesuffix(".*")


def _spelt_out(pattern: str) -> int:
    return len(re.sub(r"\{(case|group|class)\}|\*", "", pattern))


def _search(
    root: Path, pattern: str, known: Collection[str], taken: Collection[Path], classes_of_study: tuple[str, ...]
) -> _Found:
    """Return the files below root that match a pattern and are not taken.

    A pattern without an ending, or with the ending `.*`, matches any image. If {case} is followed by *, the name of the case is
    the
    longest of the `known` names with which the file name begins and which is not followed by a letter or digit.
    """
    pattern = str(PurePosixPath(pattern))
    any_ending = pattern.endswith(".*") or not is_image(Path("x" + pattern))
    bare = pattern.removesuffix(".*").replace(CASE + "*", CASE)
    expression = _expression(bare, classes_of_study)
    others: list[tuple[Path, str]] = []
    files: dict[str, list[Path]] = {}
    classes: dict[Path, str] = {}
    groups: dict[str, set[str]] = {}
    strays = []
    for path, relative in _walk(root, bare.split("/")):
        if not is_image(path) or path in taken:
            continue
        text = relative[: len(relative) - len(path.name)] + stem(path.name) if any_ending else relative
        match = expression.fullmatch(composed(text))
        if match is None:
            others += [(path, composed(text))] if CLASS in pattern else []
            continue
        name = _beginning(match["case"], known) if _has_open_end(pattern) else match["case"]
        if name is None:
            strays.append(path)
        else:
            files.setdefault(name, []).append(path)
            if CLASS in pattern:
                classes[path] = match["class"]
            groups.setdefault(name, set()).update(filter(None, [match.groupdict().get("group")]))
    for path, text in others:
        case_and_class = _of_other_class(bare, text, {*known, *files})
        if case_and_class is not None:
            files.setdefault(case_and_class[0], []).append(path)
            classes[path] = case_and_class[1]
    ordered = {name: tuple(sorted(paths, key=lambda path: natural(path.name))) for name, paths in files.items()}
    return _Found(ordered, {name: frozenset(names) for name, names in groups.items()}, tuple(strays), classes)


def _of_other_class(bare: str, text: str, known: Collection[str]) -> tuple[str, str] | None:
    """Return the case and the class of a mask of a class that the study does not have. The case is a known one."""
    match = _expression(bare).fullmatch(text)
    if match is None:
        return None
    begin = match.start("case")
    for end in range(len(text), begin, -1):
        name = text[begin:end]
        if name in known and (found := _expression(bare, (), name).fullmatch(text)):
            return name, found["class"]
    return None


def _beginning(text: str, known: Collection[str]) -> str | None:
    ends = (end for end in range(len(text), 0, -1) if end == len(text) or not text[end].isalnum())
    return next((text[:end] for end in ends if text[:end] in known), None)


@cache
def _expression(pattern: str, classes: tuple[str, ...] = (), case: str = "") -> re.Pattern[str]:
    """Return the expression of a pattern. `classes`: all that {class} stands for; `case`: what {case} stands for."""
    pattern = composed(pattern)
    of_class = "|".join(re.escape(composed(name)) for name in sorted(classes, key=len, reverse=True)) or "[^/]+?"
    # The shortest name of a case leaves the longest name of a class.
    of_case = re.escape(case) or ("[^/]+?" if CLASS in pattern else "[^/]+")
    marks = {CASE: f"(?P<case>{of_case})", GROUP_MARK: "(?P<group>[^/]+?)", CLASS: f"(?P<class>{of_class})", "*": "[^/]*?"}
    again = {CASE: "(?P=case)", GROUP_MARK: "(?P=group)", CLASS: "(?P=class)"}
    parts, seen = [], set()
    for part in re.split(r"(\{case\}|\{group\}|\{class\}|\*)", pattern):
        parts.append(again[part] if part in seen and part in again else marks.get(part) or re.escape(part))
        seen.add(part)
    return re.compile("".join(parts))


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
            if not path.is_dir():
                yield path, prefix + path.name
        elif _expression(part).fullmatch(composed(path.name)) and path.is_dir():
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
