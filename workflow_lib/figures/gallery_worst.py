"""The gallery of the worst case: ground truth and every loss, with errors in colour."""

from workflow_lib.figures._galleries import ranked
from workflow_lib.figures.interface import Data, Drawn

NAME = "gallery_worst"
OF = "dataset"
ORDER = 20
PLACE = "gallery"
IMAGES = True
TEXT = True
CAPTION = (
    "{label}: the worst case, ground truth and every loss. Selection rule: the case of worst DSC of the rarest class, averaged "
    "over the losses."
)
ALT = "One case of {label}: the segmentation by the ground truth and by each loss, with errors in colour."


def draw(data: Data) -> Drawn:
    """Return the figure of the worst case, and a description of its content."""
    return ranked(data, "worst")
