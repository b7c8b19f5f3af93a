"""Write labels as NIfTI files with the geometry of their image."""

import io
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from workflow_lib.base.errors import UserError
from workflow_lib.base.files import atomic_path
from workflow_lib.images._files import Stream, readably
from workflow_lib.images._nifti import channel_count, geometry, raw_header
from workflow_lib.images.voxels import slice_axis

_GEOMETRY_FIELDS = (
    *("qform_code", "sform_code", "quatern_b", "quatern_c", "quatern_d", "qoffset_x", "qoffset_y", "qoffset_z"),
    *("srow_x", "srow_y", "srow_z", "xyzt_units"),
)
_SLAB = 32
"""Planes of the last axis that are written at a time."""


def write_labels(path: str | Path, labels: np.ndarray, like: str | Path, header: bytes | None = None) -> None:
    """Write labels as an unsigned 8-bit NIfTI file on the grid of the NIfTI file `like`.

    `labels`: integers in 0..255, with the shape of `like` without its channel axis. Only sform and qform with their codes, voxel
    size and units are copied from the header of `like`. Equal labels give equal bytes. The file is written atomically. With
    `header`, the bytes of the header of `like`, the file itself is not opened.
    Raises UserError if `like` cannot be read, shapes differ, a label is out of range, or the disk is full.
    """
    path, like = Path(path), Path(like)
    if not path.name.endswith((".nii", ".nii.gz")):
        raise UserError(f"{path}: labels are written as NIfTI; end the name with .nii.gz or .nii.")
    if header is None:
        source = readably(like, lambda stream: raw_header(like, stream))
    else:
        source = raw_header(like, Stream(io.BytesIO(header), len(header), compressed=False))
    grid = geometry(like, source, channel_count(like, source))
    across = slice_axis(grid.shape)
    if across is not None and labels.shape == tuple(np.delete(grid.shape, across)):
        # A volume of one slice that was read as an image with two axes.
        labels = np.expand_dims(labels, across)
    if labels.shape != grid.shape:
        raise UserError(f"{path}: labels of shape {labels.shape} do not fit the grid of {like}, which is {grid.shape}.")
    if not (np.issubdtype(labels.dtype, np.integer) or labels.dtype == np.bool_):
        raise UserError(f"{path}: labels must be integers, not {labels.dtype}.")
    if labels.size and (labels.min() < 0 or labels.max() > 255):
        raise UserError(f"{path}: labels from {labels.min()} to {labels.max()} do not fit into 8 bits (0 to 255).")
    begin = _label_header(source, labels.shape)
    with atomic_path(path) as temporary, open(temporary, "wb") as file:
        if path.suffix == ".gz":
            # For labels, run-length matching compresses as well as the full search, in half the time. zlib's gzip header
            # contains
            # no name and no time, so that equal labels give equal bytes.
            compressor = zlib.compressobj(6, zlib.DEFLATED, wbits=31, memLevel=9, strategy=zlib.Z_RLE)
            for part in _label_bytes(begin, labels):
                file.write(compressor.compress(part))
            file.write(compressor.flush())
        else:
            file.writelines(_label_bytes(begin, labels))


def _label_header(source: Any, shape: tuple[int, ...]) -> bytes:
    """Return the bytes before the voxels: a header with the type and geometry of `source`, and the mark for no extension."""
    header = type(source)()
    header.set_data_dtype(np.uint8)
    header.set_data_shape(shape)
    for name in _GEOMETRY_FIELDS:
        header[name] = source[name]
    # pixdim[0] is the handedness of the qform.
    header["pixdim"][: len(shape) + 1] = source["pixdim"][: len(shape) + 1]
    header["scl_slope"], header["scl_inter"] = 1, 0
    header["vox_offset"] = int(header["sizeof_hdr"]) + 4
    return bytes(header.binaryblock) + b"\0\0\0\0"


def _label_bytes(header: bytes, labels: np.ndarray) -> Iterator[bytes]:
    """Yield the bytes of a NIfTI file of labels, some slices at a time."""
    yield header
    volume = labels if labels.ndim == 3 else labels[:, np.newaxis]
    for start in range(0, volume.shape[2], _SLAB):
        part = volume[:, :, start : start + _SLAB]
        slab = np.empty(part.shape[::-1], dtype=np.uint8)
        for row in range(volume.shape[1]):
            slab[:, row] = part[:, row].T
        yield slab.tobytes()
