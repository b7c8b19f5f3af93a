"""The interface of a reader of a volume format, and the checks that are common to all of them."""

import hashlib
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from workflow_lib.base.errors import UserError
from workflow_lib.images._files import EXCLUDE, MEND, check_regular, unreadable
from workflow_lib.images.files_read import FilesRead
from workflow_lib.images.recognition import guess
from workflow_lib.images.voxels import Volume, check_finite

_LONGEST_SIDE = 32767
"""Limit of a NIfTI-1 header."""


class Reader(Protocol):
    """A module that reads files with one of the endings `SUFFIXES`, in lower case."""

    SUFFIXES: tuple[str, ...]

    def read(self, path: Path, seen: FilesRead | None) -> Volume:
        """Read a volume of one channel. Raises UserError that names the file if it cannot be read, or has a fault."""

    def companions(self, path: Path) -> tuple[Path, ...]:
        """Return the further files that hold the voxels. A file that cannot be read has none; `read` says why."""


@contextmanager
def opened(paths: Sequence[Path], seen: FilesRead | None) -> Iterator[None]:
    """Hash files before a library reads them, and make sure afterwards that they are the same. OSErrors become UserErrors."""
    before = {}
    for path in paths:
        check_regular(path)
        try:
            with open(path, "rb") as file:
                before[path] = os.fstat(file.fileno())
                digest = hashlib.file_digest(file, "sha256").hexdigest() if seen is not None else ""
        except OSError as error:
            raise unreadable(path, error) from error
        if seen is not None:
            seen.add(path, before[path], digest)
    yield
    for path in paths:
        after = path.stat()
        if (after.st_size, after.st_mtime_ns) != (before[path].st_size, before[path].st_mtime_ns):
            raise UserError(f"{path} changed while it was read. Run the command again when nothing writes to it.")


def damaged(path: Path, kind: str, reason: str) -> UserError:
    """Return the error for a file that a library cannot read."""
    with open(path, "rb") as file:
        begin = file.read(64)
    if not begin or guess(begin):
        return UserError(f"{path} is not a {kind} file: {guess(begin).strip(' ()') if begin else 'it is empty'}. {MEND}")
    return UserError(f"{path} is damaged, or is not a {kind} file: {reason}. {MEND}")


def finished(path: Path, data: np.ndarray, affine: np.ndarray) -> Volume:
    """Return a checked volume, with the header of a NIfTI file on the same grid, for predictions.

    `data`: voxels in the order of the file, first the axis that varies fastest; further axes of length one are dropped. `affine`:
    (4, 4), from indices to mm in the directions right, anterior, superior. Raises UserError under the rules of `read_volume`.
    """
    import nibabel

    while data.ndim > 3 and data.shape[-1] == 1:
        data = data[..., 0]
    if data.ndim not in (2, 3):
        raise UserError(f"{path} has {data.ndim} axes {data.shape}; an image must have two or three. Split the file.")
    if data.dtype.kind not in "iuf":
        raise UserError(
            f"{path} holds values of type {data.dtype}; only integers and real numbers can be read. Convert the file."
        )
    with np.errstate(all="ignore"):
        spacing = tuple(float(side) for side in np.linalg.norm(affine[:3, : data.ndim], axis=0))
        usable = np.isfinite(affine).all() and np.linalg.matrix_rank(affine[:3, :3]) == 3
    if not usable:
        raise UserError(
            f"{path} has no usable position in space: its affine is {affine.tolist()}. Correct the header, or {EXCLUDE}."
        )
    native = np.ascontiguousarray(data.astype(data.dtype.newbyteorder("="), copy=False))
    check_finite(path, native)
    kind: Any = nibabel.Nifti1Header if max(native.shape) <= _LONGEST_SIDE else nibabel.Nifti2Header
    header: Any = kind()
    header.set_data_dtype(np.uint8)
    header.set_data_shape(native.shape)
    header.set_xyzt_units("mm")
    header.set_sform(affine, 1)
    header.set_qform(affine, 1)
    header["magic"] = b"n+1" if kind is nibabel.Nifti1Header else b"n+2\0\r\n\x1a\n"
    orientation = "".join(map(str, nibabel.orientations.aff2axcodes(affine)))  # type: ignore[no-untyped-call]
    return Volume(native, np.array(affine, float), spacing, orientation, native.dtype, bytes(header.binaryblock))
