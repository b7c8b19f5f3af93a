"""Read images and masks, and refuse files that have changed since their inspection."""

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import numpy as np

from workflow_lib.base.errors import UserError
from workflow_lib.images.casefiles import Image, read_field_of_view, read_image, read_mask
from workflow_lib.images.cases import Case
from workflow_lib.images.files_read import FilesRead
from workflow_lib.images.selection import Cases

_Result = TypeVar("_Result")


def image(study: Cases, name: str) -> Image:
    """Read all channels of a case. Raises UserError as `read_image` does, and if a file has changed since its inspection."""
    return _as_inspected(study, name, study.cases[name].images, lambda case, seen: read_image(case, study.reading, seen))


def mask(study: Cases, name: str) -> np.ndarray:
    """Read the ground truth of a case as raw label values (*shape). Raises UserError as `image` does."""
    return _as_inspected(study, name, study.cases[name].masks, lambda case, seen: read_mask(case, study.reading, seen))


def field_of_view(study: Cases, name: str) -> np.ndarray | None:
    """Return the field of view of a case as a boolean array (*shape), or None. Raises UserError as `image` does."""
    view = study.cases[name].field_of_view
    return _as_inspected(
        study, name, () if view is None else (view,), lambda case, seen: read_field_of_view(case, study.reading, seen)
    )


def _as_inspected(study: Cases, name: str, files: tuple[Path, ...], read: Callable[[Case, FilesRead], _Result]) -> _Result:
    """Read a case and compare the digests of the bytes that were read with those of the inspection."""
    seen = FilesRead()
    try:
        result = read(study.cases[name], seen)
    except UserError as error:
        # If the file has changed, this explains more than its present fault.
        _check(study, files, seen, error)
        raise
    _check(study, files, seen)
    return result


def _check(study: Cases, files: tuple[Path, ...], seen: FilesRead, cause: UserError | None = None) -> None:
    gone = [path for path in files if path not in seen.sha256 and not path.exists()]
    changed = [path for path, sha256 in seen.sha256.items() if sha256 != study.digests.get(path)]
    what = [f"{path} is missing" for path in gone] + [f"{path} has changed since it was inspected" for path in changed]
    if what:
        raise UserError(
            f"{'; '.join(what)}. Put it back, or start the workflow again, which compares the images first and says what follows."
        ) from cause
