"""Read pictures: PNG, TIFF, BMP, GIF and JPEG.

The claims of a header are checked before pixels are decoded: the number of pixels, and whether the file can contain them.
Errors of Pillow and tifffile become UserErrors that name the file.
"""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from workflow_lib.base.errors import UserError
from workflow_lib.images.cases import Colour
from workflow_lib.images.files_read import FilesRead
from workflow_lib.images.pictures import _pillow, _tiff
from workflow_lib.images.pictures._opening import Picture, readably
from workflow_lib.images.rounding import rounded

SUFFIXES: frozenset[str] = frozenset({".png", ".tif", ".tiff", ".bmp", ".gif", ".jpg", ".jpeg"})
"""Suffixes of picture files in lower case."""
_LUMA = (0.299, 0.587, 0.114)
_COLOURS = ("red", "green", "blue")


def is_picture(path: str | Path) -> bool:
    """Return whether a file is a picture by its suffix, ignoring case."""
    return Path(path).suffix.lower() in SUFFIXES


def picture_shape(path: str | Path) -> tuple[int, int]:
    """Return (rows, columns) from the header without decoding pixels. Raises UserError as `read_picture` does."""
    return readably(Path(path), _tiff.shape, _pillow.shape)


def read_picture(path: str | Path, colour: Colour, seen: FilesRead | None = None) -> np.ndarray:
    """Read a picture: (rows, columns, 3) for `colour` "rgb", else (rows, columns, 1), C-contiguous, in native byte order.

    Values keep their stored type and range, also in 16-bit and floating-point TIFF files. Palettes are resolved, pixels of less
    than 8 bits become 8-bit values from 0 to 255, and WhiteIsZero TIFF files are inverted, as the standard requires. "red",
    "green" and "blue" select one channel; "rgb" of a grey picture repeats its channel. "grey" is the luma of ITU-R BT.601,
    0.299 red + 0.587 green + 0.114 blue, in float32, with a remark; if all three channels are equal, it is one of them in its own
    type. "one" accepts only such pictures. Opacity (alpha) is dropped, with a remark if some pixels are not opaque. The format is
    determined by the content, not by the name.
    `seen` gets the digest of the bytes read.
    Raises UserError that names the file if it is missing, truncated, damaged or not a picture; contains several pictures or
    frames, more than 100 million pixels or more than its size can hold; has to be rotated by its EXIF orientation; has another
    kind of colour (CMYK, YCbCr outside JPEG, ...); has 16 bits per colour in a PNG file; or has a pixel that is not finite.
    """
    picture = readably(Path(path), _tiff.pixels, _pillow.pixels, seen)
    if picture.alpha is not None and seen is not None:
        seen.remark(Path(path), "some of its pixels are transparent, which was ignored")
    pixels = _resolved(picture)
    channels = pixels.shape[-1]
    if colour == "rgb":
        return np.ascontiguousarray(pixels if channels == 3 else np.repeat(pixels, 3, axis=-1))
    if channels == 1:
        return np.ascontiguousarray(pixels)
    if colour in _COLOURS:
        return np.ascontiguousarray(pixels[..., [_COLOURS.index(colour)]])
    if _are_equal(pixels):
        return np.ascontiguousarray(pixels[..., :1])
    if colour == "one":
        raise UserError(
            f"{path} is in colour, and the description of its dataset names one channel that is not a colour. Name three "
            "channels (red, green, blue), or save the pictures in grey."
        )
    if seen is not None:
        seen.remark(Path(path), "it is in colour, which was converted to grey (luma, ITU-R BT.601)")
    luma = sum(np.float32(weight) * pixels[..., i].astype(np.float32) for i, weight in enumerate(_LUMA))
    return np.asarray(luma)[..., np.newaxis]


def read_picture_mask(path: str | Path, threshold: float | None, seen: FilesRead | None = None) -> np.ndarray:
    """Read a mask: (rows, columns) of integers, C-contiguous.

    With `threshold`: uint8, 255 for values above it, else 0. Without: the stored values; those of 1-bit pictures are 0 and 255,
    and
    floating-point values must be whole numbers (int64). Colour masks must have equal channels, one of which is used. A picture
    with a grey palette is read as a grey picture. With a coloured palette and without a threshold, the indices are the labels, as
    in Pascal VOC. The opacity (alpha) is the mask if all pixels have one colour, and is dropped if it agrees with the colours.
    Raises UserError as `read_picture` does, and if channels differ, if values are not whole numbers, or if the opacity holds
    another mask than the colours.
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
    mask = pixels[..., 0] if picture.alpha is None else _mask_with_alpha(path, pixels[..., 0], picture.alpha, seen)
    if threshold is not None:
        if threshold >= 1 and mask.max() == 1:
            raise UserError(
                f"{path}: a mask of 0 and 1, where values above {threshold:g} count: nothing of it would be left. "
                "Store its masks with 255 in place of 1, or read the dataset with `format: folders` and these classes."
            )
        return np.where(mask > threshold, np.uint8(255), np.uint8(0))
    if mask.dtype.kind == "f":
        mask = rounded(path, np.array(mask), seen)
        if not np.all((mask == np.trunc(mask)) & (np.abs(mask) < 2**53)):
            raise UserError(f"{path}: a mask whose values are not whole numbers. Give a threshold, or save it with integers.")
        return mask.astype(np.int64)
    return np.ascontiguousarray(mask)


def read_coloured_mask(path: str | Path, colours: Mapping[int, int], seen: FilesRead | None = None) -> np.ndarray:
    """Read a mask whose classes are colours: label values, (rows, columns) uint8. `colours`: 0xrrggbb -> value.

    Raises UserError as `read_picture` does, and with all other colours and their numbers of pixels.
    """
    path = Path(path)
    picture = readably(path, _tiff.pixels, _pillow.pixels, seen)
    pixels = _resolved(picture)
    if pixels.dtype != np.uint8 or picture.alpha is not None:
        kind = "transparent pixels" if picture.alpha is not None else f"values of type {pixels.dtype}"
        raise UserError(f"{path}: a mask of colours must have 8 bits per colour and be opaque; it has {kind}.")
    code = np.zeros(pixels.shape[:2], np.uint32)
    for channel in (pixels if pixels.shape[-1] == 3 else np.repeat(pixels, 3, axis=-1)).transpose(2, 0, 1):
        code = code << np.uint32(8) | channel
    mask = np.zeros(code.shape, np.uint8)
    known = np.zeros(code.shape, bool)
    for colour, value in colours.items():
        mask[code == colour] = value
        known |= code == colour
    if not known.all():
        others, counts = np.unique(code[~known], return_counts=True)
        shown = ", ".join(f"#{int(others[i]):06x} ({counts[i]} pixels)" for i in np.argsort(-counts, kind="stable")[:5])
        more = f" and {len(others) - 5} further colours" if len(others) > 5 else ""
        listed = ", ".join(f"#{colour:06x}" for colour in colours)
        raise UserError(
            f"{path}: colours that are not declared: {shown}{more}; declared are {listed} (files.colours). Many such colours "
            "are edges that lossy compression or resizing has mixed: export the mask again without either."
        )
    return mask


def _mask_with_alpha(path: Path, mask: np.ndarray, alpha: np.ndarray, seen: FilesRead | None) -> np.ndarray:
    """Return the mask of a picture with transparent pixels: its opacity if all pixels have one colour, else its colours."""
    opaque = np.iinfo(alpha.dtype).max if alpha.dtype.kind in "iu" else 1
    if (mask == mask.flat[0]).all() and not (alpha == alpha.flat[0]).all():
        mask, remark = alpha, "all its pixels have one colour; its opacity (alpha) was read as the mask"
    elif not mask[alpha < opaque].any():
        remark = "its opacity (alpha) marks the same as its colours, and was ignored"
    else:
        raise UserError(
            f"{path}: a mask whose opacity (alpha) differs from its colours: which of both is the mask? "
            "Save it without transparency."
        )
    if seen is not None:
        seen.remark(path, remark)
    return mask


def _resolved(picture: Picture) -> np.ndarray:
    """Return pixels (rows, columns, 1 or 3), with colours from the palette if there is one."""
    pixels = picture.pixels
    if picture.palette is not None:
        pixels = picture.palette[pixels[..., 0]]
    return pixels


def _are_equal(colours: np.ndarray) -> bool:
    """Return whether all channels (last axis) are equal."""
    return all(np.array_equal(colours[..., 0], colours[..., i]) for i in range(1, colours.shape[-1]))
