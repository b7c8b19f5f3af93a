"""Read every case of a dataset once, and report all findings, including faults."""

import multiprocessing
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from workflow_lib.base.errors import UserError
from workflow_lib.datasets.similarity import sketch
from workflow_lib.images.casefiles import read_channel_files, read_mask_file
from workflow_lib.images.cases import Case, LabelMap, Reading, name_fault
from workflow_lib.images.files_read import FilesRead
from workflow_lib.images.merging import merged
from workflow_lib.images.readers.dicom import is_segmentation
from workflow_lib.images.voxels import Volume, on_grid

SPACING_TOLERANCE = 1e-3
"""Largest accepted relative difference between the voxel sizes of an image and its mask."""
POSITION_TOLERANCE = 0.1
"""Largest accepted distance between the same corner voxel of an image and its mask, relative to the smallest voxel side."""

_LARGEST_COUNTED = 1 << 16
"""Largest label whose voxels are counted in an array by value."""
MOST_VALUES = 20
"""Limit of the values of a mask that are listed."""

Explain = Callable[[Collection[float]], str]
"""Return the probable kind of a mask with undeclared values: a format's `explain_labels`."""
Progress = Callable[[int, int, str], None]
"""Called with the number of inspected cases, the number of all cases, and the result of the last one."""
_ReadFile = Callable[[Path, Reading, FilesRead], list[Volume]]


_ADDED_LATER = ("states", "remarks", "sketch")
"""Fields of `Finding` that earlier versions did not write."""


@dataclass(frozen=True)
class Finding:
    """The findings of one case. Values that could not be read are None or empty.

    Shape in voxels and spacing in mm (1 for pictures), in the order of the file's axes. `labels` lists the values of the mask, at
    most 20. `voxels` counts the voxels per class, including the background. `sha256` has the digest of every readable file,
    `states` its size, mtime_ns, ctime_ns and inode when it was opened. Later runs see from `states` which files may have changed;
    they are no part of a result. `remarks`: what the readers of the files converted, rounded or dropped. `sketch`: a
    small copy of the first channel, by which similar images are found (`similarity.sketch`).
    """

    faults: tuple[str, ...] = ()
    shape: tuple[int, ...] | None = None
    spacing: tuple[float, ...] | None = None
    orientation: str | None = None
    channels: int | None = None
    image_dtype: str | None = None
    mask_dtype: str | None = None
    labels: str = ""
    intensity_min: float | None = None
    intensity_max: float | None = None
    voxels: Mapping[str, int] = field(default_factory=dict)
    sha256: Mapping[str, str] = field(default_factory=dict)
    states: Mapping[str, Sequence[int]] = field(default_factory=dict)
    remarks: tuple[str, ...] = ()
    sketch: str = ""

    def to_json(self) -> dict[str, Any]:
        """Return plain data for a JSON file."""
        return asdict(self)

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> "Finding":
        """Read the output of `to_json`, also of earlier versions with fewer keys. Unknown keys are ignored."""
        values = {name: content[name] for name in cls.__dataclass_fields__ if name not in _ADDED_LATER or name in content}
        lists = {name: tuple(value) for name, value in values.items() if isinstance(value, list)}
        return cls(**(values | lists))


def inspect_cases(
    cases: Sequence[Case],
    labels: LabelMap,
    reading: Reading | None = None,
    progress: Progress | None = None,
    workers: int = 1,
    explain: Explain | None = None,
) -> list[Finding]:
    """Read every case and return its findings, in the order of `cases` for any number of workers.

    Faults are: everything that `read_volume` and `read_picture` reject (missing, truncated or invalid files, voxels that are
    not
    finite, too many axes, a spacing that is not positive); an invalid file name; a channel with one value only; channels and
    masks
    of different shapes or on different grids (tolerances above); and undeclared label values, for which `explain` may know the
    cause. Raises UserError if a worker dies.
    """
    look = partial(inspect_case, labels=labels, reading=reading or Reading(), explain=explain)
    findings = []
    for case, finding in zip(cases, _map(look, cases, workers), strict=True):
        findings.append(finding)
        if progress:
            state = "; ".join(finding.faults) or "sound"
            progress(len(findings), len(cases), f"{case.id}: {state}")
    return findings


def _map(function: Callable[[Case], Finding], cases: Sequence[Case], workers: int) -> Iterable[Finding]:
    if workers <= 1 or len(cases) <= 1:
        yield from map(function, cases)
        return
    try:
        # Spawn new processes, because forking a process with running threads may deadlock.
        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(min(workers, len(cases)), mp_context=context) as pool:
            yield from pool.map(function, cases)
    except BrokenProcessPool as error:
        raise UserError(
            "A process that reads cases was killed, most likely for lack of memory. Give the step fewer workers or more memory."
        ) from error


def inspect_case(case: Case, labels: LabelMap, reading: Reading, explain: Explain | None = None) -> Finding:
    """Read each file of one case once and return the findings. Digests are those of the bytes that were inspected."""
    fault, seen = name_fault(case.id), FilesRead()
    faults = [*([fault] if fault else []), *case.faults]
    images = [(path, volume) for path in case.images for volume in _read(read_channel_files, path, reading, seen, faults)]
    masks = [(path, volume) for path in case.masks for volume in _read(_mask, path, reading, seen, faults)]
    if images:
        grid = images[0][1]
        masks = [(path, on_grid(mask, grid.affine, grid.data.shape) if is_segmentation(path) else mask) for path, mask in masks]
    facts: dict[str, Any] = {}
    if images:
        first = images[0][1]
        facts = {
            "shape": first.data.shape,
            "spacing": tuple(float(side) for side in first.spacing),
            "orientation": first.orientation,
            "channels": len(images),
            "image_dtype": "/".join(dict.fromkeys(str(volume.dtype) for _, volume in images)),
            "intensity_min": min(float(volume.data.min()) for _, volume in images),
            "intensity_max": max(float(volume.data.max()) for _, volume in images),
            "sketch": sketch(first.data),
        }
        faults += [_constant(path) for path in dict.fromkeys(path for path, volume in images if _is_constant(volume))]
        for path, volume in images[1:]:
            faults += _grid_faults(images[0][0], first, path, volume)
    if masks and len(masks) == len(case.masks):
        each = [_value_counts(mask.data) for _, mask in masks]
        if not case.mask_values:  # else the value of a file stands for no class
            pairs = zip(masks, each, strict=True)
            faults += [fault for (path, _), counts in pairs for fault in _label_faults(path, counts, labels, explain)]
        facts["mask_dtype"] = "/".join(dict.fromkeys(str(mask.dtype) for _, mask in masks))
        for whole in _read_merged(case, [mask.data for _, mask in masks], reading, seen, faults):
            counts = each[0] if whole is masks[0][1].data else _value_counts(whole)
            facts |= {"voxels": _class_counts(counts, labels), "labels": _shown_values(counts)}
    for path, mask in masks:
        faults += _grid_faults(*images[0], path, mask) if images else []
    faults += _view_faults(case, images[0] if images else None, reading, seen)
    digests = {path.as_posix(): seen.sha256[path] for path in case.files if path in seen.sha256}
    states = {path.as_posix(): list(seen.states[path]) for path in case.files if path in seen.states}
    remarks = tuple(f"{_role(case, path)} {path.name}: {text}" for path, texts in seen.remarks.items() for text in texts)
    remarks = (*case.remarks, *remarks)
    return Finding(faults=tuple(dict.fromkeys(faults)), sha256=digests, states=states, remarks=remarks, **facts)


def _role(case: Case, path: Path) -> str:
    return "image" if path in case.images else "mask" if path in case.masks else "field of view"


def _read(read: _ReadFile, path: Path, reading: Reading, seen: FilesRead, faults: list[str]) -> list[Volume]:
    """Return the volumes of a file. If it cannot be read, add the reason to `faults` and return no volume."""
    try:
        return read(path, reading, seen)
    except UserError as error:
        faults.append(str(error))
        return []


def _read_merged(case: Case, masks: list[np.ndarray], reading: Reading, seen: FilesRead, faults: list[str]) -> list[np.ndarray]:
    """Return the one mask of a case. If its files do not go together, add the reason to `faults` and return none."""
    try:
        return [merged(case, masks, reading.overlaps, seen)]
    except UserError as error:
        # Differences of shape are also found by the comparison with the image, which says more.
        faults += [str(error)] if len({mask.shape for mask in masks}) == 1 else []
        return []


def _mask(path: Path, reading: Reading, seen: FilesRead) -> list[Volume]:
    return [read_mask_file(path, reading, seen)]


def _view_faults(case: Case, image: tuple[Path, Volume] | None, reading: Reading, seen: FilesRead) -> list[str]:
    """Return the faults of the mask of the field of view, if there is one."""
    faults: list[str] = []
    if case.field_of_view is not None:
        for view in _read(_mask, case.field_of_view, Reading(flat=reading.flat), seen, faults):
            faults += _grid_faults(*image, case.field_of_view, view) if image is not None else []
            if not view.data.any():
                faults.append(f"{case.field_of_view}: the field of view is empty")
    return faults


def _is_constant(image: Volume) -> bool:
    return bool(image.data.min() == image.data.max())


def _constant(path: Path) -> str:
    return f"{path}: every voxel has the same value, so this is not an image"


def _value_counts(mask: np.ndarray) -> dict[float, int]:
    """Return the number of voxels per value. Works plane by plane to save memory."""
    totals: dict[float, int] = {}
    for plane in mask:
        for value, count in zip(*_unique(plane), strict=True):
            totals[float(value)] = totals.get(float(value), 0) + int(count)
    return totals


def _unique(plane: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the values of a plane and their counts. Labels, which are small integers, are counted without sorting them."""
    if plane.dtype.kind in "iu" and int(plane.min()) >= 0 and int(plane.max()) <= _LARGEST_COUNTED:
        counts = np.bincount(plane.ravel())
        present = np.flatnonzero(counts)
        return present, counts[present]
    return np.unique(plane, return_counts=True)


def _shown_values(counts: Mapping[float, int]) -> str:
    more = ", ..." if len(counts) > MOST_VALUES else ""
    return joined_numbers(sorted(counts)[:MOST_VALUES], ", ") + more


def _class_counts(counts: Mapping[float, int], labels: LabelMap) -> dict[str, int]:
    return {
        name: sum(counts.get(float(value), 0) for value in values)
        for name, values in zip(labels.names, labels.values, strict=True)
    }


def _label_faults(path: Path, counts: Mapping[float, int], labels: LabelMap, explain: Explain | None) -> list[str]:
    declared = {float(value) for values in labels.values for value in values}
    unknown = {value: count for value, count in sorted(counts.items()) if value not in declared}
    if not unknown:
        return []
    shown = ", ".join(f"{_exact(value)} ({count} voxels)" for value, count in list(unknown.items())[:5])
    more = f" and {len(unknown) - 5} further values" if len(unknown) > 5 else ""
    cause = explain(counts) if explain else ""
    if not cause and not all(value.is_integer() for value in unknown):
        cause = (
            "a mask that was resampled or scaled with interpolation. Make it again with nearest neighbours, or round its values"
        )
    return [
        f"{path}: label values that are not declared: {shown}{more}; declared are {joined_numbers(sorted(declared), ', ')}"
        + (f". This is {cause}" if cause else "")
    ]


def _exact(value: float) -> str:
    """Return a number with as many digits as it takes to tell it from its neighbours: 5.9993, and not 6."""
    return brief if float(brief := f"{value:g}") == value else f"{value:.9g}"


def _grid_faults(image_path: Path, image: Volume, mask_path: Path, mask: Volume) -> list[str]:
    """Return the fault of an image and a mask that are not on the same voxel grid."""
    if image.data.shape != mask.data.shape:
        shapes = f"{joined_numbers(image.data.shape)} and {joined_numbers(mask.data.shape)}"
        return [f"{image_path} and {mask_path} have different shapes: {shapes} voxels"]
    spacings = np.array(image.spacing, dtype=float), np.array(mask.spacing, dtype=float)
    if np.any(np.abs(spacings[0] - spacings[1]) > SPACING_TOLERANCE * spacings[0]):
        sizes = f"{joined_numbers(image.spacing)} and {joined_numbers(mask.spacing)}"
        return [f"{image_path} and {mask_path} have different voxel sizes: {sizes} mm"]
    distance = float(np.max(np.linalg.norm(_corners(image) - _corners(mask), axis=1)))
    if distance > POSITION_TOLERANCE * float(spacings[0].min()):
        return [f"{image_path} and {mask_path} lie at different positions (affine): their corners are {distance:.3g} mm apart"]
    return []


def _corners(volume: Volume) -> np.ndarray:
    """Return the positions of the corner voxels in mm, shape (8, 3). In 2-D each corner is listed twice."""
    shape = (*volume.data.shape, 1)[:3]
    indices = np.array(np.meshgrid(*[(0, side - 1) for side in shape], indexing="ij"), dtype=float).reshape(3, -1).T
    affine = np.asarray(volume.affine, dtype=float)
    positions: np.ndarray = indices @ affine[:3, :3].T + affine[:3, 3]
    return positions


def joined_numbers(numbers: Iterable[float], separator: str = "x") -> str:
    """Return numbers as text, for example 512x512x207."""
    return separator.join(f"{number:g}" for number in numbers)
