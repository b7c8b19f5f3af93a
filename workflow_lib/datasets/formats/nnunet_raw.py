"""Datasets in the raw layout of nnU-Net, version 2: DatasetNNN_Name with dataset.json, imagesTr, labelsTr."""

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from workflow_lib.base.errors import UserError
from workflow_lib.datasets.formats.interface import Options, layout_error, no_downloads
from workflow_lib.datasets.formats.layouts import (
    IMAGE_SUFFIXES,
    below,
    channel_list_faults,
    chosen_channels,
    composed,
    entries,
    is_class_name,
    is_text,
    names_of,
    natural,
    raise_faults,
    read_description,
    shown,
)
from workflow_lib.images.cases import Case, Colour, LabelMap, Reading
from workflow_lib.images.pictures.reading import SUFFIXES

LABEL = "nnU-Net raw dataset"
LICENCE = "that of the dataset"
URL = "https://github.com/MIC-DKFZ/nnUNet/blob/master/documentation/dataset_format.md"
DOWNLOADABLE = False
PHANTOM = None
GROUP = None

INSTRUCTIONS = f"""\
How to use a dataset in nnU-Net's raw layout, version 2 (licence: {LICENCE}; layout: {URL}):
`root` is the folder DatasetNNN_Name that holds dataset.json, imagesTr/CASE_0000.nii.gz (one file per channel: _0000, _0001, ...)
and labelsTr/CASE.nii.gz. dataset.json must hold `channel_names`, `labels` (name: value) and `file_ending`.
The ending may be that of any volume or picture that is read (docs/datasets.md). `channels` chooses channels by their names; of a
picture whose one file holds red, green and blue, one of the three, or all."""

_ENDINGS = (*IMAGE_SUFFIXES, *sorted(SUFFIXES))
_WHAT = "the description of a dataset in nnU-Net's layout, version 2"
_COLOURS: Mapping[str, Colour] = {"r": "red", "red": "red", "g": "green", "green": "green", "b": "blue", "blue": "blue"}


def label_map(root: Path, options: Options) -> LabelMap:
    """Return the classes by value. A label with several values is a region, which is also scored.

    Raises UserError if dataset.json is missing or invalid, or if it has an `ignore` label.
    """
    path = root / "dataset.json"
    labels = _description(root).get("labels")
    if not isinstance(labels, Mapping):
        raise UserError(
            f'{path}: `labels` must map names to values, as in {{"background": 0, "tumour": 1}}; it is {shown(labels)}.'
        )
    single: dict[str, int] = {}
    joined: dict[str, list[int]] = {}
    faults = []
    for name, value in labels.items():
        values = value if isinstance(value, list) else [value]
        whole = all(isinstance(v, int) and not isinstance(v, bool) and 0 <= v <= 255 for v in values)
        if name == "ignore":
            faults.append(
                "the label `ignore` (voxels without ground truth) cannot be handled. Give these voxels a class in all masks, and "
                "remove the label"
            )
        elif not is_class_name(name) or name.strip() in {*single, *joined}:
            faults.append(f"the name {shown(name)} is used twice, or is not a line of printable text")
        elif not values or not whole:
            faults.append(
                f"the label {shown(name)} must be a whole number from 0 to 255, or a list of such; it is {shown(value)}"
            )
        elif len(set(values)) == 1:
            single[name.strip()] = values[0]
        else:
            joined[name.strip()] = sorted(set(values))
    raise_faults(f"{path}: faults in `labels`:", faults)
    return _label_map(path, single, joined)


def _label_map(path: Path, single: Mapping[str, int], joined: Mapping[str, list[int]]) -> LabelMap:
    """Return the classes and regions. Values that occur only in regions become separate classes."""
    named = {value: name for name, value in single.items()}
    if len(named) != len(single):
        raise UserError(f"{path}: `labels` gives two names to one value: {shown(dict(single))}.")
    members = {value for values in joined.values() for value in values}
    named |= {value: f"label {value}" for value in sorted(members - set(named))}
    if 0 not in named or len(named) < 2 or len(set(named.values())) != len(named):
        raise UserError(
            f"{path}: `labels` must name 0 (background) and at least one more value, each name once; it has {shown(named)}."
        )
    if set(joined) & set(named.values()):
        raise UserError(
            f"{path}: `labels` uses a name for a label and for a region: {sorted(set(joined) & set(named.values()))}."
        )
    values = sorted(named)
    regions = {name: tuple(values.index(value) for value in part if value != 0) for name, part in joined.items()}
    return LabelMap(
        tuple(named[v] for v in values), tuple((v,) for v in values), {n: m for n, m in regions.items() if len(m) > 1}
    )


def reading(root: Path, options: Options) -> Reading:
    """Return a `Reading` for one channel per file, or the chosen colours of pictures with red, green and blue in one file.

    Raises UserError if two of the three colours are chosen.
    """
    description = _description(root)
    available = _channels(root / "dataset.json", description)
    indices = chosen_channels(root / "dataset.json", available, options.get("channels"))
    if not _holds_colours(root, description, available):
        return Reading(colour="one")
    if len(indices) == 1:
        return Reading(colour=_COLOURS[list(available)[indices[0]].lower()])
    if indices != (0, 1, 2):
        raise UserError(f"channels: of pictures with red, green and blue in one file, choose one or all three ({root}).")
    return Reading(colour="rgb")


def _channels(path: Path, description: Mapping[str, Any]) -> dict[str, int]:
    names = description.get("channel_names", description.get("modality"))
    available = names_of(names)
    if available is None:
        raise UserError(
            f'{path}: `channel_names` must number the channels from 0, as in {{"0": "T1", "1": "T2"}}; it is {shown(names)}.'
        )
    return available


def _holds_colours(root: Path, description: Mapping[str, Any], available: Mapping[str, int]) -> bool:
    """Return whether each file contains the channels red, green and blue, as nnU-Net stores pictures."""
    if [_COLOURS.get(name.lower()) for name in available] != ["red", "green", "blue"]:
        return False
    listed = description.get("dataset")
    if isinstance(listed, Mapping):
        images = [entry.get("images") for entry in listed.values() if isinstance(entry, Mapping)]
        return not any(isinstance(paths, list) and len(paths) > 1 for paths in images)
    ending = _ending(root / "dataset.json", description)
    return not any(path.name.endswith(f"_0001{ending}") for path in entries(root / "imagesTr"))


def find_cases(root: Path, options: Options) -> list[Case]:
    """Return the cases in labelsTr, or those listed under `dataset` in dataset.json, in natural order.

    A case that lacks a channel or a label has a fault. Raises UserError if dataset.json is missing or invalid.
    """
    path = root / "dataset.json"
    description = _description(root)
    available = _channels(path, description)
    indices = chosen_channels(path, available, options.get("channels"))
    if _holds_colours(root, description, available):
        available, indices = {"rgb": 0}, (0,)
    listed = description.get("dataset")
    if listed is not None:
        return _listed(path, listed, len(available), indices)
    return _found(root, _ending(path, description), len(available), indices)


def _ending(path: Path, description: Mapping[str, Any]) -> str:
    ending = description.get("file_ending", ".nii.gz")
    if not isinstance(ending, str) or ending.lower() not in _ENDINGS:
        raise UserError(f"{path}: files that end in {shown(ending)} cannot be read; it must be one of {', '.join(_ENDINGS)}.")
    return ending


def _found(root: Path, ending: str, channels: int, indices: tuple[int, ...]) -> list[Case]:
    images, labels = _named(root / "imagesTr", ending), _named(root / "labelsTr", ending)
    of_images = {name[:-5] for name in images if len(name) > 5 and name[-5] == "_" and name[-4:].isdecimal()}
    if not labels:
        raise layout_error(LABEL, root, [f"imagesTr/CASE_0000{ending}", f"labelsTr/CASE{ending}"], INSTRUCTIONS)
    cases = []
    for name in sorted({*labels, *of_images}, key=natural):
        channel_names = [f"{name}_{index:04d}" for index in range(channels)]
        missing = [channel + ending for channel in channel_names if channel not in images]
        faults = [f"it has no {', '.join(missing)} in {root / 'imagesTr'}"] if missing else []
        faults += [f"it has no label ({root / 'labelsTr' / (name + ending)})"] if name not in labels else []
        faults += _more_channels(name, channels, images)
        files = tuple(images[channel_names[index]] for index in indices if channel_names[index] in images)
        cases.append(Case(name, files, tuple(path for path in [labels.get(name)] if path), faults=tuple(faults)))
    return cases


def _more_channels(name: str, channels: int, images: Mapping[str, Path]) -> list[str]:
    """Return the fault of a case with more channels than dataset.json names."""
    more = images.get(f"{name}_{channels:04d}")
    return [f"it has {more.name}, but `channel_names` of dataset.json ends at {channels - 1:04d}"] if more is not None else []


def _named(folder: Path, ending: str) -> dict[str, Path]:
    """Return the files of a folder with this ending, in capitals or not, by their names without it."""
    found: dict[str, Path] = {}
    faults = []
    for path in entries(folder):
        if path.name.lower().endswith(ending.lower()) and not path.name.startswith("."):
            other = found.setdefault(composed(path.name[: -len(ending)]), path)
            if other != path:
                faults.append(f"{other.name} and {path.name} have the same name. Remove one of the two")
    raise_faults(f"{folder}: two files for one case:", faults)
    return found


def _listed(path: Path, listed: object, channels: int, indices: tuple[int, ...]) -> list[Case]:
    """Return the cases in `dataset`. Their paths are relative to the folder of dataset.json."""
    if not isinstance(listed, Mapping) or not listed:
        raise UserError(f"{path}: `dataset` must list files per case: {{CASE: {{images: [...], label: ...}}}}.")
    cases, unwritable = [], []
    for name in sorted(listed, key=natural):
        entry = listed[name]
        images = entry.get("images") if isinstance(entry, Mapping) else None
        files = [below(path.parent, image) for image in images] if isinstance(images, list) else []
        label = below(path.parent, entry.get("label")) if isinstance(entry, Mapping) else None
        whole = [file for file in files if file is not None]
        if not is_text(name):
            unwritable.append(f"{shown(name)}: the name is not valid Unicode")
        elif label is None or len(whole) != channels or len(files) != channels:
            fault = f"{path} must list {channels} image(s) and a label of it, as paths below {path.parent}; it has {shown(entry)}"
            cases.append(Case(str(name), tuple(whole), () if label is None else (label,), faults=(fault,)))
        else:
            cases.append(Case(str(name), tuple(whole[index] for index in indices), (label,)))
    raise_faults(f"{path}: {len(unwritable)} name(s) of cases cannot be used:", unwritable)
    return cases


def _description(root: Path) -> dict[str, Any]:
    path = root / "dataset.json"
    if not path.is_file():
        raise layout_error(LABEL, root, ["dataset.json", "imagesTr/CASE_0000.nii.gz", "labelsTr/CASE.nii.gz"], INSTRUCTIONS)
    return read_description(path, _WHAT)


def option_faults(options: Options) -> list[str]:
    """Return the faults of a list of channels. Whether the names exist is checked later with dataset.json."""
    return channel_list_faults(options)


def explain_labels(values: Collection[float]) -> str:
    """Recognise masks with 0 and 255, as image editors save them, for which 1 was declared."""
    if set(values) == {0.0, 255.0}:
        return "a mask of 0 and 255. Write 255 in `labels` of dataset.json, or store 1 in place of 255"
    return ""


downloads = no_downloads
