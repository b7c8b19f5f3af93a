"""Datasets in the raw layout of nnU-Net, version 2: DatasetNNN_Name with dataset.json, imagesTr, labelsTr."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from workflow_lib.cases import Case, LabelMap, Reading
from workflow_lib.datasets._format import Options, layout_error, no_downloads, no_explanation
from workflow_lib.datasets._layouts import (
    below,
    channel_list_faults,
    chosen_channels,
    names_of,
    natural,
    read_description,
)
from workflow_lib.errors import Faults, UserError
from workflow_lib.pictures import SUFFIXES

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
The ending may be .nii.gz, .nii, or that of a picture. `channels` chooses channels by their names."""

_ENDINGS = (".nii.gz", ".nii", *sorted(SUFFIXES))
_WHAT = "the description of a dataset in nnU-Net's layout, version 2"
_SHOWN = 20


def label_map(root: Path, options: Options) -> LabelMap:
    """Return the classes by value; a label of several values is a region, which is scored too.

    Raises UserError where dataset.json is missing or unusable, or where it has an `ignore` label.
    """
    path = root / "dataset.json"
    labels = _description(root).get("labels")
    if not isinstance(labels, Mapping):
        raise UserError(f'{path}: `labels` must map names to values, as in {{"background": 0, "tumour": 1}}; it is {labels!r}.')
    if "ignore" in labels:
        raise UserError(
            f"{path}: the label `ignore` (voxels without ground truth) cannot be handled. Label these voxels, or leave them."
        )
    single: dict[str, int] = {}
    joined: dict[str, list[int]] = {}
    for name, value in labels.items():
        values = value if isinstance(value, list) else [value]
        if not values or not all(isinstance(v, int) and not isinstance(v, bool) and 0 <= v <= 255 for v in values):
            raise UserError(
                f"{path}: the label {name!r} must be a whole number from 0 to 255, or a list of such; it is {value!r}."
            )
        if len(values) == 1:
            single[str(name).strip()] = values[0]
        else:
            joined[str(name).strip()] = sorted(values)
    return _label_map(path, single, joined)


def _label_map(path: Path, single: Mapping[str, int], joined: Mapping[str, list[int]]) -> LabelMap:
    """Values that are named in regions only become classes of their own."""
    named = {value: name for name, value in single.items()}
    if len(named) != len(single):
        raise UserError(f"{path}: `labels` gives two names to one value: {dict(single)!r}.")
    members = {value for values in joined.values() for value in values}
    named |= {value: f"label {value}" for value in sorted(members - set(named))}
    if 0 not in named or len(named) < 2 or len(set(named.values())) != len(named):
        raise UserError(
            f"{path}: `labels` must name 0 (background) and at least one more value, each name once; it has {named!r}."
        )
    if set(joined) & set(named.values()):
        raise UserError(
            f"{path}: `labels` uses a name for a label and for a region: {sorted(set(joined) & set(named.values()))}."
        )
    values = sorted(named)
    regions = {name: tuple(values.index(value) for value in members if value != 0) for name, members in joined.items()}
    return LabelMap(
        tuple(named[v] for v in values), tuple((v,) for v in values), {n: m for n, m in regions.items() if len(m) > 1}
    )


def reading(root: Path, options: Options) -> Reading:
    """Return one channel per file. Of pictures, the colours of a file that stands for several channels are all read."""
    description = _description(root)
    channels = names_of(description.get("channel_names", description.get("modality"))) or {}
    colours = [name.lower() for name in channels] in (["r", "g", "b"], ["red", "green", "blue"])
    one_file = colours and not _one_per_channel(root, description)
    return Reading(colour="rgb" if one_file else "grey")


def _one_per_channel(root: Path, description: Mapping[str, Any]) -> bool:
    ending = _ending(root / "dataset.json", description)
    return any((root / "imagesTr").glob(f"*_0001{ending}")) if (root / "imagesTr").is_dir() else False


def find_cases(root: Path, options: Options) -> list[Case]:
    """Return the cases of labelsTr, or those that dataset.json lists under `dataset`, in natural order.

    Raises UserError where dataset.json is missing or unusable, and Faults that names every case without one of its channels or
    without a label.
    """
    path = root / "dataset.json"
    description = _description(root)
    available = names_of(description.get("channel_names", description.get("modality")))
    if available is None:
        raise UserError(f'{path}: `channel_names` must number the channels from 0, as in {{"0": "T1", "1": "T2"}}.')
    if reading(root, options).colour == "rgb":
        available = {"rgb": 0}
    indices = chosen_channels(path, available, options.get("channels"))
    listed = description.get("dataset")
    if listed is not None:
        return _listed(path, listed, len(available), indices)
    return _found(root, _ending(path, description), len(available), indices)


def _ending(path: Path, description: Mapping[str, Any]) -> str:
    ending = description.get("file_ending", ".nii.gz")
    if not isinstance(ending, str) or ending.lower() not in _ENDINGS:
        raise UserError(f"{path}: files that end in {ending!r} cannot be read; it must be one of {', '.join(_ENDINGS)}.")
    return ending


def _found(root: Path, ending: str, channels: int, indices: tuple[int, ...]) -> list[Case]:
    images, labels = root / "imagesTr", root / "labelsTr"
    there = {folder: _names(folder, ending) for folder in (images, labels)}
    of_images = {name[:-5] for name in there[images] if len(name) > 5 and name[-5] == "_" and name[-4:].isdecimal()}
    if not there[labels]:
        raise layout_error(LABEL, root, [f"imagesTr/CASE_0000{ending}", f"labelsTr/CASE{ending}"], INSTRUCTIONS)
    faults = [f"{name}: no label ({labels / (name + ending)})" for name in sorted(of_images - there[labels], key=natural)]
    cases = []
    for name in sorted(there[labels], key=natural):
        missing = [f"{name}_{i:04d}{ending}" for i in range(channels) if f"{name}_{i:04d}" not in there[images]]
        if missing:
            faults.append(f"{name}: no {', '.join(missing)} in {images}")
        files = tuple(images / f"{name}_{index:04d}{ending}" for index in indices)
        cases.append(Case(name, files, (labels / f"{name}{ending}",)))
    _raise(root, faults)
    return cases


def _names(folder: Path, ending: str) -> set[str]:
    if not folder.is_dir():
        return set()
    names = [path.name for path in folder.iterdir()]
    return {name[: -len(ending)] for name in names if name.endswith(ending) and not name.startswith((".", "_"))}


def _listed(path: Path, listed: object, channels: int, indices: tuple[int, ...]) -> list[Case]:
    """Read the files that `dataset` lists per case; their paths start at the folder of dataset.json."""
    if not isinstance(listed, Mapping) or not listed:
        raise UserError(f"{path}: `dataset` must list files per case: {{CASE: {{images: [...], label: ...}}}}.")
    faults, cases = [], []
    for name in sorted(listed, key=natural):
        entry = listed[name]
        images = entry.get("images") if isinstance(entry, Mapping) else None
        files = [below(path.parent, image) for image in images] if isinstance(images, list) else []
        label = below(path.parent, entry.get("label")) if isinstance(entry, Mapping) else None
        whole = [file for file in files if file is not None]
        if label is None or len(whole) != channels or len(files) != channels:
            faults.append(
                f"{name}: must list {channels} image(s) and a label, as paths below {path.parent}; it is {str(entry)[:200]}"
            )
        else:
            cases.append(Case(str(name), tuple(whole[index] for index in indices), (label,)))
    _raise(path, faults)
    return cases


def _raise(where: Path, faults: list[str]) -> None:
    if faults:
        more = [f"and {len(faults) - _SHOWN} more"] if len(faults) > _SHOWN else []
        raise Faults(f"{where}: {len(faults)} case(s) are not complete:", [*faults[:_SHOWN], *more])


def _description(root: Path) -> dict[str, Any]:
    path = root / "dataset.json"
    if not path.is_file():
        raise layout_error(LABEL, root, ["dataset.json", "imagesTr/CASE_0000.nii.gz", "labelsTr/CASE.nii.gz"], INSTRUCTIONS)
    return read_description(path, _WHAT)


def option_faults(options: Options) -> list[str]:
    """Return what is wrong with a list of channels; whether the names exist, dataset.json tells later."""
    return channel_list_faults(options)


downloads = no_downloads
explain_labels = no_explanation
