"""DRIVE: 40 fundus photographs with vessels and the camera's field of view (Staal et al. 2004)."""

import re
from functools import partial
from pathlib import Path

from workflow_lib.datasets.formats.interface import Options, layout_error, no_downloads, no_explanation, single_channel_faults
from workflow_lib.datasets.formats.layouts import images_in, subfolder
from workflow_lib.images.cases import Case, LabelMap, Reading

LABEL = "DRIVE"
LICENCE = "research use"
URL = "https://drive.grand-challenge.org"
DOWNLOADABLE = False
PHANTOM = None
GROUP = None

INSTRUCTIONS = f"""\
How to get DRIVE ({LICENCE}): register at {URL}, fetch training.zip and test.zip and unpack both.
`root` is the folder that holds training/ and test/ with images/, 1st_manual/ and mask/, or the one above.
Today's release has no vessels for the 20 test images, so that they are left out: use folds, or a share of the training
images as the test set. With the labels of the older release in test/1st_manual/, `fixed: {{test: official}}` works."""

_PARTS = ("training", "test")
_NUMBER = re.compile(r"([0-9]+)_.*")


def label_map(root: Path, options: Options) -> LabelMap:
    """Return background 0 and vessel 255."""
    return LabelMap(("background", "vessel"), ((0,), (255,)))


def reading(root: Path, options: Options) -> Reading:
    """Return three colours and a threshold, for masks that were saved again with other values."""
    return Reading(colour="rgb", threshold=127)


def find_cases(root: Path, options: Options) -> list[Case]:
    """Return the images with vessels marked by the first observer: 21 to 40 (training), 01 to 20 (test) if available.

    Training cases with missing files are included, so that the check reports them. The same holds for all cases without a field
    of view, which is reported if it is needed. Raises UserError if no image with vessels is found.
    """
    cases: list[Case] = []
    for part in _PARTS:
        folder = subfolder(root, part, f"DRIVE/{part}")
        if folder is not None:
            cases += _cases(folder, part)
    if not cases:
        patterns = [f"{part}/{name}" for part in _PARTS for name in ("images/NN_*.tif", "1st_manual/NN_manual1.gif")]
        raise layout_error(LABEL, root, [*patterns, "training/mask/NN_training_mask.gif"], INSTRUCTIONS)
    return sorted(cases, key=lambda case: case.id)


def _cases(folder: Path, part: str) -> list[Case]:
    folders = [subfolder(folder, name) or folder / name for name in ("images", "1st_manual", "mask")]
    images, truths, views = map(_numbered, folders)
    # Vessels of test images are withheld today, but a training image without vessels is a fault.
    numbers = {*images, *truths} if part == "training" and truths else {*truths}
    return [
        Case(
            f"{number}_{part}",
            (images.get(number, folders[0] / f"{number}_{part}.tif"),),
            (truths.get(number, folders[1] / f"{number}_manual1.gif"),),
            views.get(number),
            part=part,
        )
        for number in numbers
    ]


def _numbered(folder: Path) -> dict[str, Path]:
    return {match[1]: path for name, path in images_in(folder).items() if (match := _NUMBER.fullmatch(name))}


option_faults = partial(single_channel_faults, LABEL)
downloads = no_downloads
explain_labels = no_explanation
