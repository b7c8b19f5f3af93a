"""NIfTI files in and out, with the geometry kept.

The file is read here byte by byte rather than through nibabel's image classes: voxels stay in the type they are stored in, a gzip
stream is read to its end so that its checksum is verified, and a header with a fault is refused instead of silently repaired.
"""

import gzip
import io
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, TypeVar

import numpy as np

from workflow_lib.errors import UserError
from workflow_lib.files import atomic_path

_GZIP_MAGIC = b"\x1f\x8b"
_HEADER_SIZES = {348: "Nifti1Header", 540: "Nifti2Header"}
_GEOMETRY_FIELDS = (
    *("qform_code", "sform_code", "quatern_b", "quatern_c", "quatern_d", "qoffset_x", "qoffset_y", "qoffset_z"),
    *("srow_x", "srow_y", "srow_z", "xyzt_units"),
)
_SLAB = 32
"""Planes of the last axis that are read and written at once."""
_EXCLUDE = "leave the case out (`exclude`)"
_MEND = "Get the file again, or leave the case out (`exclude`)."
_Result = TypeVar("_Result")


@dataclass(frozen=True)
class Header:
    """What a file says about its voxels.

    `spacing` in mm per axis; `orientation` such as "RAS": where each axis points; `affine` (4, 4): from indices to mm.
    """

    shape: tuple[int, ...]
    spacing: tuple[float, ...]
    orientation: str
    dtype: np.dtype[Any]
    affine: np.ndarray


@dataclass(frozen=True)
class Volume:
    """An image of two or three axes, in the axes of its file.

    `data` is C-contiguous, in native byte order; `dtype` is the type in the file, which differs from that of `data` where the
    header scales the values. Spacing in mm per axis; `affine` (4, 4) takes voxel indices to mm.
    """

    data: np.ndarray
    affine: np.ndarray
    spacing: tuple[float, ...]
    orientation: str
    dtype: np.dtype[Any]


def read_header(path: str | Path) -> Header:
    """Read the header of a NIfTI file and no voxel. Raises UserError when it is missing, no NIfTI, or of impossible geometry."""
    return _readably(Path(path), lambda stream: _header(Path(path), _raw_header(Path(path), stream)))


def read_volume(path: str | Path) -> Volume:
    """Read a NIfTI file, compressed or not.

    Values keep their stored type, unless the header has a slope or an intercept: then they are scaled, to float32 (float64
    where the stored type needs it). A trailing fourth axis of length one is dropped.
    Raises UserError that names the file when it is missing, cut short or damaged, no NIfTI, of other than two or three axes,
    of a spacing that is not positive, or when a voxel is not finite.
    """
    path = Path(path)
    return _readably(path, lambda stream: _volume(path, stream))


def write_labels(path: str | Path, labels: np.ndarray, like: str | Path) -> None:
    """Write labels as an unsigned 8-bit NIfTI file on the grid of the NIfTI file `like`.

    `labels`: integers in 0..255, of the shape of `like`. sform and qform with their codes, voxel size and units are copied
    from `like`; nothing else of its header is. The same labels give the same bytes. Written whole or not at all.
    Raises UserError when `like` cannot be read, shapes differ, a label does not fit, or the disk is full.
    """
    path, like = Path(path), Path(like)
    if not path.name.endswith((".nii", ".nii.gz")):
        raise UserError(f"{path}: labels are written as NIfTI; end the name with .nii.gz or .nii.")
    geometry, source = _readably(like, lambda stream: _with_raw(like, stream))
    if labels.shape != geometry.shape:
        raise UserError(f"{path}: labels of shape {labels.shape} do not fit the grid of {like}, which is {geometry.shape}.")
    if not (np.issubdtype(labels.dtype, np.integer) or labels.dtype == np.bool_):
        raise UserError(f"{path}: labels must be integers, not {labels.dtype}.")
    if labels.size and (labels.min() < 0 or labels.max() > 255):
        raise UserError(f"{path}: labels from {labels.min()} to {labels.max()} do not fit into 8 bits (0 to 255).")
    header = _label_header(source, labels.shape)
    with atomic_path(path) as temporary, open(temporary, "wb") as file:
        if path.suffix == ".gz":
            # No name and no time in the gzip header: equal labels, equal bytes.
            with gzip.GzipFile(filename="", mode="wb", compresslevel=6, fileobj=file, mtime=0) as stream:
                _write_label_bytes(stream, header, labels)
        else:
            _write_label_bytes(file, header, labels)


def _readably(path: Path, read: Callable[[IO[bytes]], _Result]) -> _Result:
    """Call `read` with the file's uncompressed bytes; what goes wrong in reading becomes a UserError that names the file."""
    try:
        with _opened(path) as stream:
            return read(stream)
    except FileNotFoundError as error:
        raise UserError(f"{path} does not exist. Check the path, or get the file.") from error
    except IsADirectoryError as error:
        raise UserError(f"{path} is a folder, not a NIfTI file. Name the file in it.") from error
    except PermissionError as error:
        raise UserError(f"{path} cannot be read: you have no permission. Change it with chmod, or ask its owner.") from error
    except EOFError as error:
        raise UserError(f"{path} is cut short: its end is missing, as after a broken download. {_MEND}") from error
    except (gzip.BadGzipFile, zlib.error) as error:
        raise UserError(f"{path} is damaged: its compressed data are not valid ({error}). {_MEND}") from error
    except OSError as error:
        raise UserError(
            f"{path} cannot be read: {error.strerror or error}. Check the disk, then run the command again."
        ) from error


@contextmanager
def _opened(path: Path) -> Iterator[IO[bytes]]:
    """Open a file for reading, uncompressed by what it holds rather than by its name."""
    with open(path, "rb") as file:
        compressed = file.read(2) == _GZIP_MAGIC
        file.seek(0)
        if compressed:
            with gzip.GzipFile(fileobj=file, mode="rb") as stream:
                yield stream  # type: ignore[misc]  # a GzipFile reads like any binary file
        else:
            yield file


def _raw_header(path: Path, stream: IO[bytes]) -> Any:
    """Return nibabel's NIfTI header, as it stands in the file: nothing is repaired, nothing is logged."""
    import nibabel

    first = stream.read(4)
    size = next((size for size in _HEADER_SIZES if first in (size.to_bytes(4, "little"), size.to_bytes(4, "big"))), None)
    if size is None:
        begin = first + stream.read(60)
        shown = "it is empty" if not begin else f"it begins with {begin[:20]!r}"
        page = " (an HTML page, as servers send in place of a file)" if begin.lstrip()[:1] == b"<" else ""
        raise UserError(f"{path} is not a NIfTI file: {shown}{page}. {_MEND}")
    block = first + _exactly(stream, size - 4)
    header = getattr(nibabel, _HEADER_SIZES[size]).from_fileobj(io.BytesIO(block), check=False)
    if bytes(header["magic"])[:2] not in (b"n+", b"ni"):
        raise UserError(f"{path} is not a NIfTI file but looks like the older Analyze format. Convert it to NIfTI.")
    if bytes(header["magic"])[:2] == b"ni":
        raise UserError(f"{path} is the header of a .hdr/.img pair. Convert the pair to one .nii.gz file.")
    return header


def _header(path: Path, raw: Any) -> Header:
    """Return the geometry and type that a raw header tells, checked."""
    import nibabel

    shape = tuple(int(side) for side in raw.get_data_shape())
    while len(shape) > 3 and shape[-1] == 1:
        shape = shape[:-1]
    if len(shape) not in (2, 3):
        raise UserError(
            f"{path} has {len(shape)} axes {shape}; only one channel per file, of two or three axes, can be read. "
            "Split the file into one per channel."
        )
    if min(shape) < 1:
        raise UserError(f"{path} holds no voxel: its shape is {shape}. {_MEND}")
    spacing = tuple(float(side) for side in raw["pixdim"][1 : len(shape) + 1])
    if not all(np.isfinite(side) and side > 0 for side in spacing):
        shown = " x ".join(f"{side:g}" for side in spacing)
        raise UserError(
            f"{path} has the voxel size {shown} mm; every side must be above 0. Mend the header (pixdim), or {_EXCLUDE}."
        )
    try:
        dtype = raw.get_data_dtype()
    except (KeyError, nibabel.spatialimages.HeaderDataError) as error:
        raise UserError(f"{path} has the unknown data type {int(raw['datatype'])}. {_MEND}") from error
    if dtype.kind not in "iuf":
        raise UserError(f"{path} holds values of type {dtype}; only integers and real numbers can be read. Convert the file.")
    try:
        affine = np.asarray(raw.get_best_affine(), dtype=np.float64)
    except (ValueError, nibabel.spatialimages.HeaderDataError):  # a quaternion that is none
        affine = np.full((4, 4), np.nan)
    if not np.isfinite(affine).all() or np.linalg.matrix_rank(affine[:3, :3]) < 3:
        raise UserError(
            f"{path} has no usable position in space: its affine is {affine.tolist()}. Mend the header, or {_EXCLUDE}."
        )
    orientation = "".join(map(str, nibabel.orientations.aff2axcodes(affine)))  # type: ignore[no-untyped-call]
    return Header(shape, spacing, orientation, dtype, affine)


def _with_raw(path: Path, stream: IO[bytes]) -> tuple[Header, Any]:
    raw = _raw_header(path, stream)
    return _header(path, raw), raw


def _volume(path: Path, stream: IO[bytes]) -> Volume:
    header, raw = _with_raw(path, stream)
    header_bytes = int(raw["sizeof_hdr"])
    _exactly(stream, max(int(raw.get_data_offset()) - header_bytes, 0))
    scaling = _scaling(path, raw)
    dtype = header.dtype.newbyteorder("=") if scaling is None else np.result_type(header.dtype, np.float32)
    try:
        data = np.empty(header.shape, dtype=dtype)
    except (MemoryError, ValueError) as error:
        raise UserError(f"{path} is of shape {header.shape} by its header: too large for the memory here. {_MEND}") from error
    _read_voxels(stream, data, header.dtype, scaling)
    while stream.read(1 << 20):  # on to the end, where gzip's checksum stands
        pass
    if data.dtype.kind == "f" and not all(np.isfinite(plane).all() for plane in data):
        count = sum(int(plane.size - np.isfinite(plane).sum()) for plane in data)
        raise UserError(f"{path} holds {count} voxels that are not finite (NaN or infinity). Replace them, or {_EXCLUDE}.")
    return Volume(data, header.affine, header.spacing, header.orientation, header.dtype)


def _exactly(stream: IO[bytes], count: int) -> bytes:
    block = stream.read(count)
    if len(block) < count:
        raise EOFError
    return block


def _read_voxels(stream: IO[bytes], data: np.ndarray, dtype: np.dtype[Any], scaling: tuple[float, float] | None) -> None:
    """Fill the C-contiguous `data` from a stream in which the first axis runs fastest, as NIfTI has it.

    Turned over slab by slab and line by line: several times faster than one transposed copy, and no second array of that size.
    """
    volume = data if data.ndim == 3 else data[:, np.newaxis]
    for start in range(0, volume.shape[2], _SLAB):
        end = min(start + _SLAB, volume.shape[2])
        block = _exactly(stream, (end - start) * volume.shape[1] * volume.shape[0] * dtype.itemsize)
        slab = np.frombuffer(block, dtype=dtype).reshape(end - start, volume.shape[1], volume.shape[0])
        for row in range(volume.shape[1]):
            line = slab[:, row].T
            volume[:, row, start:end] = line if scaling is None else line * np.float64(scaling[0]) + scaling[1]


def _scaling(path: Path, raw: Any) -> tuple[float, float] | None:
    """Return slope and intercept, or None if values stand as they are (a slope of 0 means none, by the NIfTI standard)."""
    slope, intercept = float(raw["scl_slope"]), float(raw["scl_inter"])
    if slope == 0 or not np.isfinite(slope):
        return None
    if not np.isfinite(intercept):
        raise UserError(f"{path} scales its values by an intercept of {intercept:g}. Mend the header (scl_inter), or {_EXCLUDE}.")
    return None if (slope, intercept) == (1, 0) else (slope, intercept)


def _label_header(source: Any, shape: tuple[int, ...]) -> bytes:
    """Return the bytes before the voxels: a header of `source`'s kind and geometry, and the mark that no extension follows."""
    header = type(source)()
    header.set_data_dtype(np.uint8)
    header.set_data_shape(shape)
    for name in _GEOMETRY_FIELDS:
        header[name] = source[name]
    # pixdim[0] is the qform's handedness.
    header["pixdim"][: len(shape) + 1] = source["pixdim"][: len(shape) + 1]
    header["scl_slope"], header["scl_inter"] = 1, 0
    header["vox_offset"] = int(header["sizeof_hdr"]) + 4
    return bytes(header.binaryblock) + b"\0\0\0\0"


def _write_label_bytes(stream: Any, header: bytes, labels: np.ndarray) -> None:
    stream.write(header)
    volume = labels if labels.ndim == 3 else labels[:, np.newaxis]
    for start in range(0, volume.shape[2], _SLAB):
        part = volume[:, :, start : start + _SLAB]
        slab = np.empty(part.shape[::-1], dtype=np.uint8)
        for row in range(volume.shape[1]):
            slab[:, row] = part[:, row].T
        stream.write(slab.tobytes())
