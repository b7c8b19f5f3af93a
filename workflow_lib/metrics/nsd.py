"""Normalised surface distance, the surface Dice."""

import numpy as np

from workflow_lib.metrics.interface import BOTH_EMPTY, UNDEFINED, Better, Measured, Surfaces

NAME = "nsd"
LABEL = "NSD"
UNIT = ""
BETTER: Better = "higher"
RANGE = (0.0, 1.0)
MEASURED: Measured = "surfaces"
EMPTY = {BOTH_EMPTY: UNDEFINED}
CITATION = (
    "S. Nikolov et al., Clinically Applicable Segmentation of Head and Neck Anatomy for Radiotherapy: Deep Learning Algorithm "
    "Development and Validation Study, Journal of Medical Internet Research 23(7), 2021, arXiv:1809.04430."
)
EQUATION = (
    r"\mathrm{NSD} = \frac{\left|\{r \in S_R : d(r, S_P) \le \tau\}\right| + \left|\{p \in S_P : d(p, S_R) \le \tau\}\right|}"
    r"{|S_R| + |S_P|}"
)
NOTES = (
    "τ is `evaluation.tolerance` of the study; a distance equal to it counts. A surface is counted in voxels; Nikolov et al. "
    "weigh it by area.",
)

SLACK = 1e-5
"""Relative excess over the tolerance that still counts as equal to it. Distances have the precision of float32: three voxels
of 0.8 mm are 2.4000001 mm."""


def nsd(surfaces: Surfaces) -> float:
    """Return the share of both surfaces that is within the tolerance of the other surface.

    Parameters
    ----------
    surfaces : Surfaces
        Distances of one case and class, with the tolerance.

    Returns
    -------
    float
        Value in [0, 1]; 0 if one of the masks is empty, NaN if both are.

    References
    ----------
    S. Nikolov et al., Clinically Applicable Segmentation of Head and Neck Anatomy for Radiotherapy, JMIR 23(7), 2021.

    Examples
    --------
    >>> import numpy as np
    >>> nsd(Surfaces(np.array([0.0, 1.0]), np.array([2.0, 3.0]), tolerance=2.0))
    0.75
    >>> nsd(Surfaces(np.array([np.inf]), np.array([]), tolerance=2.0))
    0.0
    """
    if surfaces.note in EMPTY:
        return EMPTY[surfaces.note]
    there, back = surfaces.from_reference, surfaces.from_prediction
    limit = surfaces.tolerance * (1 + SLACK)
    near = int(np.count_nonzero(there <= limit) + np.count_nonzero(back <= limit))
    return near / (len(there) + len(back))
