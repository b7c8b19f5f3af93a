"""Volumes in memory, whatever their files are."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from workflow_lib.base.errors import UserError
from workflow_lib.images._files import EXCLUDE

_GRID_TOLERANCE = 1e-2
"""Largest accepted difference of the axes of a mask that covers a part of a grid, in voxels."""


@dataclass(frozen=True)
class Volume:
    """An image with two or three axes, in the order of its file.

    `data` is C-contiguous and in native byte order. `dtype` is the type in the file; it differs from that of `data` if the header
    scales the values. Spacing in mm per axis; `affine` (4, 4) maps voxel indices to mm. `header`: the bytes of the file's header.
    """

    data: np.ndarray
    affine: np.ndarray
    spacing: tuple[float, ...]
    orientation: str
    dtype: np.dtype[Any]
    header: bytes = b""


def slice_axis(shape: Sequence[int]) -> int | None:
    """Return the last axis of length one of a volume with three axes, which makes it one slice, or None."""
    slices = [axis for axis, side in enumerate(shape) if side == 1]
    return slices[-1] if len(shape) == 3 and slices else None


def flat(volume: Volume) -> Volume:
    """Return a volume of one slice as an image with two axes, other volumes unchanged.

    In the affine and the orientation, the axis across the slice becomes the last one.
    """
    across = slice_axis(volume.data.shape)
    if across is None:
        return volume
    first, second = (axis for axis in range(3) if axis != across)
    return replace(
        volume,
        data=np.ascontiguousarray(volume.data.squeeze(across)),
        affine=volume.affine[:, [first, second, across, 3]],
        spacing=(volume.spacing[first], volume.spacing[second]),
        orientation="".join(volume.orientation[axis] for axis in (first, second, across)),
    )


def on_grid(mask: Volume, affine: np.ndarray, shape: Sequence[int]) -> Volume:
    """Return a mask that covers whole voxels of a part of a grid on the whole grid, filled with zeros; another mask unchanged.

    DICOM segmentations contain only the slices in which something is marked.
    """
    if len(shape) != 3 or mask.data.ndim != 3 or tuple(mask.data.shape) == tuple(shape):
        return mask
    start = np.linalg.solve(affine, mask.affine)
    begin = np.round(start[:3, 3]).astype(int)
    is_same = np.abs(start[:3, :3] - np.eye(3)).max() < _GRID_TOLERANCE and np.abs(start[:3, 3] - begin).max() < 0.1
    if not is_same or (begin < 0).any() or (begin + mask.data.shape > np.array(shape)).any():
        return mask
    data = np.zeros(tuple(shape), mask.data.dtype)
    data[tuple(slice(at, at + side) for at, side in zip(begin, mask.data.shape, strict=True))] = mask.data
    return replace(mask, data=data, affine=np.array(affine, float))


def check_finite(path: Path, data: np.ndarray) -> None:
    """Raise UserError if a voxel is not finite."""
    if data.dtype.kind == "f" and not all(np.isfinite(plane).all() for plane in data):
        count = sum(int(plane.size - np.isfinite(plane).sum()) for plane in data)
        raise UserError(f"{path} holds {count} voxels that are not finite (NaN or infinity). Replace them, or {EXCLUDE}.")
