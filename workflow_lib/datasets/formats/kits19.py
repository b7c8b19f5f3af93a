"""KiTS19: CT of 210 patients with kidney tumours; labels kidney and tumour (Heller et al., arXiv 1904.00445)."""

import re
from collections.abc import Collection
from pathlib import Path

from workflow_lib.datasets.formats.interface import Options, RemoteFile, layout_error, single_channel_faults
from workflow_lib.datasets.formats.layouts import entries
from workflow_lib.images.cases import Case, LabelMap, Reading

LABEL = "KiTS19"
LICENCE = "CC BY-NC-SA 4.0"
URL = "https://github.com/neheller/kits19"
IMAGES = "https://huggingface.co/datasets/neheller/KiTS-Challenge-Imaging/resolve/main/images"
MASKS = "https://raw.githubusercontent.com/neheller/kits19/master/data"
DOWNLOADABLE = True
PHANTOM = "ct"
GROUP = None
LABELLED = 210
"""Number of cases with a mask (0 to 209). The later cases are the challenge's test set."""

INSTRUCTIONS = f"""\
How to get KiTS19 ({LICENCE}, 20.2 GB):
  - let the workflow fetch it: set `source: download`; or
  - clone {URL} (branch master, which holds the masks; never mix in the branch `interpolated`, its grids differ) and store each
    {IMAGES}/case_NNNNN.nii.gz
    as data/case_NNNNN/imaging.nii.gz.
`root` is the folder that holds data/case_NNNNN/, or case_NNNNN/ itself."""

_FOLDER = re.compile(r"case_([0-9]{5})")
_IMAGE, _MASK = "imaging.nii.gz", "segmentation.nii.gz"
_ABOUT_BYTES = {_IMAGE: 20_200_000_000 // LABELLED, _MASK: 300_000}


def label_map(root: Path, options: Options) -> LabelMap:
    """Return background 0, kidney 1, tumour 2. The union of kidney and tumour is also scored."""
    return LabelMap(("background", "kidney", "tumour"), ((0,), (1,), (2,)), {"kidney and tumour": (1, 2)})


def reading(root: Path, options: Options) -> Reading:
    """Return a `Reading` for files of one channel and masks without a threshold."""
    return Reading()


def find_cases(root: Path, options: Options) -> list[Case]:
    """Return the cases in root/data/case_NNNNN, or else in root/case_NNNNN.

    Cases 0 to 209 are included even if a file is missing, so that the check reports it; later cases only if they have a mask.
    Raises UserError if no such folder exists.
    """
    for folder in (root / "data", root):
        cases = _cases_in(folder)
        if cases:
            return cases
    patterns = [f"{parent}case_NNNNN/{name}" for parent in ("data/", "") for name in (_IMAGE, _MASK)]
    raise layout_error(LABEL, root, patterns, INSTRUCTIONS)


def _cases_in(folder: Path) -> list[Case]:
    cases = []
    for path in entries(folder):
        match = _FOLDER.fullmatch(path.name)
        if match and path.is_dir() and (int(match[1]) < LABELLED or (path / _MASK).exists()):
            cases.append(Case(path.name, (path / _IMAGE,), (path / _MASK,)))
    return cases


def option_faults(options: Options) -> list[str]:
    """Return a fault if channels are chosen, because a case has one image."""
    return single_channel_faults(LABEL, options)


def downloads(root: Path, url: str | None) -> list[RemoteFile]:
    """Return images and masks of the 210 labelled cases as data/case_NNNNN/..., or case_NNNNN/... if cases already lie there.

    A mirror `url` contains <url>/case_NNNNN/imaging.nii.gz and <url>/case_NNNNN/segmentation.nii.gz.
    """
    parent = "" if _cases_in(root) and not _cases_in(root / "data") else "data/"
    files = []
    for number in range(LABELLED):
        case = f"case_{number:05d}"
        addresses = {_IMAGE: f"{IMAGES}/{case}.nii.gz", _MASK: f"{MASKS}/{case}/{_MASK}"}
        for name, official in addresses.items():
            address = f"{url.rstrip('/')}/{case}/{name}" if url else official
            files.append(RemoteFile(address, f"{parent}{case}/{name}", _ABOUT_BYTES[name]))
    return files


def explain_labels(values: Collection[float]) -> str:
    """Recognise the masks of later challenges, which have a class for cysts."""
    if set(values) - {0, 1, 2} == {3}:
        return "a mask of KiTS21 or KiTS23, where 3 marks cysts. Take the masks of KiTS19"
    return ""
