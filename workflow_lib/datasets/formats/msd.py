"""Medical Segmentation Decathlon: ten tasks in one layout (Antonelli et al. 2022, doi 10.1038/s41467-022-30695-9)."""

from collections.abc import Collection
from pathlib import Path
from typing import Any

from workflow_lib.base.errors import UserError
from workflow_lib.datasets.formats.interface import Options, RemoteArchive, layout_error
from workflow_lib.datasets.formats.layouts import (
    below,
    channel_list_faults,
    chosen_channels,
    is_class_name,
    names_of,
    natural,
    raise_faults,
    read_description,
    shown,
    stem,
)
from workflow_lib.images.cases import Case, LabelMap, Reading

LABEL = "Medical Segmentation Decathlon"
LICENCE = "CC BY-SA 4.0"
URL = "http://medicaldecathlon.com"
ARCHIVES = "https://msd-for-monai.s3-us-west-2.amazonaws.com"
DOWNLOADABLE = True
PHANTOM = None
GROUP = None

INSTRUCTIONS = f"""\
How to get a task of the Decathlon ({LICENCE}), for instance Task04_Hippocampus (28 MB):
  - let the workflow fetch it: set `source: download` and let `root` end in the task's name; or
  - fetch {ARCHIVES}/Task04_Hippocampus.tar, or the same from {URL}, and unpack it.
`root` is the folder that holds dataset.json, imagesTr/ and labelsTr/. Of a task whose files hold several channels (such as
Task01_BrainTumour and Task05_Prostate) all are read, or those that `channels` names."""

MD5 = {
    "Task01_BrainTumour": "240a19d752f0d9e9101544901065d872",
    "Task02_Heart": "06ee59366e1e5124267b774dbd654057",
    "Task03_Liver": "a90ec6c4aa7f6a3d087205e23d4e6397",
    "Task04_Hippocampus": "9d24dba78a72977dbd1d2e110310f31b",
    "Task05_Prostate": "35138f08b1efaef89d7424d2bcc928db",
    "Task06_Lung": "8afd997733c7fc0432f71255ba4e52dc",
    "Task07_Pancreas": "4f7080cfca169fa8066d17ce6eb061e4",
    "Task08_HepaticVessel": "641d79e80ec66453921d997fbf12a29c",
    "Task09_Spleen": "410d4a301da4e5b2f6f86ec3ddba524e",
    "Task10_Colon": "bad7a188931dc2f6acf72b08eb6202d0",
}
"""MD5 of the archives, as published by MONAI."""


def label_map(root: Path, options: Options) -> LabelMap:
    """Return the classes in dataset.json in the order of their values. Raises UserError if they are missing or invalid."""
    path = root / "dataset.json"
    labels = _description(root).get("labels")
    try:
        named = {int(value): name.strip() for value, name in labels.items() if is_class_name(name)}  # type: ignore[union-attr]
    except (AttributeError, TypeError, ValueError):
        named = {}
    if not isinstance(labels, dict) or len(named) != len(labels):
        raise UserError(
            f'{path}: `labels` must map each value to a name, as in {{"0": "background", "1": "Anterior"}}, no value twice; '
            f"it is {shown(labels)}. (nnU-Net writes it the other way round.)"
        )
    if 0 not in named or len(named) < 2 or len(set(named.values())) != len(named) or not all(0 <= v <= 255 for v in named):
        raise UserError(
            f"{path}: `labels` must name 0 (background) and other values up to 255, no name twice; it is {shown(labels)}."
        )
    values = sorted(named)
    return LabelMap(tuple(named[value] for value in values), tuple((value,) for value in values))


def reading(root: Path, options: Options) -> Reading:
    """Return the channels to read from files with four axes, named by `modality`, or a `Reading` for files of one channel."""
    available = _channels(root)
    chosen = chosen_channels(root / "dataset.json", available, options.get("channels"))
    return Reading() if len(available) == 1 else Reading(channels=chosen)


def _channels(root: Path) -> dict[str, int]:
    """Return the channels of the task. If `modality` is missing, as in some copies, there is one channel."""
    modality = _description(root).get("modality")
    channels = names_of(modality)
    if channels is None and modality:
        raise UserError(f'{root / "dataset.json"}: `modality` must number the channels from 0, as in {{"0": "T1w", "1": "T2w"}}.')
    return channels or {"image": 0}


def find_cases(root: Path, options: Options) -> list[Case]:
    """Return the cases listed under `training` in dataset.json. Names that begin with a dot, which macOS adds, are skipped.

    Cases with missing files are included, so that the check reports them.
    Raises UserError if dataset.json is missing or invalid, and Faults with every invalid entry.
    """
    path = root / "dataset.json"
    entries = _description(root).get("training")
    reading(root, options)
    if not isinstance(entries, list) or not entries:
        raise UserError(f"{path}: `training` lists no case.\n{INSTRUCTIONS}")
    cases: dict[str, Case] = {}
    faults = []
    for entry in entries:
        image, mask = (below(root, entry.get(key)) if isinstance(entry, dict) else None for key in ("image", "label"))
        if image is None or mask is None:
            faults.append(f"an entry must name its image and its label as paths below this folder: {shown(entry)}")
        elif not image.name.startswith("."):
            identifier = stem(image.name)
            if identifier in cases:
                faults.append(f"{identifier} is listed twice; keep one of the two entries")
            cases[identifier] = Case(identifier, (image,), (mask,))
    raise_faults(f"{path}: faults in `training`:", faults)
    if not cases:
        raise UserError(f"{path}: `training` lists no case.\n{INSTRUCTIONS}")
    return [cases[identifier] for identifier in sorted(cases, key=natural)]


def _description(root: Path) -> dict[str, Any]:
    path = root / "dataset.json"
    if not path.is_file():
        raise layout_error(LABEL, root, ["dataset.json", "imagesTr/NAME.nii.gz", "labelsTr/NAME.nii.gz"], INSTRUCTIONS)
    return read_description(path, "the description of a task of the Decathlon")


def option_faults(options: Options) -> list[str]:
    """Return the faults of a list of channels. Whether the names exist is checked later with dataset.json."""
    return channel_list_faults(options)


def downloads(root: Path, url: str | None) -> RemoteArchive:
    """Return the archive of the task with the name of the folder `root`.

    A mirror `url` is the folder of the archives, or the full address of one. Raises UserError if `root` is not named like a
    task.
    """
    task = root.name
    if task not in MD5:
        raise UserError(
            f"Which task of the Decathlon is to be fetched? `root` is {root}; let it end in the task's name: {', '.join(MD5)}."
        )
    base = (url or ARCHIVES).rstrip("/")
    return RemoteArchive(base if base.endswith(".tar") else f"{base}/{task}.tar", task, f"md5:{MD5[task]}")


def explain_labels(values: Collection[float]) -> str:
    """Return an empty text: dataset.json defines the allowed values."""
    return ""
