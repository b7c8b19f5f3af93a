"""One mask from the mask files of a case."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from workflow_lib.base.errors import UserError
from workflow_lib.images.cases import Case
from workflow_lib.images.files_read import FilesRead


def merged(case: Case, masks: Sequence[np.ndarray], overlaps: bool, seen: FilesRead | None = None) -> np.ndarray:
    """Return the mask of a case as label values (*shape) from those of its files, in the order of `case.masks`.

    Without `case.mask_values`: the voxelwise maximum. With them, each file marks the voxels of one class, those that are not 0;
    where several are marked, the last one counts if `overlaps` is true. `seen` gets a remark on what was joined or hidden.
    Raises UserError if the masks differ in shape, if a file of one class has several values, or if classes overlap.
    """
    if any(mask.shape != masks[0].shape for mask in masks):
        raise UserError(f"{', '.join(map(str, case.masks))}: the masks have different shapes.")
    if case.mask_values:
        return _of_classes(case, masks, overlaps, seen)
    first, *others = masks
    for mask in others:
        first = np.maximum(first, mask)
    if others and seen is not None:
        seen.remark(case.masks[0], f"joined with {', '.join(path.name for path in case.masks[1:])}")
    return first


def _of_classes(case: Case, masks: Sequence[np.ndarray], overlaps: bool, seen: FilesRead | None) -> np.ndarray:
    result = np.zeros(masks[0].shape, np.uint8)
    owners: dict[int, Path] = {}
    for path, value, mask in zip(case.masks, case.mask_values, masks, strict=True):
        marked = mask != 0
        _check_one_value(path, mask, marked)
        hidden = result[marked]
        for other in sorted(set(np.unique(hidden).tolist()) - {0, value}):
            count = int(np.count_nonzero(hidden == other))
            if not overlaps:
                raise UserError(
                    f"{path} and {owners[other].name} mark the same {count} voxels as two classes. Correct the masks, or set "
                    "`files.overlaps: last`, with which the class that is listed last counts."
                )
            if seen is not None:
                seen.remark(
                    path, f"{count} of its voxels are also marked in {owners[other].name}, and count for {path.name} only"
                )
        result[marked] = value
        owners[value] = path
    return result


def _check_one_value(path: Path, mask: np.ndarray, marked: np.ndarray) -> None:
    """Raise UserError if a mask of one class has more than one value besides 0."""
    values = np.unique(mask[marked])
    if len(values) > 1:
        shown = ", ".join(f"{float(value):g}" for value in values[:5])
        raise UserError(
            f"{path}: a mask of one class (its pattern has {{class}}) must have one value besides 0; it has {shown}. "
            "Give files.threshold if these are grey edges, or a pattern without {class} if the values are classes."
        )
