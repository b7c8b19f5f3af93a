"""DICOM: the slices of one CT or MR series in a folder, and segmentations (SEG) on the grid of such a series."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from workflow_lib.base.errors import UserError
from workflow_lib.images._files import EXCLUDE, MEND
from workflow_lib.images.files_read import FilesRead
from workflow_lib.images.readers.interface import damaged, finished, opened
from workflow_lib.images.voxels import Volume

SUFFIXES: tuple[str, ...] = (".dcm", ".ima")
_SEGMENTATION = "1.2.840.10008.5.1.4.1.1.66.4"
_TOLERANCE = 1e-3
"""Largest difference between the directions of two slices."""
_GAP_TOLERANCE = 0.02
"""Largest difference between the distances of neighbouring slices, relative to their median."""
_TO_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])


def _read_file(path: Path, pixels: bool = True) -> Any:
    """Return a file as a dataset of pydicom. Raises UserError if it is not DICOM."""
    import pydicom

    try:
        return pydicom.dcmread(path, stop_before_pixels=not pixels)
    except Exception as error:  # pydicom lets many kinds of error through
        raise damaged(path, "DICOM", str(error)[:200] or type(error).__name__) from error


def is_segmentation(path: Path) -> bool:
    """Return whether a file is a DICOM segmentation."""
    if path.suffix.lower() not in SUFFIXES or not path.is_file():
        return False
    try:
        return str(_read_file(path, pixels=False).get("SOPClassUID", "")) == _SEGMENTATION
    except UserError:
        return False


def companions(path: Path) -> tuple[Path, ...]:
    """Return the other slices: all other DICOM files in the folder. A segmentation has none."""
    if is_segmentation(path):
        return ()
    others = (other for other in sorted(path.parent.iterdir()) if other.suffix.lower() in SUFFIXES and other != path)
    return tuple(
        other for other in others if not other.name.startswith(".") and not other.is_dir() and not is_segmentation(other)
    )


def read(path: Path, seen: FilesRead | None) -> Volume:
    """Read the series of a slice, or a segmentation. Raises UserError that names the file if it has a fault.

    Slices are ordered by their position. A segmentation covers the slices between its first and its last frame; values are the
    numbers of its segments.
    """
    paths = (path, *companions(path))
    with opened(paths, seen):
        slices = [_read_file(file) for file in paths]
        if str(slices[0].get("SOPClassUID", "")) == _SEGMENTATION:
            voxels, affine = _segmentation(path, slices[0])
        else:
            voxels, affine = _series(paths, slices)
    return finished(path, voxels, affine)


def _series(paths: Sequence[Path], slices: Sequence[Any]) -> tuple[np.ndarray, np.ndarray]:
    """Return voxels (columns, rows, slices) and the affine of a series."""
    folder = paths[0].parent
    series = sorted({str(one.get("SeriesInstanceUID", "")) for one in slices})
    if len(series) > 1:
        shown = ", ".join(
            sorted({f"{one.get('Modality', '?')} {one.get('SeriesDescription', '')}".strip() for one in slices})[:5]
        )
        raise UserError(f"{folder} holds {len(series)} DICOM series ({shown}). Keep the slices of one series in a folder.")
    for path, one in zip(paths, slices, strict=True):
        _check_slice(path, one, slices[0])
    across = np.cross(*np.array(slices[0].ImageOrientationPatient, float).reshape(2, 3))
    positions = np.array([np.array(one.ImagePositionPatient, float) for one in slices])
    order = np.argsort(positions @ across, kind="stable")
    step = _step(folder, paths, positions[order], across, order, slices[0])
    voxels = np.stack([_pixels(paths[n], slices[n]).T for n in order], axis=-1)
    return voxels, _affine(slices[0].ImageOrientationPatient, slices[0].PixelSpacing, step, positions[order[0]])


def _affine(orientation: Any, spacing: Any, step: np.ndarray, origin: np.ndarray) -> np.ndarray:
    """Return the affine to right, anterior, superior. PixelSpacing has the distance of rows first, then that of columns."""
    columns, rows = np.array(orientation, float).reshape(2, 3)
    affine = np.eye(4)
    affine[:3, 0], affine[:3, 1], affine[:3, 2] = columns * float(spacing[1]), rows * float(spacing[0]), step
    affine[:3, 3] = origin
    result: np.ndarray = _TO_RAS @ affine
    return result


def _check_slice(path: Path, one: Any, first: Any) -> None:
    """Raise UserError if a slice lacks what its grid needs, has another grid than the first, or more than one value per voxel."""
    needed = ("ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing", "Rows", "Columns", "PixelData")
    lacking = [name for name in needed if one.get(name) is None]
    if int(one.get("NumberOfFrames") or 1) > 1:
        raise UserError(f"{path} is a DICOM file with several frames. Convert it to NIfTI, for example with dcm2niix.")
    if lacking:
        raise UserError(f"{path} lacks {', '.join(lacking)}, so it is not a slice of a volume. Remove the file, or {EXCLUDE}.")
    if int(one.get("SamplesPerPixel", 1)) != 1:
        raise UserError(f"{path} is in colour; a slice of CT or MR has one value per pixel. Remove the file, or {EXCLUDE}.")
    for name in ("Rows", "Columns", "PixelSpacing", "ImageOrientationPatient"):
        ours, theirs = np.atleast_1d(np.array(one[name].value, float)), np.atleast_1d(np.array(first[name].value, float))
        if ours.shape != theirs.shape or np.abs(ours - theirs).max() > _TOLERANCE:
            raise UserError(
                f"{path}: its {name} is {list(ours)}, that of the first slice {list(theirs)}. Remove it, or {EXCLUDE}."
            )


def _step(
    folder: Path, paths: Sequence[Path], positions: np.ndarray, across: np.ndarray, order: np.ndarray, first: Any
) -> np.ndarray:
    """Return the step from slice to slice in mm. Raises UserError if slices are missing, double, or displaced sideways."""
    if len(positions) == 1:
        thickness = float(first.get("SpacingBetweenSlices") or first.get("SliceThickness") or 1)
        return across * thickness
    distances = np.diff(positions @ across)
    usual = float(np.median(distances))
    for n, distance in enumerate(distances):
        before, after = paths[order[n]].name, paths[order[n + 1]].name
        if distance < _GAP_TOLERANCE * abs(usual):
            raise UserError(f"{folder}: {before} and {after} lie at the same position. Remove one of the two.")
        if abs(distance - usual) > _GAP_TOLERANCE * usual:
            raise UserError(
                f"{folder}: between {before} and {after} are {distance:g} mm, between other slices {usual:g} mm: slices are "
                f"missing, or their distance varies. Get the missing ones, or {EXCLUDE}."
            )
    step = (positions[-1] - positions[0]) / (len(positions) - 1)
    if np.linalg.norm(np.cross(step / np.linalg.norm(step), across)) > _GAP_TOLERANCE:
        raise UserError(
            f"{folder}: the slices are displaced sideways (a tilted gantry). Resample the series first, or {EXCLUDE}."
        )
    result: np.ndarray = step
    return result


def _pixels(path: Path, one: Any) -> np.ndarray:
    """Return the values of a slice (rows, columns) in its unit, such as HU: whole numbers where they are."""
    try:
        stored: np.ndarray = one.pixel_array
    except Exception as error:  # a missing decoder, or damage
        raise UserError(
            f"{path}: its pixels cannot be read ({str(error).splitlines()[0][:150]}). If they are compressed, decompress the "
            f"series first (gdcmconv --raw, or dcm2niix to NIfTI). {MEND}"
        ) from error
    slope, intercept = float(one.get("RescaleSlope", 1)), float(one.get("RescaleIntercept", 0))
    if slope.is_integer() and intercept.is_integer():
        whole: np.ndarray = stored.astype(np.int64) * int(slope) + int(intercept)
        return whole.astype(np.int32)
    values: np.ndarray = (stored * np.float64(slope) + intercept).astype(np.float32)
    return values


def _segmentation(path: Path, one: Any) -> tuple[np.ndarray, np.ndarray]:
    """Return the numbers of the segments (columns, rows, slices) and the affine, from the first to the last frame."""
    try:
        shared = one.SharedFunctionalGroupsSequence[0]
        orientation = shared.PlaneOrientationSequence[0].ImageOrientationPatient
        measures = shared.PixelMeasuresSequence[0]
        frames = [
            (
                int(group.SegmentIdentificationSequence[0].ReferencedSegmentNumber),
                np.array(group.PlanePositionSequence[0].ImagePositionPatient, float),
            )
            for group in one.PerFrameFunctionalGroupsSequence
        ]
        masks = one.pixel_array.reshape(len(frames), int(one.Rows), int(one.Columns))
        distance = float(measures.get("SpacingBetweenSlices") or measures.SliceThickness)
    except Exception as error:
        raise damaged(path, "DICOM segmentation", str(error)[:200] or type(error).__name__) from error
    if str(one.get("SegmentationType", "BINARY")) != "BINARY":
        raise UserError(f"{path} is a segmentation of probabilities (FRACTIONAL). Export it as a binary one.")
    across = np.cross(*np.array(orientation, float).reshape(2, 3))
    origin = min((position for _, position in frames), key=lambda position: float(position @ across))
    places = [float((position - origin) @ across) / distance for _, position in frames]
    if max(abs(place - round(place)) for place in places) > _GAP_TOLERANCE * 5:
        raise UserError(f"{path}: its frames do not lie at multiples of {distance:g} mm, which it gives as their distance.")
    result = np.zeros((int(one.Columns), int(one.Rows), round(max(places)) + 1), np.uint8)
    for (segment, _), place, mask in zip(frames, places, masks, strict=True):
        plane = result[..., round(place)]
        marked = mask.T > 0
        if (plane[marked] != 0).any():
            raise UserError(f"{path}: its segments overlap. Export one segmentation per class, with {{class}} in the pattern.")
        plane[marked] = segment
    return result, _affine(orientation, measures.PixelSpacing, across * distance, origin)
