"""Precision, the positive predictive value."""

from workflow_lib.metrics.interface import BOTH_EMPTY, EMPTY_PREDICTION, UNDEFINED, Better, Counts, Measured

NAME = "precision"
LABEL = "Precision"
UNIT = ""
BETTER: Better = "higher"
RANGE = (0.0, 1.0)
MEASURED: Measured = "counts"
EMPTY = {BOTH_EMPTY: UNDEFINED, EMPTY_PREDICTION: 0.0}
CITATION = (
    "A. A. Taha, A. Hanbury, Metrics for Evaluating 3D Medical Image Segmentation: Analysis, Selection, and Tool, "
    "BMC Medical Imaging 15:29, 2015."
)
EQUATION = r"\mathrm{Precision} = \frac{\mathrm{TP}}{\mathrm{TP} + \mathrm{FP}}"
NOTES = ("An empty prediction of a class that is there has precision 0 instead of 0/0: the class was missed.",)


def precision(counts: Counts) -> float:
    """Return the precision: the share of the prediction that is in the reference.

    Parameters
    ----------
    counts : Counts
        Voxels of one case and class.

    Returns
    -------
    float
        Value in [0, 1]; 0 if one of the masks is empty, NaN if both are.

    References
    ----------
    A. A. Taha, A. Hanbury, Metrics for Evaluating 3D Medical Image Segmentation, BMC Medical Imaging 15:29, 2015.

    Examples
    --------
    >>> precision(Counts(tp=6, fp=2, fn=4))
    0.75
    >>> precision(Counts(tp=0, fp=0, fn=4))
    0.0
    """
    if counts.note in EMPTY:
        return EMPTY[counts.note]
    return counts.tp / (counts.tp + counts.fp)
