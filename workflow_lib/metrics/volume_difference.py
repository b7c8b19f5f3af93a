"""Absolute volume difference."""

from workflow_lib.metrics.interface import BOTH_EMPTY, UNDEFINED, Better, Counts, Measured

NAME = "volume_difference"
LABEL = "Absolute volume difference"
UNIT = "ml or px²"
BETTER: Better = "lower"
RANGE = (0.0, float("inf"))
MEASURED: Measured = "counts"
EMPTY = {BOTH_EMPTY: UNDEFINED}
CITATION = (
    "T. Heimann et al., Comparison and Evaluation of Methods for Liver Segmentation From CT Datasets, "
    "IEEE Transactions on Medical Imaging 28(8), 2009, which divides it by the volume of the reference."
)
EQUATION = r"\mathrm{AVD} = |V_P - V_R| = v \, |\mathrm{FP} - \mathrm{FN}|"
NOTES = (
    "Voxels in the wrong place do not count as long as there are as many elsewhere: it says nothing on the overlap.",
    "v is the size of a voxel. Where one mask is empty the difference is the volume of the other. Where both are it would be 0, "
    "and is left undefined so that all metrics are over the same cases.",
)


def volume_difference(counts: Counts) -> float:
    """Return the absolute difference between the volumes of prediction and reference.

    Parameters
    ----------
    counts : Counts
        Voxels of one case and class, with the size of a voxel.

    Returns
    -------
    float
        Volume in ml (2-D images: pixels, or mm² for NIfTI), 0 or more; NaN if both masks are empty.

    References
    ----------
    T. Heimann et al., Comparison and Evaluation of Methods for Liver Segmentation From CT Datasets, IEEE TMI 28(8), 2009.

    Examples
    --------
    >>> volume_difference(Counts(tp=100, fp=10, fn=30, voxel=0.5))
    10.0
    >>> volume_difference(Counts(tp=0, fp=0, fn=30, voxel=0.5))
    15.0
    """
    if counts.note in EMPTY:
        return EMPTY[counts.note]
    return abs(counts.fp - counts.fn) * counts.voxel
