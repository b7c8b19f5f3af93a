"""NIfTI files in and out, with the geometry kept.

The file is read here byte by byte rather than through nibabel's image classes: voxels stay in the type they are stored in, a gzip
stream is read to its end so that its checksum is verified, and a header with a fault is refused instead of silently repaired.
What a header claims is held against the size of its file before memory is taken for it.
"""

import gzip
import io
import os
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, TypeVar

import numpy as np

from workflow_lib.base.errors import UserError
from workflow_lib.base.files import atomic_path

_GZIP_MAGIC = b"\x1f\x8b"
_HEADER_SIZES = {348: "Nifti1Header", 540: "Nifti2Header"}
_GEOMETRY_FIELDS = (
    *("qform_code", "sform_code", "quatern_b", "quatern_c", "quatern_d", "qoffset_x", "qoffset_y", "qoffset_z"),
    *("srow_x", "srow_y", "srow_z", "xyzt_units"),
)
_SLAB = 32
"""Planes of the last axis that are read and written at once."""
_CHUNK = 1 << 20
"""Bytes that are skipped at once."""
_MAX_EXPANSION = 1032
"""Deflate cannot do more: its longest match, 258 bytes, takes two bits at least."""
_MAX_TRAILER = 64 << 20
"""Bytes after the voxels of a compressed file that are read to reach its checksum; no writer appends that much."""
_MAX_CHANNELS = 1000
"""Channels that are read where none are named: more are a series of measurements, and each costs memory beside its voxels."""
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
    of a spacing that is not positive, when its header claims more than the file can hold, or when a voxel is not finite.
    """
    path = Path(path)
    return _readably(path, lambda stream: _volumes(path, stream, None, single=True)[0])


def read_channels(path: str | Path, channels: Sequence[int] | None = None) -> list[Volume]:
    """Read channels of a NIfTI file that holds several along its fourth axis, or its fifth if the fourth is of length one.

    `channels`: which ones, from 0, in the order they are returned; None: all of them. A file of two or three axes is one channel.
    Of the others, nothing is kept in memory. Values are as in `read_volume`, each channel with two or three axes.
    Raises UserError as `read_volume` does, and when the file lacks a channel. What is not asked for need not be finite.
    """
    path = Path(path)
    return _readably(path, lambda stream: _volumes(path, stream, channels, single=False))


def write_labels(path: str | Path, labels: np.ndarray, like: str | Path) -> None:
    """Write labels as an unsigned 8-bit NIfTI file on the grid of the NIfTI file `like`.

    `labels`: integers in 0..255, of the shape of `like`, without its axis of channels if it has one. sform and qform with their
    codes, voxel size and units are copied from `like`; nothing else of its header is. The same labels give the same bytes.
    Written whole or not at all.
    Raises UserError when `like` cannot be read, shapes differ, a label does not fit, or the disk is full.
    """
    path, like = Path(path), Path(like)
    if not path.name.endswith((".nii", ".nii.gz")):
        raise UserError(f"{path}: labels are written as NIfTI; end the name with .nii.gz or .nii.")
    source = _readably(like, lambda stream: _raw_header(like, stream))
    geometry = _header(like, source, _channel_count(like, source))
    if labels.shape != geometry.shape:
        raise UserError(f"{path}: labels of shape {labels.shape} do not fit the grid of {like}, which is {geometry.shape}.")
    if not (np.issubdtype(labels.dtype, np.integer) or labels.dtype == np.bool_):
        raise UserError(f"{path}: labels must be integers, not {labels.dtype}.")
    if labels.size and (labels.min() < 0 or labels.max() > 255):
        raise UserError(f"{path}: labels from {labels.min()} to {labels.max()} do not fit into 8 bits (0 to 255).")
    header = _label_header(source, labels.shape)
    with atomic_path(path) as temporary, open(temporary, "wb") as file:
        if path.suffix == ".gz":
            # Looking for runs alone compresses labels as well as the full search, in half the time. There is no name and no time
            # in zlib's gzip header: equal labels, equal bytes.
            compressor = zlib.compressobj(6, zlib.DEFLATED, wbits=31, memLevel=9, strategy=zlib.Z_RLE)
            for part in _label_bytes(header, labels):
                file.write(compressor.compress(part))
            file.write(compressor.flush())
        else:
            file.writelines(_label_bytes(header, labels))


def unreadable(path: Path, error: OSError) -> UserError:
    """Return the user's error for a file that the system does not let us read."""
    if isinstance(error, FileNotFoundError):
        return UserError(f"{path} does not exist. Check the path, or get the file.")
    if isinstance(error, IsADirectoryError):
        return UserError(f"{path} is a folder, not a file with an image. Name the file in it.")
    if isinstance(error, PermissionError):
        return UserError(f"{path} cannot be read: you have no permission. Change it with chmod, or ask its owner.")
    return UserError(f"{path} cannot be read: {error.strerror or error}. Check the disk, then run the command again.")


def describe_bytes(count: int) -> str:
    """Return a number of bytes for people: exact below a megabyte."""
    if count < 10**6:
        return f"{count:,} bytes"
    return f"{count / 10**6:,.1f} MB" if count < 10**9 else f"{count / 10**9:,.1f} GB"


@dataclass(frozen=True)
class _Stream:
    """The uncompressed bytes of a file: `file` reads them, `size` is that of the file itself."""

    file: IO[bytes]
    size: int
    compressed: bool

    @property
    def capacity(self) -> int:
        """The most bytes that the file can hold."""
        return _MAX_EXPANSION * self.size if self.compressed else self.size


def _readably(path: Path, read: Callable[[_Stream], _Result]) -> _Result:
    """Call `read` with the file's uncompressed bytes; what goes wrong in reading becomes a UserError that names the file."""
    try:
        with _opened(path) as stream:
            return read(stream)
    except EOFError as error:
        raise UserError(f"{path} is cut short: its end is missing, as after a broken download. {_MEND}") from error
    except (gzip.BadGzipFile, zlib.error) as error:
        raise UserError(f"{path} is damaged: its compressed data are not valid ({error}). {_MEND}") from error
    except MemoryError as error:
        raise UserError(f"{path} is too large for the memory here. Use a machine with more, or {_EXCLUDE}.") from error
    except OSError as error:
        raise unreadable(path, error) from error


@contextmanager
def _opened(path: Path) -> Iterator[_Stream]:
    """Open a file for reading, uncompressed by what it holds rather than by its name."""
    if path.exists() and not (path.is_file() or path.is_dir()):
        # A pipe or a device may be without end, or never answer.
        raise UserError(f"{path} is no regular file. Name the file that holds the image.")
    with open(path, "rb") as file:
        size = os.fstat(file.fileno()).st_size
        compressed = file.read(2) == _GZIP_MAGIC
        file.seek(0)
        if compressed:
            with gzip.GzipFile(fileobj=file, mode="rb") as stream:
                yield _Stream(stream, size, compressed)  # type: ignore[arg-type]  # a GzipFile reads like any binary file
        else:
            yield _Stream(file, size, compressed)


def _raw_header(path: Path, stream: _Stream) -> Any:
    """Return nibabel's NIfTI header, as it stands in the file: nothing is repaired, nothing is logged."""
    import nibabel

    first = stream.file.read(4)
    size = next((size for size in _HEADER_SIZES if first in (size.to_bytes(4, "little"), size.to_bytes(4, "big"))), None)
    if size is None:
        begin = first + stream.file.read(60)
        shown = "it is empty" if not begin else f"it begins with {begin[:20]!r}"
        page = " (an HTML page, as servers send in place of a file)" if begin.lstrip()[:1] == b"<" else ""
        raise UserError(f"{path} is not a NIfTI file: {shown}{page}. {_MEND}")
    block = first + _exactly(stream.file, size - 4)
    header = getattr(nibabel, _HEADER_SIZES[size]).from_fileobj(io.BytesIO(block), check=False)
    if bytes(header["magic"])[:2] not in (b"n+", b"ni"):
        raise UserError(f"{path} is not a NIfTI file but looks like the older Analyze format. Convert it to NIfTI.")
    if bytes(header["magic"])[:2] == b"ni":
        raise UserError(f"{path} is the header of a .hdr/.img pair. Convert the pair to one .nii.gz file.")
    return header


def _axes(path: Path, raw: Any) -> tuple[int, ...]:
    """Return the lengths of all axes but the trailing ones of length one beyond the third."""
    # nibabel's own reading of these fields fails on some values; they are plain integers.
    count = int(raw["dim"][0])
    axes = tuple(int(side) for side in raw["dim"][1 : max(count, 0) + 1])
    if not 1 <= count <= 7 or min(axes) < 1:
        raise UserError(f"{path} holds no voxel: by its header it has {count} axes, of lengths {axes}. {_MEND}")
    while len(axes) > 3 and axes[-1] == 1:
        axes = axes[:-1]
    return axes


def _channel_count(path: Path, raw: Any) -> int:
    """Return the number of channels: the length of the fourth axis, or of the fifth, where NIfTI puts the parts of vectors."""
    axes = _axes(path, raw)
    if len(axes) <= 4:
        return axes[3] if len(axes) == 4 else 1
    if len(axes) == 5 and axes[3] == 1:
        return axes[4]
    raise UserError(
        f"{path} has {len(axes)} axes {axes}; channels can lie along one axis only, the fourth or the fifth. "
        "Split the file into one per channel."
    )


def _header(path: Path, raw: Any, channels: int = 1) -> Header:
    """Return the geometry and type that a raw header tells, checked, without the axis of its `channels`, if it has one."""
    import nibabel

    axes = _axes(path, raw)
    shape = axes[:3] if channels > 1 else axes
    if len(shape) not in (2, 3):
        raise UserError(
            f"{path} has {len(axes)} axes {axes}; one image of two or three axes is looked for. If the last axis holds channels, "
            "name those to be read (`channels`) in a format that has this key, or split the file into one per channel."
        )
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
    affine, orientation = _position(path, raw)
    return Header(shape, spacing, orientation, dtype, affine)


def _position(path: Path, raw: Any) -> tuple[np.ndarray, str]:
    """Return the affine and the orientation of a raw header."""
    import nibabel

    affine, codes = np.full((4, 4), np.nan), (None,)
    with np.errstate(all="ignore"):
        try:
            affine = np.asarray(_standard(raw).get_best_affine(), dtype=np.float64)
            if np.isfinite(affine).all() and np.linalg.matrix_rank(affine[:3, :3]) == 3:
                codes = nibabel.orientations.aff2axcodes(affine)  # type: ignore[no-untyped-call]
        except (ValueError, nibabel.spatialimages.HeaderDataError):  # a quaternion that is none, numbers beyond all bounds
            pass
    if None in codes:
        raise UserError(
            f"{path} has no usable position in space: its affine is {affine.tolist()}. Mend the header, or {_EXCLUDE}."
        )
    return affine, "".join(map(str, codes))


def _standard(raw: Any) -> Any:
    """Return a header whose qform has a handedness: by the NIfTI standard, 0 means 1."""
    if raw["pixdim"][0] != 0:
        return raw
    header = raw.copy()
    header["pixdim"][0] = 1
    return header


def _volumes(path: Path, stream: _Stream, channels: Sequence[int] | None, single: bool) -> list[Volume]:
    """Return the channels asked for; with `single`, a file of more than one is refused."""
    raw = _raw_header(path, stream)
    count = 1 if single else _channel_count(path, raw)
    header = _header(path, raw, count)
    offset = _voxel_offset(path, raw)
    channel_bytes = int(np.prod(header.shape, dtype=object)) * header.dtype.itemsize
    # Before anything is made whose size the header tells, the list of channels included.
    _check_size(path, stream, offset, offset + count * channel_bytes)
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
    scaling = _scaling(path, raw)
    dtype = header.dtype.newbyteorder("=") if scaling is None else np.result_type(header.dtype, np.float32)
    _skip(stream.file, offset - int(raw["sizeof_hdr"]))
    read: dict[int, np.ndarray] = {}
    for channel in range(count):
        if channel in wanted:
            read[channel] = np.empty(header.shape, dtype=dtype)
            _read_voxels(stream.file, read[channel], header.dtype, scaling)
        else:
            _skip(stream.file, channel_bytes)
    if stream.compressed:
        _read_to_the_end(path, stream.file)
    for data in read.values():
        _check_finite(path, data)
    return [Volume(read[channel], header.affine, header.spacing, header.orientation, header.dtype) for channel in wanted]


def _voxel_offset(path: Path, raw: Any) -> int:
    """Return the byte at which the voxels begin. Extensions of the header may lie before it."""
    earliest, offset = int(raw["sizeof_hdr"]) + 4, float(raw["vox_offset"])
    # Readers disagree about what a smaller one means, 0 included: the first voxel is at byte 0, 348 or 352 to them.
    if not offset.is_integer() or offset < earliest:
        raise UserError(
            f"{path} has its voxels begin at byte {offset:g} by its header, which must be a whole number from {earliest} on. "
            f"Mend the header (vox_offset), or {_EXCLUDE}."
        )
    return int(offset)


def _check_size(path: Path, stream: _Stream, offset: int, claimed: int) -> None:
    """Raise UserError when a file cannot hold what its header claims, the voxels of which begin at `offset`."""
    if claimed <= stream.capacity:
        return
    at_most = f", which unpack to {describe_bytes(stream.capacity)} at most" if stream.compressed else ""
    raise UserError(
        f"{path} is cut short, or its header is wrong: the header claims {describe_bytes(claimed)} (voxels from byte {offset}) "
        f"in a file of {describe_bytes(stream.size)}{at_most}. {_MEND}"
    )


def _check_finite(path: Path, data: np.ndarray) -> None:
    if data.dtype.kind == "f" and not all(np.isfinite(plane).all() for plane in data):
        count = sum(int(plane.size - np.isfinite(plane).sum()) for plane in data)
        raise UserError(f"{path} holds {count} voxels that are not finite (NaN or infinity). Replace them, or {_EXCLUDE}.")


def _skip(file: IO[bytes], count: int) -> None:
    while count > 0:
        count -= len(_exactly(file, min(count, _CHUNK)))


def _read_to_the_end(path: Path, file: IO[bytes]) -> None:
    """Read what follows the voxels of a compressed file, where its checksum stands."""
    read = 0
    while chunk := file.read(_CHUNK):
        read += len(chunk)
        if read > _MAX_TRAILER:
            raise UserError(f"{path} goes on for more than {describe_bytes(_MAX_TRAILER)} after its voxels. {_MEND}")


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
        with np.errstate(all="ignore"):  # what grows beyond bounds becomes infinite, and is found as such
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
