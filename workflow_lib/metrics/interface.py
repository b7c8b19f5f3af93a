"""The input of a metric, and the interface of its file."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np

BOTH_EMPTY = "both empty"
EMPTY_PREDICTION = "empty prediction"
EMPTY_REFERENCE = "empty reference"
EMPTY_NOTES = (BOTH_EMPTY, EMPTY_PREDICTION, EMPTY_REFERENCE)
"""The notes of a score, which state which of the two masks is empty."""

UNDEFINED = math.nan

Measured = Literal["counts", "surfaces"]
"""The input of a metric: `Counts` or `Surfaces`."""

Better = Literal["higher", "lower", "near 0"]


@dataclass(frozen=True)
class Counts:
    """Voxel counts of one case and class.

    Parameters
    ----------
    tp, fp, fn : int
        Number of voxels in both masks, only in the prediction, and only in the reference.
    voxel : float
        Size of a voxel: its volume in ml, or 1 (px²) for 2-D images without a voxel size.

    Raises
    ------
    ValueError
        If a count is negative, or the size is not positive.
    """

    tp: int
    fp: int
    fn: int
    voxel: float = 1.0

    def __post_init__(self) -> None:
        """Check that the counts and the size are valid."""
        if min(self.tp, self.fp, self.fn) < 0 or not self.voxel > 0:
            raise ValueError(f"{self}: counts are 0 or more, and the size of a voxel is above 0")

    @property
    def note(self) -> str:
        """The empty mask, one of `EMPTY_NOTES`, or an empty string if no mask is empty."""
        return note(reference=self.tp + self.fn > 0, prediction=self.tp + self.fp > 0)


@dataclass(frozen=True)
class Surfaces:
    """The distances between the surfaces of one case and class.

    Parameters
    ----------
    from_reference : numpy.ndarray
        Distance of every surface voxel of the reference to the nearest surface voxel of the prediction, in
        mm (pixels for 2-D images without a voxel size); infinite if the prediction is empty.
    from_prediction : numpy.ndarray
        The distances from the prediction to the reference.
    tolerance : float
        Distance up to which surfaces count as equal.
    """

    from_reference: np.ndarray
    from_prediction: np.ndarray
    tolerance: float

    @property
    def note(self) -> str:
        """The empty mask, one of `EMPTY_NOTES`, or an empty string if no mask is empty."""
        return note(reference=len(self.from_reference) > 0, prediction=len(self.from_prediction) > 0)


def note(reference: bool, prediction: bool) -> str:
    """Return the note of two masks.

    Parameters
    ----------
    reference, prediction : bool
        Whether the mask has at least one voxel.

    Returns
    -------
    str
        One of `EMPTY_NOTES`, or an empty string if no mask is empty.

    Examples
    --------
    >>> note(reference=True, prediction=False)
    'empty prediction'
    """
    if reference:
        return "" if prediction else EMPTY_PREDICTION
    return EMPTY_REFERENCE if prediction else BOTH_EMPTY


class Metric(Protocol):
    """The attributes of the file of a metric.

    The file also defines a function with the name of the metric, whose argument is given by `MEASURED`.
    `EMPTY` maps notes to values that do not follow from the equation. For other notes, the equation applies.
    """

    NAME: str
    LABEL: str
    UNIT: str
    BETTER: Better
    RANGE: tuple[float, float]
    MEASURED: Measured
    EMPTY: Mapping[str, float]
    CITATION: str
    EQUATION: str
