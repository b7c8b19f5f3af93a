"""CVC-ClinicDB: 612 frames of 29 colonoscopy sequences with polyp masks (Bernal et al. 2015)."""

import csv
import re
from bisect import bisect_right
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from workflow_lib.datasets.formats.interface import Options, layout_error, no_downloads, no_explanation, single_channel_faults
from workflow_lib.datasets.formats.layouts import images_in, natural, subfolder
from workflow_lib.images.cases import Case, LabelMap, Reading

LABEL = "CVC-ClinicDB"
LICENCE = "research and education only"
URL = "https://polyp.grand-challenge.org/CVCClinicDB/"
DOWNLOADABLE = False
PHANTOM = None
GROUP = "sequence"

FIRST_FRAMES = (
    *(1, 26, 51, 68, 79, 104, 127, 152, 178, 200, 206, 228, 253, 278, 298),
    *(318, 343, 364, 384, 409, 429, 448, 467, 479, 504, 529, 547, 572, 592),
)
"""First frame of each of the 29 sequences; the last frame is 612.

The ranges are taken from the description of Dataset Ninja's copy (github.com/dataset-ninja/cvc-612, ABSTRACT.md), which adds
that the 29 sequences come from 25 video studies. The sequences 1-25, 51-67 and 104-126 were verified with the frames.
"""
FRAMES = 612

INSTRUCTIONS = f"""\
How to get CVC-ClinicDB ({LICENCE}): register at {URL}, fetch CVC-ClinicDB and unpack it.
`root` is the folder that holds Original/ and "Ground Truth"/ with 1.tif to 612.tif, or the one above. Kaggle's copy, with
the same folders in PNG/ and TIF/, is read as well (PNG first).
Frames of one sequence look alike: `by_group: true` keeps each of the 29 sequences on one side of a division. The sequences are
taken from metadata.csv (frame_id, sequence_id) where it lists all frames, else from the frame ranges of the dataset's
description. They come from 25 examinations; which sequences share one is not published."""

_IMAGES, _MASKS = "Original", "Ground Truth"
_NUMBER = re.compile(r"[0-9]{1,9}")
_PARENTS = ("", "PNG", "TIF", "CVC-ClinicDB", "CVC-ClinicDB/PNG", "CVC-ClinicDB/TIF")


def label_map(root: Path, options: Options) -> LabelMap:
    """Return background 0 and polyp 255."""
    return LabelMap(("background", "polyp"), ((0,), (255,)))


def reading(root: Path, options: Options) -> Reading:
    """Return three colours and a threshold, because 138 of the masks have grey edges."""
    return Reading(colour="rgb", threshold=127)


def find_cases(root: Path, options: Options) -> list[Case]:
    """Return the frames in the order of their numbers, named frame_001 and so on.

    Cases without a mask or image are included, so that the check reports them. Raises UserError if no frame is found.
    """
    for parent in _PARENTS:
        images = subfolder(root, str(Path(parent, _IMAGES)))
        masks = subfolder(root, str(Path(parent, _MASKS)))
        if images is None or masks is None:
            continue
        frames, truths = images_in(images), images_in(masks)
        if frames or truths:
            names = sorted({*frames, *truths}, key=natural)
            sequences = _sequences(images, names)
            suffix = next(iter((frames or truths).values())).suffix
            return [
                Case(
                    _identifier(name),
                    (frames.get(name, images / f"{name}{suffix}"),),
                    (truths.get(name, masks / f"{name}{suffix}"),),
                    group=sequences[name],
                )
                for name in names
            ]
    patterns = [str(Path(parent, folder, "1.tif")) for parent in ("", "CVC-ClinicDB", "PNG") for folder in (_IMAGES, _MASKS)]
    raise layout_error(LABEL, root, patterns, INSTRUCTIONS)


def _identifier(name: str) -> str:
    return f"frame_{int(name):03d}" if _NUMBER.fullmatch(name) else name


def _sequence(name: str) -> str:
    """Return the sequence of a frame by its number, or "" if the name is not that of a frame."""
    if not _NUMBER.fullmatch(name) or not 1 <= int(name) <= FRAMES:
        return ""
    return f"sequence_{bisect_right(FIRST_FRAMES, int(name)):02d}"


def _sequences(images: Path, names: Sequence[str]) -> dict[str, str]:
    """Return frame -> sequence, from metadata.csv (Kaggle's copy) if it lists all frames, else from the published ranges."""
    for folder in (images.parent, images.parent.parent):
        listed = _listed(folder / "metadata.csv")
        if all(_identifier(name) in listed for name in names):
            return {name: listed[_identifier(name)] for name in names}
    return {name: _sequence(name) for name in names}


def _listed(path: Path) -> dict[str, str]:
    """Return identifier -> sequence from a metadata.csv; empty if there is no such file or it has other contents."""
    if not path.is_file():
        return {}
    try:
        with open(path, encoding="utf-8-sig", errors="replace", newline="") as stream:
            rows = [(row.get("frame_id") or "", row.get("sequence_id") or "") for row in csv.DictReader(stream)]
    except (OSError, csv.Error):
        return {}
    return {_identifier(frame): f"sequence_{int(number):02d}" for frame, number in rows if _NUMBER.fullmatch(number)}


option_faults = partial(single_channel_faults, LABEL)
downloads = no_downloads
explain_labels = no_explanation
