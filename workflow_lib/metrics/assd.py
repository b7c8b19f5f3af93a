"""Average symmetric surface distance."""

from workflow_lib.metrics.interface import EMPTY_NOTES, UNDEFINED, Better, Measured, Surfaces

NAME = "assd"
LABEL = "ASSD"
UNIT = "mm or px"
BETTER: Better = "lower"
RANGE = (0.0, float("inf"))
MEASURED: Measured = "surfaces"
EMPTY = dict.fromkeys(EMPTY_NOTES, UNDEFINED)
CITATION = (
    "T. Heimann et al., Comparison and Evaluation of Methods for Liver Segmentation From CT Datasets, "
    "IEEE Transactions on Medical Imaging 28(8), 2009; G. Podobnik, T. Vrtovec, Understanding Implementation Pitfalls of "
    "Distance-Based Metrics for Image Segmentation, arXiv:2410.02630, sets it apart from MASD."
)
EQUATION = r"\mathrm{ASSD} = \frac{\sum_{r \in S_R} d(r, S_P) + \sum_{p \in S_P} d(p, S_R)}{|S_R| + |S_P|}"
NOTES = (
    "The mean over all surface voxels of both masks, so that each voxel counts once. The mean of the two directed means, which "
    "weighs both masks alike whatever the size of their surfaces, is another metric with a name of its own (MASD, mean average "
    "surface distance); some programs call it ASSD too.",
    "With an empty mask there is no distance: undefined, as for HD95.",
)


def assd(surfaces: Surfaces) -> float:
    """Return the mean distance of the surface voxels of both masks to the surface of the other mask.

    Parameters
    ----------
    surfaces : Surfaces
        Distances of one case and class.

    Returns
    -------
    float
        Distance in mm (or pixels), 0 or more; NaN if a mask is empty.

    References
    ----------
    T. Heimann et al., Comparison and Evaluation of Methods for Liver Segmentation From CT Datasets, IEEE TMI 28(8), 2009.

    Examples
    --------
    >>> import numpy as np
    >>> assd(Surfaces(np.array([0.0, 1.0, 2.0]), np.array([5.0]), tolerance=2.0))
    2.0
    >>> assd(Surfaces(np.array([np.inf]), np.array([]), tolerance=2.0))
    nan
    """
    if surfaces.note in EMPTY:
        return EMPTY[surfaces.note]
    there, back = surfaces.from_reference, surfaces.from_prediction
    return float(there.sum() + back.sum()) / (len(there) + len(back))
