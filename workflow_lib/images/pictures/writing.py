"""Write labels as pictures."""

from pathlib import Path

import numpy as np

from workflow_lib.base.errors import UserError
from workflow_lib.base.files import atomic_path


def write_picture_labels(path: str | Path, labels: np.ndarray) -> None:
    """Write labels (rows, columns), integers in 0..255, as a grey 8-bit PNG file.

    Equal labels give equal bytes. The file is written atomically.
    Raises UserError if the name does not end in .png, the labels have an invalid shape or range, or the disk is full.
    """
    from PIL import Image

    path = Path(path)
    if path.suffix != ".png":
        raise UserError(f"{path}: labels of pictures are written as PNG; end the name with .png.")
    if labels.ndim != 2 or not labels.size:
        raise UserError(f"{path}: labels of shape {labels.shape} are not a picture; they must have rows and columns.")
    if not (np.issubdtype(labels.dtype, np.integer) or labels.dtype == np.bool_):
        raise UserError(f"{path}: labels must be integers, not {labels.dtype}.")
    if labels.min() < 0 or labels.max() > 255:
        raise UserError(f"{path}: labels from {labels.min()} to {labels.max()} do not fit into 8 bits (0 to 255).")
    with atomic_path(path) as temporary, open(temporary, "wb") as file:
        Image.fromarray(np.ascontiguousarray(labels, dtype=np.uint8)).save(file, format="PNG", compress_level=6)
