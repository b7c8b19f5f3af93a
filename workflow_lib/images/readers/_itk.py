"""Read files with SimpleITK, in whose coordinates x and y point to the left and to the back."""

import os
import re
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from workflow_lib.base.errors import UserError
from workflow_lib.images.readers.interface import damaged

_TO_RAS = np.diag([-1.0, -1.0, 1.0])


def loaded(path: Path, kind: str) -> Any:
    """Return a file as an image of SimpleITK. Raises UserError if ITK cannot read it."""
    import SimpleITK

    itk: Any = SimpleITK
    itk.ProcessObject.SetGlobalWarningDisplay(False)
    with tempfile.TemporaryFile() as printed:
        try:
            with _errors_into(printed.fileno()):
                return itk.ReadImage(str(path))
        except RuntimeError as error:
            printed.seek(0)
            raise damaged(path, kind, reason(f"{error}\n{printed.read().decode('utf-8', 'replace')}")) from error


@contextmanager
def _errors_into(file: int) -> Iterator[None]:
    """Send what ITK's libraries write to the standard error output into a file: it does not name the image."""
    sys.stderr.flush()
    before = os.dup(2)
    try:
        os.dup2(file, 2)
        yield
    finally:
        os.dup2(before, 2)
        os.close(before)


def read(path: Path, kind: str) -> tuple[np.ndarray, np.ndarray]:
    """Return voxels (x, y, z) and the affine (4, 4). Raises UserError if ITK fails, or if a voxel has several values."""
    image = loaded(path, kind)
    if image.GetNumberOfComponentsPerPixel() != 1:
        raise UserError(
            f"{path} holds {image.GetNumberOfComponentsPerPixel()} values per voxel (colours or vectors). "
            "Save the channels as files of their own."
        )
    return layers(image)[..., 0], affine_of(image)


def layers(image: Any) -> np.ndarray:
    """Return the voxels of an image of SimpleITK, (x, y, z, values)."""
    import SimpleITK

    itk: Any = SimpleITK
    # A copy, because a view does not outlive the image.
    data: np.ndarray = itk.GetArrayFromImage(image)
    if image.GetNumberOfComponentsPerPixel() == 1:
        data = data[..., np.newaxis]
    axes = range(data.ndim - 2, -1, -1)
    return data.transpose(*axes, data.ndim - 1)


def affine_of(image: Any) -> np.ndarray:
    """Return the affine (4, 4) of an image of SimpleITK, to right, anterior, superior."""
    spacing, direction, origin = image.GetSpacing(), image.GetDirection(), image.GetOrigin()
    axes = len(spacing)
    steps, start = np.eye(3), np.zeros(3)
    kept = min(axes, 3)
    steps[:kept, :kept] = (np.reshape(direction, (axes, axes)) * np.array(spacing))[:kept, :kept]
    start[:kept] = origin[:kept]
    affine = np.eye(4)
    affine[:3, :3], affine[:3, 3] = _TO_RAS @ steps, _TO_RAS @ start
    return affine


def reason(message: str) -> str:
    """Return what ITK and its libraries say is wrong, without addresses and places in its source."""
    lines = [re.sub(r"\s+", " ", line.split("ERROR:")[-1].split("): ", 1)[-1]).strip(" .") for line in message.splitlines()]
    # The system's last error has nothing to do with the file, which exists.
    said = [line for line in lines if line and not re.search(r"itk[A-Z]|\.(cxx|hxx)|No such file|Exception thrown", line)]
    return "; ".join(said[-3:])[:200] or "it cannot be read"
