"""Pictures in: PNG, TIFF, BMP, GIF and JPEG.

What a header claims is judged before a pixel is decoded: the number of pixels, and whether the file can hold them. Whatever
Pillow or tifffile cannot make sense of becomes a UserError that names the file.
"""

from pathlib import Path

import numpy as np

from workflow_lib.base.errors import UserError
from workflow_lib.images.cases import Colour
from workflow_lib.images.files_read import FilesRead
from workflow_lib.images.pictures import _pillow, _tiff
from workflow_lib.images.pictures._opening import Picture, readably

SUFFIXES: frozenset[str] = frozenset({".png", ".tif", ".tiff", ".bmp", ".gif", ".jpg", ".jpeg"})
"""Endings of the names of pictures, in lower case."""
_LUMA = (0.299, 0.587, 0.114)
_COLOURS = ("red", "green", "blue")


def is_picture(path: str | Path) -> bool:
    """Return whether a file is a picture by the ending of its name, in whatever case."""
    return Path(path).suffix.lower() in SUFFIXES


def picture_shape(path: str | Path) -> tuple[int, int]:
    """Return (rows, columns) from the header, without decoding a pixel. Raises UserError as `read_picture` does."""
    return readably(Path(path), _tiff.shape, _pillow.shape)


def read_picture(path: str | Path, colour: Colour, seen: FilesRead | None = None) -> np.ndarray:
    """Read a picture: (rows, columns, 3) for `colour` "rgb", else (rows, columns, 1), C-contiguous, in native byte order.

    Values keep their stored type and range, also those of 16-bit and floating-point TIFF files; palettes are resolved, pixels
    of less than 8 bits become 8-bit values from 0 to 255, and TIFF files that count from white (WhiteIsZero) are turned over, as
    the standard has it. "red", "green" and "blue" take one channel, "rgb" of a grey picture repeats its own. "grey" is the luma
    of ITU-R BT.601, 0.299 red + 0.587 green + 0.114 blue, in float32; where all three channels are equal it is one of them, in
    its own type. An alpha channel is dropped, whatever it holds. The content decides about the format, not the name.
    `seen` notes the digest of the bytes read.
    Raises UserError that names the file when it is missing, cut short, damaged or no picture; holds several pictures or frames,
    more than 100 million pixels or more than its size can hold; is to be turned by its EXIF orientation; is of another kind
    of colour (CMYK, YCbCr outside JPEG, ...); has 16 bits per colour in a PNG file; or when a pixel is not finite.
    """
    pixels = _resolved(readably(Path(path), _tiff.pixels, _pillow.pixels, seen))
    channels = pixels.shape[-1]
    if colour == "rgb":
        return np.ascontiguousarray(pixels if channels == 3 else np.repeat(pixels, 3, axis=-1))
    if channels == 1:
        return np.ascontiguousarray(pixels)
    if colour != "grey":
        return np.ascontiguousarray(pixels[..., [_COLOURS.index(colour)]])
    if _are_equal(pixels):
        return np.ascontiguousarray(pixels[..., :1])
    luma = sum(np.float32(weight) * pixels[..., i].astype(np.float32) for i, weight in enumerate(_LUMA))
    return np.asarray(luma)[..., np.newaxis]


def read_picture_mask(path: str | Path, threshold: float | None, seen: FilesRead | None = None) -> np.ndarray:
    """Read a mask: (rows, columns) of integers, C-contiguous.

    With `threshold`: uint8, 255 where the value is above it, else 0. Without: the values as they are stored; those of one bit
    are 0 and 255, and floating-point values must be whole numbers (int64). Colour masks must have equal channels, of which one
    is taken; alpha is dropped. A palette of greys alone is a grey picture. Of one with colours, the indices are the labels, as in
    Pascal VOC; a threshold is not applied to such a mask.
    Raises UserError as `read_picture` does, and when channels differ, or when values are not whole.
    """
    path = Path(path)
    picture = readably(path, _tiff.pixels, _pillow.pixels, seen)
    if picture.palette is not None and threshold is None and not _are_equal(picture.palette):
        return np.ascontiguousarray(picture.pixels[..., 0])
    pixels = _resolved(picture)
    if not _are_equal(pixels):
        raise UserError(
            f"{path}: a mask of colours: its red, green and blue differ. "
            "Save it as a grey picture, or with a palette whose indices are the labels."
        )
    mask = pixels[..., 0]
    if threshold is not None:
        if threshold >= 1 and mask.max() == 1:
            raise UserError(
                f"{path}: a mask of 0 and 1, where values above {threshold:g} count: nothing of it would be left. "
                "Store its masks with 255 in place of 1, or read the dataset with `format: folders` and these classes."
            )
        return np.where(mask > threshold, np.uint8(255), np.uint8(0))
    if mask.dtype.kind == "f":
        if not np.all((mask == np.trunc(mask)) & (np.abs(mask) < 2**53)):
            raise UserError(f"{path}: a mask whose values are not whole numbers. Give a threshold, or save it with integers.")
        return mask.astype(np.int64)
    return np.ascontiguousarray(mask)


def _resolved(picture: Picture) -> np.ndarray:
    """Return pixels (rows, columns, 1 or 3), looked up in the palette if there is one."""
    pixels = picture.pixels
    if picture.palette is not None:
        pixels = picture.palette[pixels[..., 0]]
    return pixels


def _are_equal(colours: np.ndarray) -> bool:
    """Return whether all channels, along the last axis, are equal."""
    return all(np.array_equal(colours[..., 0], colours[..., i]) for i in range(1, colours.shape[-1]))
