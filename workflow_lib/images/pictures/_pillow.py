"""Read PNG, BMP, GIF and JPEG with Pillow."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from workflow_lib.base.errors import UserError
from workflow_lib.images.pictures._opening import (
    MEND,
    SAVE,
    Picture,
    Reader,
    check_finite,
    check_orientation,
    check_palette,
    check_pixels,
    check_single,
    check_size,
    native,
    not_opaque,
)

_PIXELS_PER_BYTE = {"PNG": 8 * 1032, "GIF": 2600, "BMP": 128, "JPEG": 512}
"""Upper bound of the pixels per byte of a file: with deflate (1032 bytes of at most 8 pixels), with LZW (about 3900 pixels in
12 bits), with run lengths (255 pixels in 2 bytes), and with one bit per block of 8 x 8 pixels.
"""


def shape(path: Path, reader: Reader, kind: str) -> tuple[int, int]:
    """Return (rows, columns) from the header."""
    with _image(path, reader, kind) as image:
        return image.height, image.width


def pixels(path: Path, reader: Reader, kind: str) -> Picture:
    """Decode a picture of the format `kind`."""
    if kind == "PNG":
        with _image(path, reader, kind) as image:
            image.verify()  # checks the checksums of all chunks
    with _image(path, reader, kind) as image:
        image.load()
        check_orientation(path, image.getexif().get(274))
        return from_pillow(path, image)


@contextmanager
def _image(path: Path, reader: Reader, kind: str) -> Iterator[Any]:
    """Open a picture and check its header, without decoding pixels."""
    from PIL import Image, UnidentifiedImageError

    reader.seek(0)
    try:
        image = Image.open(reader, formats=[kind])
    except Image.DecompressionBombError as error:
        raise UserError(f"{path} has far too many pixels by its header ({error}). {MEND}") from error
    except UnidentifiedImageError as error:
        raise UserError(f"{path} is damaged or cut short: its header is not a valid {kind} header. {MEND}") from error
    with image:
        check_pixels(path, image.height, image.width)
        pixels = image.height * image.width
        check_size(path, pixels, _PIXELS_PER_BYTE[kind] * reader.size, reader.size, "pixels")
        for codec, _, offset, arguments in image.tile:
            if codec == "raw" and isinstance(arguments, tuple):  # uncompressed; the second argument is the length of a line
                claimed = offset + arguments[1] * image.height
                check_size(path, claimed, reader.size, reader.size, "bytes")
            if kind == "PNG" and ";16" in str(arguments) and image.mode != "I;16":
                raise UserError(
                    f"{path} has 16 bits per colour, which is not read from PNG. Save it as TIFF without compression."
                )
        check_single(path, getattr(image, "n_frames", 1))
        if kind != "PNG" or "exif" in image.info:  # otherwise Pillow decodes the whole PNG to find EXIF after the pixels
            check_orientation(path, image.getexif().get(274))
        yield image


def from_pillow(path: Path, image: Any) -> Picture:
    """Return the pixels of a decoded Pillow image."""
    if image.mode not in ("1", "L", "LA", "P", "RGB", "RGBA", "I;16", "I;16B", "I;16L", "I", "F"):
        raise UserError(f"{path} has colours of the kind {image.mode}; only grey, RGB and palettes are read. {SAVE}")
    pixels = native(np.asarray(image))
    pixels = pixels[..., np.newaxis] if pixels.ndim == 2 else pixels
    palette = None
    if image.mode == "P":
        palette = np.array(image.getpalette("RGB"), dtype=np.uint8).reshape(-1, 3)
    alpha = None
    if image.mode in ("LA", "RGBA"):
        alpha, pixels = not_opaque(pixels[..., -1]), pixels[..., :-1]
    elif "transparency" in image.info and image.mode in ("1", "L", "P", "RGB"):  # one colour, or entries of the palette
        alpha = not_opaque(np.asarray(image.convert("RGBA"))[..., -1])
    picture = Picture(pixels, palette, alpha)
    check_finite(path, picture.pixels)
    check_palette(path, picture)
    return picture
