"""Permute and mirror the axes of volumes, exactly, so that they run in given directions of the body; and undo it."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from workflow_lib.base.errors import UserError
from workflow_lib.study.sections.preprocessing import DIRECTIONS, ORIENTATIONS


def direction_order(orientation: str) -> str:
    """Return the directions of the axes without their signs: "RAS" and "LPI" give the same, "SAR" another."""
    return "".join(next(pair[0] for pair in DIRECTIONS if letter in pair) for letter in orientation)


@dataclass(frozen=True)
class Reorientation:
    """The change from one orientation to another: axis `axes[n]` becomes axis n, then is mirrored where `mirrored[n]`."""

    axes: tuple[int, ...]
    mirrored: tuple[bool, ...]

    def apply(self, array: np.ndarray) -> np.ndarray:
        """Return the reoriented array (three axes, then any others) as a view."""
        moved = np.transpose(array, (*self.axes, *range(len(self.axes), array.ndim)))
        return moved[tuple(slice(None, None, -1) if mirror else slice(None) for mirror in self.mirrored)]

    def undo(self, array: np.ndarray) -> np.ndarray:
        """Return the array before `apply`, as a view."""
        mirrored = array[tuple(slice(None, None, -1) if mirror else slice(None) for mirror in self.mirrored)]
        return np.transpose(mirrored, (*np.argsort(self.axes), *range(len(self.axes), array.ndim)))

    def ordered(self, per_axis: Sequence[float]) -> tuple[float, ...]:
        """Return values per axis, such as voxel sizes, in the order of the reoriented axes."""
        return tuple(per_axis[axis] for axis in self.axes)


def reorientation(present: str, wanted: str) -> Reorientation:
    """Return the change of axes from the orientation of an image to another.

    Parameters
    ----------
    present : str
        Orientation of the image, such as "LPS"; empty for pictures.
    wanted : str
        One of `ORIENTATIONS`.

    Returns
    -------
    Reorientation
        The change, without interpolation.

    Raises
    ------
    UserError
        If the image has no orientation in space.

    Examples
    --------
    >>> reorientation("SAR", "RAS")
    Reorientation(axes=(2, 1, 0), mirrored=(False, False, False))
    >>> reorientation("LPS", "RAS").mirrored
    (True, True, False)
    """
    if present not in ORIENTATIONS:
        raise UserError(
            f"preprocessing.orientation is {wanted}, but the image has no orientation of three axes. Remove this key, which is "
            "for volumes."
        )
    order = direction_order(present)
    axes = tuple(order.index(direction) for direction in direction_order(wanted))
    return Reorientation(axes, tuple(present[axis] != letter for axis, letter in zip(axes, wanted, strict=True)))
