"""Round the values of masks that scaling or resampling has moved slightly away from whole numbers."""

from pathlib import Path

import numpy as np

from workflow_lib.images.files_read import FilesRead

LIMIT = 1e-3
"""Largest difference of a mask's value from a whole number that is rounded."""


def rounded(path: Path, mask: np.ndarray, seen: FilesRead | None) -> np.ndarray:
    """Return a mask with whole numbers in place of values that differ from them by `LIMIT` at most, with a remark.

    A mask with another value that is not whole is returned as it is. `mask` is changed in place.
    """
    if mask.dtype.kind != "f":
        return mask
    largest = 0.0
    for plane in mask:
        largest = max(largest, float(np.abs(plane - np.rint(plane)).max(initial=0)))
        if largest > LIMIT:
            return mask
    if largest > 0:
        np.rint(mask, out=mask)
        if seen is not None:
            seen.remark(path, f"its values differ from whole numbers by up to {largest:.2g}, and were rounded")
    return mask
