"""Is every case sound? Reads all of them before anything is trained, and tells all faults at once."""

import difflib
import multiprocessing
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import numpy as np

from workflow_lib.cases import Case, LabelMap, csv_text
from workflow_lib.errors import Faults, UserError
from workflow_lib.files import write_text
from workflow_lib.volumes import Volume, read_volume

SPACING_TOLERANCE = 1e-3
"""Largest relative difference of the voxel sizes of an image and its mask."""
POSITION_TOLERANCE = 0.1
"""Largest distance between the same corner voxel of an image and its mask, as a share of the smallest voxel side."""

Explain = Callable[[Collection[float]], str]
"""Tells from the values of a mask what it is, where some are undeclared; a format's `explain_labels`."""
Progress = Callable[[str], None]


@dataclass(frozen=True)
class CaseRow:
    """What the check found of one case.

    `status` is included, excluded or fault; `reason` says why it is not included. What could not be read is None or empty.
    Shape in voxels and spacing in mm, in the axes of the file; `voxels` counts each class, background included.
    """

    case: str
    status: str = "included"
    reason: str = ""
    faults: tuple[str, ...] = ()
    shape: tuple[int, ...] | None = None
    spacing: tuple[float, ...] | None = None
    orientation: str | None = None
    image_dtype: str | None = None
    mask_dtype: str | None = None
    intensity_min: float | None = None
    intensity_max: float | None = None
    voxels: Mapping[str, int] = field(default_factory=dict)


def check_cases(
    cases: Sequence[Case],
    labels: LabelMap,
    excluded: Mapping[str, str] | None = None,
    required: Collection[str] = (),
    progress: Progress | None = None,
    workers: int = 1,
    explain: Explain | None = None,
) -> list[CaseRow]:
    """Read every case and return a row for each, in the order of `cases`, whatever the number of workers.

    A fault is: whatever `read_volume` refuses (a file that is missing, cut short or no NIfTI, voxels that are not finite, more
    than three axes, a spacing that is not positive), an image of one value only, image and mask of different shapes or on
    different grids (tolerances above), and label values that are not declared, for which `explain` may know the cause.
    `excluded` maps cases to the reason for leaving them out: their faults do not count; a case there that does not exist is a
    row with a fault. A sound case without one of the classes `required` is excluded.
    Raises UserError when `required` names no class, or when a worker dies.
    """
    unknown = sorted(set(required) - set(labels.names))
    if unknown:
        raise UserError(f"require: the dataset has no class {', '.join(map(repr, unknown))}; it has {', '.join(labels.names)}.")
    rows = []
    reader = partial(_check_case, labels=labels, explain=explain)
    for number, row in enumerate(_map(reader, cases, workers), start=1):
        rows.append(_decide(row, excluded or {}, required))
        if progress:
            progress(f"{number}/{len(cases)} {row.case}: {rows[-1].status} {rows[-1].reason}".rstrip())
    return _with_repeated(rows) + _unknown_exclusions(cases, excluded or {})


def _map(function: Callable[[Case], CaseRow], cases: Sequence[Case], workers: int) -> Iterable[CaseRow]:
    if workers <= 1 or len(cases) <= 1:
        yield from map(function, cases)
        return
    try:
        # Fresh processes: forking one that already runs threads may hang.
        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(min(workers, len(cases)), mp_context=context) as pool:
            yield from pool.map(function, cases)
    except BrokenProcessPool as error:
        raise UserError(
            "A process that reads cases was killed, most likely for lack of memory. Give the step fewer workers or more memory."
        ) from error


def _check_case(case: Case, labels: LabelMap, explain: Explain | None) -> CaseRow:
    """Read one case; status is included or fault."""
    faults: list[str] = []
    images = [volume for volume in (_read(path, faults) for path in case.images) if volume is not None]
    mask = _read(case.mask, faults)
    row = CaseRow(case.id)
    if images:
        row = replace(
            row,
            shape=images[0].data.shape,
            spacing=tuple(float(side) for side in images[0].spacing),
            orientation=images[0].orientation,
            image_dtype="/".join(dict.fromkeys(str(image.dtype) for image in images)),
            intensity_min=min(float(image.data.min()) for image in images),
            intensity_max=max(float(image.data.max()) for image in images),
        )
        faults += [_constant(path) for path, image in zip(case.images, images, strict=False) if _is_constant(image)]
    if mask is not None:
        counts = _value_counts(mask.data)
        faults += _label_faults(case.mask, counts, labels, explain)
        row = replace(row, mask_dtype=str(mask.dtype), voxels=_class_counts(counts, labels))
        if len(images) == len(case.images):
            for path, image in zip(case.images, images, strict=True):
                faults += _grid_faults(path, image, case.mask, mask)
    return replace(row, status="fault", reason="; ".join(faults), faults=tuple(faults)) if faults else row


def _read(path: Path, faults: list[str]) -> Volume | None:
    """Return the volume, or None with the reason added to the faults."""
    try:
        return read_volume(path)
    except UserError as error:
        faults.append(str(error))
        return None


def _is_constant(image: Volume) -> bool:
    return bool(image.data.min() == image.data.max())


def _constant(path: Path) -> str:
    return f"{path}: every voxel has the same value; this is no image"


def _value_counts(mask: np.ndarray) -> dict[float, int]:
    """Return how many voxels have each value; plane by plane, so that a large mask takes no second copy."""
    totals: dict[float, int] = {}
    for plane in mask:
        for value, count in zip(*np.unique(plane, return_counts=True), strict=True):
            totals[float(value)] = totals.get(float(value), 0) + int(count)
    return totals


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
    shown = ", ".join(f"{value:g} ({count} voxels)" for value, count in list(unknown.items())[:5])
    more = f" and {len(unknown) - 5} further values" if len(unknown) > 5 else ""
    cause = explain(counts) if explain else ""
    return [
        f"{path}: label values that are not declared: {shown}{more}; declared are {_joined(sorted(declared), ', ')}"
        + (f". This is {cause}" if cause else "")
    ]


def _grid_faults(image_path: Path, image: Volume, mask_path: Path, mask: Volume) -> list[str]:
    """Return the fault of an image and a mask that do not lie on the same grid of voxels."""
    if image.data.shape != mask.data.shape:
        shapes = f"{_joined(image.data.shape)} and {_joined(mask.data.shape)}"
        return [f"{image_path} and {mask_path} have different shapes: {shapes} voxels"]
    spacings = np.array(image.spacing, dtype=float), np.array(mask.spacing, dtype=float)
    if np.any(np.abs(spacings[0] - spacings[1]) > SPACING_TOLERANCE * spacings[0]):
        return [
            f"{image_path} and {mask_path} have different voxel sizes: {_joined(image.spacing)} and {_joined(mask.spacing)} mm"
        ]
    distance = float(np.max(np.linalg.norm(_corners(image) - _corners(mask), axis=1)))
    if distance > POSITION_TOLERANCE * float(spacings[0].min()):
        return [f"{image_path} and {mask_path} lie at different positions (affine): their corners are {distance:.3g} mm apart"]
    return []


def _corners(volume: Volume) -> np.ndarray:
    """Return the positions of the corner voxels in mm, (8, 3); of a plane, each corner twice."""
    shape = (*volume.data.shape, 1)[:3]
    indices = np.array(np.meshgrid(*[(0, side - 1) for side in shape], indexing="ij"), dtype=float).reshape(3, -1).T
    affine = np.asarray(volume.affine, dtype=float)
    positions: np.ndarray = indices @ affine[:3, :3].T + affine[:3, 3]
    return positions


def _decide(row: CaseRow, excluded: Mapping[str, str], required: Collection[str]) -> CaseRow:
    if row.case in excluded:
        return replace(row, status="excluded", reason=excluded[row.case], faults=())
    if row.status == "included":
        lacking = [name for name in required if row.voxels[name] == 0]
        if lacking:
            return replace(row, status="excluded", reason=f"contains no {' and no '.join(lacking)}")
    return row


def _with_repeated(rows: list[CaseRow]) -> list[CaseRow]:
    """Turn every further row of a case into a fault: a case that stands in two folds would leak."""
    seen: set[str] = set()
    result = []
    for row in rows:
        repeated = f"{row.case} is found more than once"
        result.append(replace(row, status="fault", reason=repeated, faults=(repeated,)) if row.case in seen else row)
        seen.add(row.case)
    return result


def _unknown_exclusions(cases: Sequence[Case], excluded: Mapping[str, str]) -> list[CaseRow]:
    known = [case.id for case in cases]
    rows = []
    for name in excluded:
        if name not in known:
            close = difflib.get_close_matches(name, known, n=1)
            fault = "stands in `exclude`, but the dataset has no such case" + (f"; did you mean {close[0]}?" if close else "")
            rows.append(CaseRow(name, "fault", fault, (fault,)))
    return rows


def fault_report(rows: Sequence[CaseRow]) -> Faults | None:
    """Return all faults of all cases as one error, or None if there are none. That no case is left is a fault as well."""
    faults = [f"{row.case}: {fault}" for row in rows if row.status == "fault" for fault in row.faults]
    if faults:
        count = sum(row.status == "fault" for row in rows)
        heading = f"{count} of {len(rows)} cases cannot be used. Mend the files, or name the cases under `exclude` with a reason:"
        return Faults(heading, faults)
    if not any(row.status == "included" for row in rows):
        reasons = [f"{row.case}: {row.reason}" for row in rows]
        return Faults(f"Of {len(rows)} cases none is left:", reasons)
    return None


def pooled_shares(rows: Sequence[CaseRow]) -> dict[str, float]:
    """Return the share of each class among the voxels of all included cases together, in [0, 1]; empty if there are none."""
    totals: dict[str, int] = {}
    for row in rows:
        if row.status == "included":
            for name, count in row.voxels.items():
                totals[name] = totals.get(name, 0) + count
    voxels = sum(totals.values())
    return {name: count / voxels for name, count in totals.items()}


def columns(labels: LabelMap) -> list[str]:
    """Return the columns of cases.csv."""
    fixed = ["case", "status", "reason", "shape", "spacing", "orientation", "image_dtype", "mask_dtype"]
    counts = [f"{kind}_{name}" for kind in ("voxels", "share") for name in labels.names]
    return [*fixed, "intensity_min", "intensity_max", *counts]


def write_cases_csv(path: str | Path, rows: Sequence[CaseRow], labels: LabelMap) -> None:
    """Write a row per case, faults and exclusions included; what could not be read is an empty field."""
    write_text(path, csv_text(columns(labels), [_csv_row(row) for row in rows]))


def _csv_row(row: CaseRow) -> dict[str, object]:
    total = sum(row.voxels.values())
    return {
        "case": row.case,
        "status": row.status,
        "reason": row.reason,
        "shape": _joined(row.shape) if row.shape else None,
        "spacing": _joined(row.spacing) if row.spacing else None,
        "orientation": row.orientation,
        "image_dtype": row.image_dtype,
        "mask_dtype": row.mask_dtype,
        "intensity_min": row.intensity_min,
        "intensity_max": row.intensity_max,
        **{f"voxels_{name}": count for name, count in row.voxels.items()},
        **{f"share_{name}": count / total if total else None for name, count in row.voxels.items()},
    }


def _joined(numbers: Iterable[float], separator: str = "x") -> str:
    return separator.join(f"{number:g}" for number in numbers)
