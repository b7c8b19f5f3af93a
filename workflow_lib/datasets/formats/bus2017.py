"""BUS2017 dataset B: 163 breast ultrasound images with one lesion each (Yap et al. 2018)."""

from functools import partial
from pathlib import Path

from workflow_lib.datasets.formats.interface import Options, layout_error, no_downloads, no_explanation, single_channel_faults
from workflow_lib.datasets.formats.layouts import images_in, natural, subfolder
from workflow_lib.images.cases import Case, LabelMap, Reading

LABEL = "BUS2017 dataset B"
LICENCE = "by agreement with the authors"
URL = "https://helward.mmu.ac.uk/STAFF/M.Yap/dataset.php"
DOWNLOADABLE = False
PHANTOM = None
GROUP = None

INSTRUCTIONS = f"""\
How to get BUS2017 dataset B ({LICENCE}): sign the agreement at {URL} and unpack what you are sent.
`root` is the folder that holds original/ and GT/ with 163 images of the same names (000001.png), or the one above."""

_PARENTS = ("", "BUS", "BUS2017", "BUS2017_Dataset_B", "Dataset_B")
_IMAGES = ("original", "images", "image")
_MASKS = ("GT", "masks", "mask")


def label_map(root: Path, options: Options) -> LabelMap:
    """Return background 0 and lesion 255."""
    return LabelMap(("background", "lesion"), ((0,), (255,)))


def reading(root: Path, options: Options) -> Reading:
    """Return grey values and a threshold, for masks that were saved with grey edges."""
    return Reading(colour="grey", threshold=127)


def find_cases(root: Path, options: Options) -> list[Case]:
    """Return the images in the order of their names.

    Cases without a mask or image are included, so that the check reports them. Raises UserError if no case is found.
    """
    for parent in _PARENTS:
        images = subfolder(root, *(str(Path(parent, name)) for name in _IMAGES))
        masks = subfolder(root, *(str(Path(parent, name)) for name in _MASKS))
        if images is None or masks is None:
            continue
        found, truths = images_in(images), images_in(masks)
        names = sorted({*found, *truths}, key=natural)
        if names:
            return [
                Case(name, (found.get(name, images / f"{name}.png"),), (truths.get(name, masks / f"{name}.png"),))
                for name in names
            ]
    patterns = [f"{name}/NNNNNN.png" for name in ("original", "GT", "BUS/original", "BUS/GT")]
    raise layout_error(LABEL, root, patterns, INSTRUCTIONS)


option_faults = partial(single_channel_faults, LABEL)
downloads = no_downloads
explain_labels = no_explanation
