"""What a metric is computed from, and what the file of a metric holds."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np

BOTH_EMPTY = "both empty"
EMPTY_PREDICTION = "empty prediction"
EMPTY_REFERENCE = "empty reference"
EMPTY_NOTES = (BOTH_EMPTY, EMPTY_PREDICTION, EMPTY_REFERENCE)
"""The notes of a score, which say which of the two masks holds no voxel."""

UNDEFINED = math.nan

Measured = Literal["counts", "surfaces"]
"""What a metric is computed from: `Counts` or `Surfaces`."""

Better = Literal["higher", "lower", "near 0"]


@dataclass(frozen=True)
class Counts:
    """The voxels of one case and class, counted.

    Parameters
    ----------
    tp, fp, fn : int
        Voxels in both masks, in the prediction alone, in the reference alone.
    voxel : float
        Size of a voxel: its volume in ml, of pictures 1 (px²).

    Raises
    ------
    ValueError
        If a count is negative or the voxel has no size.
    """

    tp: int
    fp: int
    fn: int
    voxel: float = 1.0

    def __post_init__(self) -> None:
        """Refuse counts that no two masks can have."""
        if min(self.tp, self.fp, self.fn) < 0 or not self.voxel > 0:
            raise ValueError(f"{self}: counts are 0 or more, and the size of a voxel is above 0")

    @property
    def note(self) -> str:
        """Which mask is empty, one of `EMPTY_NOTES`; nothing where both hold voxels."""
        return note(reference=self.tp + self.fn > 0, prediction=self.tp + self.fp > 0)


@dataclass(frozen=True)
class Surfaces:
    """The distances between the surfaces of one case and class.

    Parameters
    ----------
    from_reference : numpy.ndarray
        Distance of every surface voxel of the reference to the nearest one of the prediction, in mm (of pictures: pixels);
        infinite where the prediction is empty.
    from_prediction : numpy.ndarray
        The same from the prediction to the reference.
    tolerance : float
        Distance up to which surfaces count as the same.
    """

    from_reference: np.ndarray
    from_prediction: np.ndarray
    tolerance: float

    @property
    def note(self) -> str:
        """Which mask is empty, one of `EMPTY_NOTES`; nothing where both hold voxels."""
        return note(reference=len(self.from_reference) > 0, prediction=len(self.from_prediction) > 0)


def note(reference: bool, prediction: bool) -> str:
    """Return the note of two masks.

    Parameters
    ----------
    reference, prediction : bool
        Whether the mask holds voxels.

    Returns
    -------
    str
        One of `EMPTY_NOTES`, or nothing where both hold voxels.

    Examples
    --------
    >>> note(reference=True, prediction=False)
    'empty prediction'
    """
    if reference:
        return "" if prediction else EMPTY_PREDICTION
    return EMPTY_REFERENCE if prediction else BOTH_EMPTY


class Metric(Protocol):
    """What the file of a metric holds, beside a function of the metric's own name that takes what `MEASURED` says.

    `EMPTY` has the values that do not follow from the equation, by note: where a mask is empty and its note does not stand there,
    the equation holds.
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
