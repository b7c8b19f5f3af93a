"""NIfTI files read with the geometry kept.

The file is read here byte by byte rather than through nibabel's image classes: voxels stay in the type they are stored in, a gzip
stream is read to its end so that its checksum is verified, and a header with a fault is refused instead of silently repaired.
What a header claims is compared with the size of its file before memory is taken for it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np

from workflow_lib.base.errors import UserError
from workflow_lib.images._files import EXCLUDE, Stream, check_size, exactly, read_to_the_end, readably, skip
from workflow_lib.images._nifti import Header, channel_count, geometry, raw_header, scaling_of, voxel_offset
from workflow_lib.images.files_read import FilesRead

_SLAB = 32
"""Planes of the last axis that are read at once."""
_MAX_CHANNELS = 1000
"""Channels that are read where none are named: more are a series of measurements, and each costs memory beside its voxels."""


@dataclass(frozen=True)
class Volume:
    """An image of two or three axes, in the axes of its file.

    `data` is C-contiguous, in native byte order; `dtype` is the type in the file, which differs from that of `data` where the
    header scales the values. Spacing in mm per axis; `affine` (4, 4) takes voxel indices to mm. `header`: the
    bytes of the file's own.
    """

    data: np.ndarray
    affine: np.ndarray
    spacing: tuple[float, ...]
    orientation: str
    dtype: np.dtype[Any]
    header: bytes = b""


def read_header(path: str | Path) -> Header:
    """Read the header of a NIfTI file and no voxel. Raises UserError when it is missing, no NIfTI, or of impossible geometry."""
    return readably(Path(path), lambda stream: geometry(Path(path), raw_header(Path(path), stream)))


def read_volume(path: str | Path, seen: FilesRead | None = None) -> Volume:
    """Read a NIfTI file, compressed or not.

    Values keep their stored type, unless the header has a slope or an intercept: then they are scaled, to float32 (float64
    where the stored type needs it). A trailing fourth axis of length one is dropped. `seen` notes the digest of the bytes read.
    Raises UserError that names the file when it is missing, cut short or damaged, no NIfTI, of other than two or three axes,
    of a spacing that is not positive, when its header claims more than the file can hold, or when a voxel is not finite.
    """
    path = Path(path)
    return readably(path, lambda stream: _volumes(path, stream, None, single=True)[0], seen)


def read_channels(path: str | Path, channels: Sequence[int] | None = None, seen: FilesRead | None = None) -> list[Volume]:
    """Read channels of a NIfTI file that holds several along its fourth axis, or its fifth if the fourth is of length one.

    `channels`: which ones, from 0, in the order they are returned; None: all of them. A file of two or three axes is one channel.
    Of the others, nothing is kept in memory. Values and `seen` are as in `read_volume`, each channel with two or three axes.
    Raises UserError as `read_volume` does, and when the file lacks a channel. What is not asked for need not be finite.
    """
    path = Path(path)
    return readably(path, lambda stream: _volumes(path, stream, channels, single=False), seen)


def _volumes(path: Path, stream: Stream, channels: Sequence[int] | None, single: bool) -> list[Volume]:
    """Return the channels asked for; with `single`, a file of more than one is refused."""
    raw = raw_header(path, stream)
    count = 1 if single else channel_count(path, raw)
    header = geometry(path, raw, count)
    offset = voxel_offset(path, raw)
    channel_bytes = int(np.prod(header.shape, dtype=object)) * header.dtype.itemsize
    # Before anything is made whose size the header tells, the list of channels included.
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
    """Fill the C-contiguous `data` from a stream in which the first axis runs fastest, as NIfTI has it.

    Turned over slab by slab and line by line: several times faster than one transposed copy, and no second array of that size.
    """
    volume = data if data.ndim == 3 else data[:, np.newaxis]
    for start in range(0, volume.shape[2], _SLAB):
        end = min(start + _SLAB, volume.shape[2])
        block = exactly(stream, (end - start) * volume.shape[1] * volume.shape[0] * dtype.itemsize)
        slab = np.frombuffer(block, dtype=dtype).reshape(end - start, volume.shape[1], volume.shape[0])
        with np.errstate(all="ignore"):  # what grows beyond bounds becomes infinite, and is found as such
            for row in range(volume.shape[1]):
                line = slab[:, row].T
                volume[:, row, start:end] = line if scaling is None else line * np.float64(scaling[0]) + scaling[1]
