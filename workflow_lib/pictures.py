"""Pictures in and out: PNG, TIFF, BMP, GIF, JPEG."""

from pathlib import Path

import numpy as np

from workflow_lib.cases import Colour
from workflow_lib.errors import UserError
from workflow_lib.files import atomic_path

SUFFIXES = frozenset({".png", ".tif", ".tiff", ".bmp", ".gif", ".jpg", ".jpeg"})


def is_picture(path: Path) -> bool:
    """Say whether a file is a picture by its name."""
    return Path(path).suffix.lower() in SUFFIXES


def _pixels(path: Path) -> np.ndarray:
    try:
        if path.suffix.lower() in (".tif", ".tiff"):
            import tifffile

            return np.asarray(tifffile.imread(path))
        from PIL import Image

        with Image.open(path) as image:
            if image.mode == "1":
                return np.asarray(image.convert("L"))
            if image.mode == "P":
                return np.asarray(image.convert("RGB"))
            return np.asarray(image)
    except Exception as error:
        raise UserError(f"{path} cannot be read: {error}") from error


def read_picture(path: Path, colour: Colour) -> np.ndarray:
    """Return (rows, columns, channels)."""
    pixels = _pixels(path)
    if pixels.ndim == 2:
        pixels = pixels[..., None]
    pixels = pixels[..., :3]
    if colour == "rgb":
        return pixels if pixels.shape[-1] == 3 else np.repeat(pixels[..., :1], 3, axis=-1)
    if colour != "grey":
        return pixels[..., [("red", "green", "blue").index(colour) % pixels.shape[-1]]]
    if pixels.shape[-1] == 1:
        return pixels
    return (pixels.astype(np.float32) @ np.array([0.299, 0.587, 0.114], np.float32))[..., None]


def read_picture_mask(path: Path, threshold: float | None) -> np.ndarray:
    """Return (rows, columns)."""
    pixels = _pixels(path)
    if pixels.ndim == 3:
        pixels = pixels[..., 0]
    return pixels if threshold is None else np.where(pixels > threshold, np.uint8(255), np.uint8(0))


def write_picture_labels(path: Path, labels: np.ndarray) -> None:
    """Write an 8-bit PNG."""
    from PIL import Image

    with atomic_path(path) as temporary, open(temporary, "wb") as stream:
        Image.fromarray(labels.astype(np.uint8)).save(stream, format="PNG")
