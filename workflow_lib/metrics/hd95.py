"""95th percentile of the Hausdorff distance."""

import numpy as np

from workflow_lib.metrics.interface import EMPTY_NOTES, UNDEFINED, Better, Measured, Surfaces

NAME = "hd95"
LABEL = "HD95"
UNIT = "mm or px"
BETTER: Better = "lower"
RANGE = (0.0, float("inf"))
MEASURED: Measured = "surfaces"
EMPTY = dict.fromkeys(EMPTY_NOTES, UNDEFINED)
CITATION = (
    "D. P. Huttenlocher, G. A. Klanderman, W. J. Rucklidge, Comparing Images Using the Hausdorff Distance, IEEE Transactions on "
    "Pattern Analysis and Machine Intelligence 15(9), 1993: the distance with a rank in place of the maximum."
)
EQUATION = (
    r"\mathrm{HD95} = \max\left(P_{95}\left\{d(r, S_P) : r \in S_R\right\},\; P_{95}\left\{d(p, S_R) : p \in S_P\right\}\right)"
)
NOTES = (
    "The larger of the two directed 95th percentiles, not the percentile of both sets of distances pooled. The two differ widely "
    "where a prediction has a stray blob.",
    "With an empty mask there is no distance, and 0 would be praise: undefined. The statistics count a case with one empty mask "
    "as infinitely far.",
)

PERCENTILE = 95.0


def hd95(surfaces: Surfaces) -> float:
    """Return the larger of the two directed 95th percentiles of the distances between two surfaces.

    Parameters
    ----------
    surfaces : Surfaces
        Distances of one case and class. The percentile is linearly interpolated between two distances.

    Returns
    -------
    float
        Distance in mm (or pixels), 0 or more; NaN if a mask is empty.

    References
    ----------
    D. P. Huttenlocher, G. A. Klanderman, W. J. Rucklidge, Comparing Images Using the Hausdorff Distance, IEEE TPAMI 15(9), 1993.

    Examples
    --------
    >>> import numpy as np
    >>> hd95(Surfaces(np.array([0.0, 1.0]), np.array([3.0, 3.0]), tolerance=2.0))
    3.0
    >>> hd95(Surfaces(np.array([np.inf]), np.array([]), tolerance=2.0))
    nan
    """
    if surfaces.note in EMPTY:
        return EMPTY[surfaces.note]
    directed = (surfaces.from_reference, surfaces.from_prediction)
    return max(float(np.percentile(distances, PERCENTILE)) for distances in directed)
