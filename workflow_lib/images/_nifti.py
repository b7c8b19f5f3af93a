"""Read the header of a NIfTI file without corrections: an invalid header is refused, not silently repaired."""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from workflow_lib.base.errors import UserError
from workflow_lib.images._files import EXCLUDE, MEND, Stream, exactly
from workflow_lib.images.recognition import guess

SIZES_TOLERANCE = 0.01
"""Largest accepted relative difference between the voxel sizes in `pixdim` and in the affine. Some programs round one of them."""
_UNITS = {1: ("metres", 1000.0), 3: ("micrometres", 0.001)}
"""Spatial units of `xyzt_units` that are not mm: name and length in mm."""
_HEADER_SIZES = {348: "Nifti1Header", 540: "Nifti2Header"}


@dataclass(frozen=True)
class Header:
    """The properties of the voxels.

    `spacing` in mm per axis; `orientation`: the direction of each axis, such as "RAS"; `affine` (4, 4): from indices to mm.
    `remarks`: what was converted.
    """

    shape: tuple[int, ...]
    spacing: tuple[float, ...]
    orientation: str
    dtype: np.dtype[Any]
    affine: np.ndarray
    remarks: tuple[str, ...] = ()


def raw_header(path: Path, stream: Stream) -> Any:
    """Return nibabel's NIfTI header exactly as stored, without repairs and logging."""
    import nibabel

    first = stream.file.read(4)
    size = next((size for size in _HEADER_SIZES if first in (size.to_bytes(4, "little"), size.to_bytes(4, "big"))), None)
    if size is None:
        begin = first + stream.file.read(60)
        shown = "it is empty" if not begin else f"it begins with {begin[:20]!r}"
        raise UserError(f"{path} is not a NIfTI file: {shown}{guess(begin)}. {MEND}")
    block = first + exactly(stream.file, size - 4)
    header = getattr(nibabel, _HEADER_SIZES[size]).from_fileobj(io.BytesIO(block), check=False)
    if bytes(header["magic"])[:2] not in (b"n+", b"ni"):
        raise UserError(f"{path} is not a NIfTI file but looks like the older Analyze format. Convert it to NIfTI.")
    if bytes(header["magic"])[:2] == b"ni":
        raise UserError(f"{path} is the header of a .hdr/.img pair. Convert the pair to one .nii.gz file.")
    version = _HEADER_SIZES[size][5]
    if bytes(header["magic"])[:4].rstrip(b"\0") != f"n+{version}".encode():
        raise UserError(f"{path} is damaged: its header of {size} bytes is not marked as one of NIfTI-{version}. {MEND}")
    return header


def _axes(path: Path, raw: Any) -> tuple[int, ...]:
    """Return the lengths of all axes, without trailing axes of length one after the third."""
    # nibabel fails to read some values of these fields, which are plain integers.
    count = int(raw["dim"][0])
    axes = tuple(int(side) for side in raw["dim"][1 : max(count, 0) + 1])
    if not 1 <= count <= 7 or min(axes) < 1:
        raise UserError(f"{path} holds no voxel: by its header it has {count} axes, of lengths {axes}. {MEND}")
    while len(axes) > 3 and axes[-1] == 1:
        axes = axes[:-1]
    return axes


def channel_count(path: Path, raw: Any) -> int:
    """Return the number of channels: the length of the fourth axis, or of the fifth, where NIfTI stores vector components."""
    axes = _axes(path, raw)
    if len(axes) <= 4:
        return axes[3] if len(axes) == 4 else 1
    if len(axes) == 5 and axes[3] == 1:
        return axes[4]
    raise UserError(
        f"{path} has {len(axes)} axes {axes}; channels can lie along one axis only, the fourth or the fifth. "
        "Split the file into one per channel."
    )


def geometry(path: Path, raw: Any, channels: int = 1) -> Header:
    """Return the checked geometry and data type of a raw header, without the axis of its `channels`, if it has one."""
    import nibabel

    axes = _axes(path, raw)
    shape = axes[:3] if channels > 1 else axes
    if len(shape) not in (2, 3):
        raise UserError(
            f"{path} has {len(axes)} axes {axes}; an image must have two or three. If the last axis holds channels, "
            "name those to be read (`channels`) in a format that has this key, or split the file into one per channel."
        )
    to_mm, remarks = _unit(raw)
    spacing = tuple(float(side) * to_mm for side in raw["pixdim"][1 : len(shape) + 1])
    if not all(np.isfinite(side) and side > 0 for side in spacing):
        shown = " x ".join(f"{side:g}" for side in spacing)
        raise UserError(
            f"{path} has the voxel size {shown} mm; every side must be above 0. Correct the header (pixdim), or {EXCLUDE}."
        )
    try:
        dtype = raw.get_data_dtype()
    except (KeyError, nibabel.spatialimages.HeaderDataError) as error:
        raise UserError(f"{path} has the unknown data type {int(raw['datatype'])}. {MEND}") from error
    if dtype.kind not in "iuf":
        raise UserError(f"{path} holds values of type {dtype}; only integers and real numbers can be read. Convert the file.")
    affine, orientation = _position(path, raw)
    affine = np.diag([to_mm, to_mm, to_mm, 1.0]) @ affine
    _check_two_sizes(path, shape, spacing, affine)
    remarks += _two_positions(raw, orientation)
    return Header(shape, spacing, orientation, dtype, affine, tuple(remarks))


def _unit(raw: Any) -> tuple[float, list[str]]:
    """Return the length of the header's unit in mm, with a remark if values are converted. No unit means mm, as ITK has it."""
    code = int(raw["xyzt_units"]) & 7
    if code in _UNITS:
        name, to_mm = _UNITS[code]
        return to_mm, [f"its header gives lengths in {name}, which were converted to mm"]
    return 1.0, [f"its header gives lengths in an unknown unit (xyzt_units {code}), which was taken as mm"] if code > 3 else []


def _check_two_sizes(path: Path, shape: Sequence[int], spacing: Sequence[float], affine: np.ndarray) -> None:
    """Raise UserError if `pixdim` and the affine give different voxel sizes. Along a single slice the size does not matter."""
    sides = np.linalg.norm(affine[:3, : len(shape)], axis=0)
    if any(count > 1 and abs(a - b) > SIZES_TOLERANCE * a for count, a, b in zip(shape, spacing, sides, strict=True)):
        first, second = (" x ".join(f"{side:.4g}" for side in sizes) for sizes in (spacing, sides))
        raise UserError(
            f"{path} gives two voxel sizes: {first} mm (pixdim) and {second} mm (its affine, sform). Find out which is right and "
            f"write it into both, in nibabel with `image.header.set_zooms` or `image.set_sform`; or {EXCLUDE}."
        )


def _two_positions(raw: Any, orientation: str) -> list[str]:
    """Return a remark if sform and qform are both valid and their axes point in different directions."""
    import nibabel

    if int(raw["sform_code"]) < 1 or int(raw["qform_code"]) < 1:
        return []
    with np.errstate(all="ignore"):
        try:
            other = "".join(map(str, nibabel.orientations.aff2axcodes(_standard(raw).get_qform())))  # type: ignore[no-untyped-call]
        except (ValueError, np.linalg.LinAlgError, nibabel.spatialimages.HeaderDataError):
            return []
    if other == orientation:
        return []
    return [f"its sform has the axes {orientation}, its qform {other}; the sform was used"]


def _position(path: Path, raw: Any) -> tuple[np.ndarray, str]:
    """Return the affine and the orientation of a raw header."""
    import nibabel

    affine, codes = np.full((4, 4), np.nan), (None,)
    with np.errstate(all="ignore"):
        try:
            affine = np.asarray(_standard(raw).get_best_affine(), dtype=np.float64)
            if np.isfinite(affine).all() and np.linalg.matrix_rank(affine[:3, :3]) == 3:
                codes = nibabel.orientations.aff2axcodes(affine)  # type: ignore[no-untyped-call]
        except (ValueError, nibabel.spatialimages.HeaderDataError):  # an invalid quaternion, or numbers out of range
            pass
    if None in codes:
        raise UserError(
            f"{path} has no usable position in space: its affine is {affine.tolist()}. Correct the header, or {EXCLUDE}."
        )
    return affine, "".join(map(str, codes))


def _standard(raw: Any) -> Any:
    """Return a header with a valid qform handedness: according to the NIfTI standard, 0 means 1."""
    if raw["pixdim"][0] != 0:
        return raw
    header = raw.copy()
    header["pixdim"][0] = 1
    return header


def voxel_offset(path: Path, raw: Any) -> int:
    """Return the first byte of the voxels. Header extensions may precede it."""
    earliest, offset = int(raw["sizeof_hdr"]) + 4, float(raw["vox_offset"])
    # Programs interpret smaller values, including 0, differently: the first voxel is at byte 0, 348 or 352.
    if not offset.is_integer() or offset < earliest:
        raise UserError(
            f"{path} has its voxels begin at byte {offset:g} by its header, which must be a whole number from {earliest} on. "
            f"Correct the header (vox_offset), or {EXCLUDE}."
        )
    return int(offset)


def scaling_of(path: Path, raw: Any) -> tuple[float, float] | None:
    """Return slope and intercept, or None if the values are not scaled (a slope of 0, according to the NIfTI standard)."""
    slope, intercept = float(raw["scl_slope"]), float(raw["scl_inter"])
    if slope == 0 or not np.isfinite(slope):
        return None
    if not np.isfinite(intercept):
        raise UserError(
            f"{path} scales its values by an intercept of {intercept:g}. Correct the header (scl_inter), or {EXCLUDE}."
        )
    return None if (slope, intercept) == (1, 0) else (slope, intercept)
