"""Dice similarity coefficient."""

from workflow_lib.metrics.interface import BOTH_EMPTY, UNDEFINED, Better, Counts, Measured

NAME = "dsc"
LABEL = "DSC"
UNIT = ""
BETTER: Better = "higher"
RANGE = (0.0, 1.0)
MEASURED: Measured = "counts"
EMPTY = {BOTH_EMPTY: UNDEFINED}
CITATION = "L. R. Dice, Measures of the Amount of Ecologic Association Between Species, Ecology 26(3), 1945."
EQUATION = r"\mathrm{DSC} = \frac{2\,\mathrm{TP}}{2\,\mathrm{TP} + \mathrm{FP} + \mathrm{FN}}"


def dsc(counts: Counts) -> float:
    """Return the Dice similarity coefficient: the overlap of two masks as a share of their mean size.

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
    L. R. Dice, Measures of the Amount of Ecologic Association Between Species, Ecology 26(3), 1945.

    Examples
    --------
    >>> dsc(Counts(tp=6, fp=2, fn=2))
    0.75
    >>> dsc(Counts(tp=0, fp=0, fn=0))
    nan
    """
    if counts.note in EMPTY:
        return EMPTY[counts.note]
    return 2 * counts.tp / (2 * counts.tp + counts.fp + counts.fn)
