"""Recall, the sensitivity."""

from workflow_lib.metrics.interface import BOTH_EMPTY, EMPTY_REFERENCE, UNDEFINED, Better, Counts, Measured

NAME = "recall"
LABEL = "Recall"
UNIT = ""
BETTER: Better = "higher"
RANGE = (0.0, 1.0)
MEASURED: Measured = "counts"
EMPTY = {BOTH_EMPTY: UNDEFINED, EMPTY_REFERENCE: UNDEFINED}
CITATION = (
    "A. A. Taha, A. Hanbury, Metrics for Evaluating 3D Medical Image Segmentation: Analysis, Selection, and Tool, "
    "BMC Medical Imaging 15:29, 2015."
)
EQUATION = r"\mathrm{Recall} = \frac{\mathrm{TP}}{\mathrm{TP} + \mathrm{FN}}"


def recall(counts: Counts) -> float:
    """Return the recall: the share of the reference that is in the prediction.

    Parameters
    ----------
    counts : Counts
        Voxels of one case and class.

    Returns
    -------
    float
        Value in [0, 1]; NaN if the reference is empty.

    References
    ----------
    A. A. Taha, A. Hanbury, Metrics for Evaluating 3D Medical Image Segmentation, BMC Medical Imaging 15:29, 2015.

    Examples
    --------
    >>> recall(Counts(tp=6, fp=4, fn=2))
    0.75
    >>> recall(Counts(tp=0, fp=4, fn=0))
    nan
    """
    if counts.note in EMPTY:
        return EMPTY[counts.note]
    return counts.tp / (counts.tp + counts.fn)
