"""Read NIfTI files with their geometry.

The file is read byte by byte instead of with nibabel's image classes: voxels keep their stored type, a gzip stream is read to
its end so that its checksum is verified, and an invalid header is refused instead of silently repaired. The claims of a header
are compared with the size of the file before memory is allocated.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Any

import numpy as np

from workflow_lib.base.errors import UserError
from workflow_lib.images._files import EXCLUDE, Stream, check_size, exactly, read_to_the_end, readably, skip
from workflow_lib.images._nifti import Header, channel_count, geometry, raw_header, scaling_of, voxel_offset
from workflow_lib.images.files_read import FilesRead

_SLAB = 32
"""Planes of the last axis that are read at a time."""
_MAX_CHANNELS = 1000
"""Limit of the channels that are read by default. Files with more are measurement series, and each channel costs extra
memory."""


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


def read_header(path: str | Path) -> Header:
    """Read the header of a NIfTI file without voxels.

    Raises UserError if it is missing, not NIfTI, or has an invalid geometry.
    """
    return readably(Path(path), lambda stream: geometry(Path(path), raw_header(Path(path), stream)))


def read_volume(path: str | Path, seen: FilesRead | None = None) -> Volume:
    """Read a NIfTI file, compressed or not.

    Values keep their stored type, unless the header has a slope or an intercept: then they are scaled and become float32 (float64
    if the stored type requires it). A trailing fourth axis of length one is dropped. `seen` gets the digest of the bytes read.
    Raises UserError that names the file if it is missing, truncated, damaged or not NIfTI, if it has other than two or three axes
    or a spacing that is not positive, if its header claims more than the file can hold, or if a voxel is not finite.
    """
    path = Path(path)
    return readably(path, lambda stream: _volumes(path, stream, None, single=True, seen=seen)[0], seen)


def read_channels(path: str | Path, channels: Sequence[int] | None = None, seen: FilesRead | None = None) -> list[Volume]:
    """Read channels of a NIfTI file with several channels along its fourth axis, or its fifth if the fourth has length one.

    `channels`: indices from 0, in the order of the result; None: all. A file with two or three axes has one channel. Other
    channels are not kept in memory. Values and `seen` are as in `read_volume`; each channel has two or three axes.
    Raises UserError as `read_volume` does, and if a channel does not exist. Channels that are not read need not be finite.
    """
    path = Path(path)
    return readably(path, lambda stream: _volumes(path, stream, channels, single=False, seen=seen), seen)


def _volumes(path: Path, stream: Stream, channels: Sequence[int] | None, single: bool, seen: FilesRead | None) -> list[Volume]:
    """Return the requested channels. With `single`, a file with several channels is refused."""
    raw = raw_header(path, stream)
    count = 1 if single else channel_count(path, raw)
    header = geometry(path, raw, count)
    for remark in header.remarks if seen is not None else ():
        seen.remark(path, remark)  # type: ignore[union-attr]
    offset = voxel_offset(path, raw)
    channel_bytes = int(np.prod(header.shape, dtype=object)) * header.dtype.itemsize
    # Checked before anything is allocated whose size the header determines, including the list of channels.
    check_size(path, stream, offset, offset + count * channel_bytes)
    if channels is None and count > _MAX_CHANNELS:
        raise UserError(f"{path} has {count} channels. Name those to be read in the `channels` of the dataset.")
    wanted = list(range(count)) if channels is None else list(channels)
    missing = [channel for channel in wanted if channel not in range(count)]
    if not wanted:
        raise UserError(f"{path}: no channel of it is asked for. Name some in the `channels` of the dataset.")
    if missing:
        raise UserError(
            f"{path} has {count} channel{'s' if count > 1 else ''}, counted from 0: there is no channel "
            f"{', '.join(map(str, missing))}. Correct the `channels` of the dataset."
        )
    scaling = scaling_of(path, raw)
    dtype = header.dtype.newbyteorder("=") if scaling is None else np.result_type(header.dtype, np.float32)
    skip(stream.file, offset - int(raw["sizeof_hdr"]))
    read: dict[int, np.ndarray] = {}
    for channel in range(count):
        if channel in wanted:
            read[channel] = np.empty(header.shape, dtype=dtype)
            _read_voxels(stream.file, read[channel], header.dtype, scaling)
        else:
            skip(stream.file, channel_bytes)
    if stream.compressed:
        read_to_the_end(path, stream.file)
    for data in read.values():
        _check_finite(path, data)
    facts, block = (header.affine, header.spacing, header.orientation, header.dtype), bytes(raw.binaryblock)
    return [Volume(read[channel], *facts, block) for channel in wanted]


def _check_finite(path: Path, data: np.ndarray) -> None:
    if data.dtype.kind == "f" and not all(np.isfinite(plane).all() for plane in data):
        count = sum(int(plane.size - np.isfinite(plane).sum()) for plane in data)
        raise UserError(f"{path} holds {count} voxels that are not finite (NaN or infinity). Replace them, or {EXCLUDE}.")


def _read_voxels(stream: IO[bytes], data: np.ndarray, dtype: np.dtype[Any], scaling: tuple[float, float] | None) -> None:
    """Fill the C-contiguous `data` from a stream in Fortran order, as NIfTI stores it.

    Transposes in slabs and lines, which is several times faster than one transposed copy and needs no second array of that
    size.
    """
    volume = data if data.ndim == 3 else data[:, np.newaxis]
    for start in range(0, volume.shape[2], _SLAB):
        end = min(start + _SLAB, volume.shape[2])
        block = exactly(stream, (end - start) * volume.shape[1] * volume.shape[0] * dtype.itemsize)
        slab = np.frombuffer(block, dtype=dtype).reshape(end - start, volume.shape[1], volume.shape[0])
        with np.errstate(all="ignore"):  # an overflow becomes infinite and is reported by the check of finite values
            for row in range(volume.shape[1]):
                line = slab[:, row].T
                volume[:, row, start:end] = line if scaling is None else line * np.float64(scaling[0]) + scaling[1]
