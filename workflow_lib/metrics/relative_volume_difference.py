"""Relative volume difference."""

from workflow_lib.metrics.interface import BOTH_EMPTY, EMPTY_REFERENCE, UNDEFINED, Better, Counts, Measured

NAME = "relative_volume_difference"
LABEL = "Relative volume difference"
UNIT = ""
BETTER: Better = "near 0"
RANGE = (-1.0, float("inf"))
MEASURED: Measured = "counts"
EMPTY = {BOTH_EMPTY: UNDEFINED, EMPTY_REFERENCE: UNDEFINED}
CITATION = (
    "T. Heimann et al., Comparison and Evaluation of Methods for Liver Segmentation From CT Datasets, "
    "IEEE Transactions on Medical Imaging 28(8), 2009."
)
EQUATION = r"\mathrm{RVD} = \frac{V_P - V_R}{V_R} = \frac{\mathrm{FP} - \mathrm{FN}}{\mathrm{TP} + \mathrm{FN}}"
NOTES = (
    "A fraction, with its sign: above 0 the prediction is too large, below 0 too small, and -1 where it is empty. Many papers "
    "give it in per cent, some without its sign.",
)


def relative_volume_difference(counts: Counts) -> float:
    """Return the signed volume difference, prediction minus reference, relative to the reference volume.

    Parameters
    ----------
    counts : Counts
        Voxels of one case and class.

    Returns
    -------
    float
        Value of -1 or more: above 0 if the prediction is too large, -1 if it is empty; NaN if the reference is
        empty.

    References
    ----------
    T. Heimann et al., Comparison and Evaluation of Methods for Liver Segmentation From CT Datasets, IEEE TMI 28(8), 2009.

    Examples
    --------
    >>> relative_volume_difference(Counts(tp=3, fp=0, fn=1))
    -0.25
    >>> relative_volume_difference(Counts(tp=0, fp=5, fn=0))
    nan
    """
    if counts.note in EMPTY:
        return EMPTY[counts.note]
    return (counts.fp - counts.fn) / (counts.tp + counts.fn)
