"""Read volumes with their geometry: NIfTI files here, other formats by `readers`.

A NIfTI file is read byte by byte instead of with nibabel's image classes: voxels keep their stored type, a gzip stream is read to
its end so that its checksum is verified, and an invalid header is refused instead of silently repaired. The claims of a header
are compared with the size of the file before memory is allocated.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any

import numpy as np

from workflow_lib.base.errors import UserError
from workflow_lib.images._files import Stream, check_regular, check_size, exactly, read_to_the_end, readably, skip
from workflow_lib.images._nifti import Header, channel_count, geometry, raw_header, scaling_of, voxel_offset
from workflow_lib.images.files_read import FilesRead
from workflow_lib.images.readers.registry import reader_of
from workflow_lib.images.voxels import Volume, check_finite

_SLAB = 32
"""Planes of the last axis that are read at a time."""
_MAX_CHANNELS = 1000
"""Limit of the channels that are read by default. Files with more are measurement series, and each channel costs extra
memory."""


def read_header(path: str | Path) -> Header:
    """Read the header of a NIfTI file without voxels.

    Raises UserError if it is missing, not NIfTI, or has an invalid geometry. Files in other formats are read as a whole.
    """
    volume = _foreign(Path(path), None)
    if volume is not None:
        return Header(volume.data.shape, volume.spacing, volume.orientation, volume.dtype, volume.affine)
    return readably(Path(path), lambda stream: geometry(Path(path), raw_header(Path(path), stream)))


def read_volume(path: str | Path, seen: FilesRead | None = None) -> Volume:
    """Read a NIfTI file, compressed or not, or a file of another format that has a reader.

    Values keep their stored type, unless the header has a slope or an intercept: then they are scaled and become float32 (float64
    if the stored type requires it). A trailing fourth axis of length one is dropped. `seen` gets the digest of the bytes read.
    Raises UserError that names the file if it is missing, truncated, damaged or not NIfTI, if it has other than two or three axes
    or a spacing that is not positive, if its header claims more than the file can hold, or if a voxel is not finite.
    """
    path = Path(path)
    volume = _foreign(path, seen)
    return volume or readably(path, lambda stream: _volumes(path, stream, None, single=True, seen=seen)[0], seen)


def _foreign(path: Path, seen: FilesRead | None) -> Volume | None:
    """Return the volume of a file in another format than NIfTI, or None."""
    reader = reader_of(path)
    if reader is not None:
        check_regular(path)
    return None if reader is None else reader.read(path, seen)


def read_channels(path: str | Path, channels: Sequence[int] | None = None, seen: FilesRead | None = None) -> list[Volume]:
    """Read channels of a NIfTI file with several channels along its fourth axis, or its fifth if the fourth has length one.

    `channels`: indices from 0, in the order of the result; None: all. A file with two or three axes has one channel. Other
    channels are not kept in memory. Values and `seen` are as in `read_volume`; each channel has two or three axes.
    Raises UserError as `read_volume` does, and if a channel does not exist. Channels that are not read need not be finite.
    """
    path = Path(path)
    volume = _foreign(path, seen)
    if volume is not None:
        if channels is not None and list(channels) != [0]:
            raise UserError(f"{path} has 1 channel, counted from 0. Correct the `channels` of the dataset.")
        return [volume]
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
        check_finite(path, data)
    facts, block = (header.affine, header.spacing, header.orientation, header.dtype), bytes(raw.binaryblock)
    return [Volume(read[channel], *facts, block) for channel in wanted]


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
