"""BUSI: 780 breast ultrasound images, normal, benign and malignant (Al-Dhabyani et al. 2020)."""

import re
from functools import partial
from pathlib import Path

from workflow_lib.datasets.formats.interface import Options, layout_error, no_downloads, no_explanation, single_channel_faults
from workflow_lib.datasets.formats.layouts import entries, subfolder
from workflow_lib.images.cases import Case, LabelMap, Reading

LABEL = "BUSI"
LICENCE = "research use, to be cited"
URL = "https://scholar.cu.edu.eg/?q=afahmy/pages/dataset"
DOWNLOADABLE = False
PHANTOM = None
GROUP = None

KINDS = ("benign", "malignant", "normal")

INSTRUCTIONS = f"""\
How to get BUSI ({LICENCE}): fetch Dataset_BUSI.zip from {URL} and unpack it.
`root` is the folder that holds benign/, malignant/ and normal/, or the one above (Dataset_BUSI_with_GT/), with "benign (1).png",
"benign (1)_mask.png" and, where there are several lesions, "benign (1)_mask_1.png" and so on, which are joined.
The masks of the normal images are empty; to leave these out: `require: [lesion]`."""

_PARENTS = ("", "Dataset_BUSI_with_GT", "Dataset_BUSI/Dataset_BUSI_with_GT")
_IMAGE = re.compile(r"(benign|malignant|normal) ?\(([0-9]{1,9})\)\.png", re.IGNORECASE)
_MASK = re.compile(r"(benign|malignant|normal) ?\(([0-9]{1,9})\)_mask(?:_[0-9]+)?\.png", re.IGNORECASE)


def label_map(root: Path, options: Options) -> LabelMap:
    """Return background 0 and lesion 255."""
    return LabelMap(("background", "lesion"), ((0,), (255,)))


def reading(root: Path, options: Options) -> Reading:
    """Return grey values and a threshold, because the masks are a mixture of 1-bit, grey and colour images."""
    return Reading(colour="grey", threshold=127)


def find_cases(root: Path, options: Options) -> list[Case]:
    """Return the images by kind and number, named "benign (001)" and so on, each with all its masks.

    Cases without a mask or image are included, so that the check reports them. Raises UserError if no case is found.
    """
    for parent in _PARENTS:
        cases: list[Case] = []
        for kind in KINDS:
            folder = subfolder(root, str(Path(parent, kind)))
            cases += _cases(folder, kind) if folder is not None else []
        if cases:
            return cases
    patterns = [
        str(Path(parent, "benign", name)) for parent in _PARENTS[:2] for name in ("benign (1).png", "benign (1)_mask.png")
    ]
    raise layout_error(LABEL, root, patterns, INSTRUCTIONS)


def _cases(folder: Path, kind: str) -> list[Case]:
    images: dict[int, Path] = {}
    masks: dict[int, list[Path]] = {}
    for path in entries(folder):
        if match := _IMAGE.fullmatch(path.name):
            images[int(match[2])] = path
        elif match := _MASK.fullmatch(path.name):
            masks.setdefault(int(match[2]), []).append(path)
    return [
        Case(
            f"{kind} ({number:03d})",
            (images.get(number, folder / f"{kind} ({number}).png"),),
            tuple(masks.get(number, [folder / f"{kind} ({number})_mask.png"])),
        )
        for number in sorted({*images, *masks})
    ]


option_faults = partial(single_channel_faults, LABEL)
downloads = no_downloads
explain_labels = no_explanation
