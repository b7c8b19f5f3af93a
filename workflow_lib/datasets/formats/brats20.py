"""BraTS 2020: MRI of 369 patients with glioma; here the enhancing tumour (label 4) is segmented.

Menze et al. 2015 (doi 10.1109/TMI.2014.2377694), Bakas et al. 2017 (doi 10.1038/sdata.2017.117) and 2018 (arXiv 1811.02629).
"""

import re
from collections.abc import Collection, Sequence
from pathlib import Path

from workflow_lib.datasets.formats.interface import Options, layout_error
from workflow_lib.datasets.formats.layouts import entries
from workflow_lib.images.cases import Case, LabelMap, Reading

LABEL = "BraTS20"
LICENCE = "research use, after registration"
URL = "https://www.med.upenn.edu/cbica/brats2020/data.html"
DOWNLOADABLE = False
PHANTOM = "mri"
GROUP = None
CHANNELS = ("t1", "t1ce", "t2", "flair")
DEFAULT_CHANNELS = ("t1ce",)
"""Channel that is read by default: the contrast-enhanced T1 of the paper."""

INSTRUCTIONS = f"""\
How to get BraTS20 ({LICENCE}): register at {URL}, fetch the training data and unpack them.
`root` is the folder BraTS20_Training_NNN/ lie in, or the one above: MICCAI_BraTS2020_TrainingData/ (official), or
BraTS2020_TrainingData/MICCAI_BraTS2020_TrainingData/ (Kaggle's copy). Files may end in .nii or .nii.gz.
The 125 validation cases have no masks and are not used."""

_OFFICIAL = "MICCAI_BraTS2020_TrainingData"
_PARENTS = ("", _OFFICIAL, f"BraTS2020_TrainingData/{_OFFICIAL}", f"archive/BraTS2020_TrainingData/{_OFFICIAL}")
_FOLDER = re.compile(r"BraTS20_Training_[0-9]{3}")
_ENDINGS = (".nii.gz", ".nii")
_RENAMED_MASK = "W39_1998.09.19_Segm"
"""File name of the mask of case 355 in Kaggle's copy."""


def label_map(root: Path, options: Options) -> LabelMap:
    """Return background (0, 1 necrosis, 2 oedema) and tumour (4, enhancing). Predictions contain 0 and 4."""
    return LabelMap(("background", "tumour"), ((0, 1, 2), (4,)))


def reading(root: Path, options: Options) -> Reading:
    """Return a `Reading` for files of one channel and masks without a threshold."""
    return Reading()


def find_cases(root: Path, options: Options) -> list[Case]:
    """Return the training cases with one file per channel, in the order of `channels`.

    Cases with missing files are included, so that the check reports them. Raises UserError if no case folder is found.
    """
    for parent in _PARENTS:
        paths = [path for path in entries(root / parent) if _FOLDER.fullmatch(path.name) and path.is_dir()]
        if paths:
            return [_case(path, _channels(options)) for path in paths]
    names = [f"BraTS20_Training_NNN_{channel}.nii[.gz]" for channel in (*_channels(options), "seg")]
    patterns = [str(Path(parent, "BraTS20_Training_NNN", name)) for parent in _PARENTS[:3] for name in names]
    raise layout_error(LABEL, root, patterns, INSTRUCTIONS)


def _channels(options: Options) -> tuple[str, ...]:
    channels = options.get("channels")
    return DEFAULT_CHANNELS if channels is None else tuple(channels)


def _case(folder: Path, channels: Sequence[str]) -> Case:
    images = tuple(_existing([folder / f"{folder.name}_{channel}{ending}" for ending in _ENDINGS]) for channel in channels)
    stems = (f"{folder.name}_seg", _RENAMED_MASK)
    return Case(folder.name, images, (_existing([folder / f"{stem}{ending}" for stem in stems for ending in _ENDINGS]),))


def _existing(candidates: Sequence[Path]) -> Path:
    """Return the first path that exists, or else the first path, which the check will report as missing."""
    return next((path for path in candidates if path.exists()), candidates[0])


def option_faults(options: Options) -> list[str]:
    """Return a fault for each unknown channel and for duplicate channels."""
    channels = options.get("channels")
    if channels is None:
        return []
    if not channels or len(set(channels)) != len(channels):
        return [f"channels: name at least one of {', '.join(CHANNELS)}, and none twice"]
    return [
        f"channels: {LABEL} has no {channel!r}; it has {', '.join(CHANNELS)}" for channel in channels if channel not in CHANNELS
    ]


def downloads(root: Path, url: str | None) -> None:
    """Return None, because the data are only available after registration."""
    return


def explain_labels(values: Collection[float]) -> str:
    """Recognise remapped copies, in which 3 replaces 4, and the masks of older challenges, which have both 3 and 4."""
    if 3 in values and not set(values) - {0, 1, 2, 3}:
        return "a remapped copy, in which 3 stands for 4 (enhancing tumour). Take the official masks, with labels 1, 2 and 4"
    if {3, 4} <= set(values):
        return "a mask of BraTS 2015 or older, where 3 is non-enhancing tumour. Take the masks of BraTS 2020"
    return ""
