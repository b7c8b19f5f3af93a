"""Read TIFF with tifffile, or with Pillow for compressions that tifffile does not support."""

import contextlib
import io
import math
import os
import sys
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from workflow_lib.base.errors import UserError
from workflow_lib.images.pictures._opening import (
    MAX_PIXELS,
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
from workflow_lib.images.pictures._pillow import from_pillow

_DEFLATE = (8, 32946)
_FROM_TIFFFILE = {1: 1, 8: 1032, 32946: 1032}
"""TIFF compressions that tifffile decodes (none and deflate), with the largest number of bytes per compressed byte."""
_FROM_PILLOW = {2: 8256, 3: 8256, 4: 8256, 5: 2600, 7: 3 * 512, 32773: 64}
"""Those that Pillow decodes: CCITT (a bit may be a whole line, assumed to have at most 66,000 pixels), LZW, JPEG, PackBits."""
_ALPHA = (1, 2)
"""Kinds of TIFF extra samples that are opacity."""
_VENDOR_FLAGS = ("is_lsm", "is_stk", "is_ndpi", "is_scanimage", "is_vista", "is_philips", "is_indica")
"""TIFF variants of microscopes, whose special treatment by tifffile is switched off."""


def shape(path: Path, reader: Reader) -> tuple[int, int]:
    """Return (rows, columns) from the header."""
    with _page(path, reader) as page:
        return int(page.imagelength), int(page.imagewidth)


def pixels(path: Path, reader: Reader) -> Picture:
    """Decode a picture. Pillow is used if tifffile would need further packages."""
    with _page(path, reader) as page:
        _check_segments(path, reader, page)
        if int(page.compression) in _FROM_PILLOW or page.bitspersample in (2, 4):
            return _by_pillow(path, reader, page)
        if page.dtype is None or page.dtype.kind not in "biuf" or page.bitspersample not in (1, 8, 16, 32, 64):
            raise UserError(
                f"{path} holds values of {page.bitspersample} bits that are neither integers nor real numbers, or of a length "
                f"that is not read. {SAVE}"
            )
        if int(page.predictor) not in (1, 2):
            raise UserError(f"{path} stores differences of values in a way that is not read (predictor {page.predictor}). {SAVE}")
        pixels = native(np.asarray(page.asarray(maxworkers=1)))
        if page.samplesperpixel > 1 and int(page.planarconfig) == 2:
            pixels = np.moveaxis(pixels, 0, -1)
        pixels = pixels.reshape(page.imagelength, page.imagewidth, page.samplesperpixel)
        alpha = None
        if page.samplesperpixel in (2, 4):
            alpha, pixels = not_opaque(pixels[..., -1]), pixels[..., :-1]
        if int(page.photometric) == 0:
            pixels = _white_is_zero(path, pixels)
        palette = None
        if int(page.photometric) == 3:
            # The colours have 16 bits, of which palettes use the upper 8.
            palette = (np.asarray(page.colormap).T >> 8).astype(np.uint8)
        picture = Picture(pixels, palette, alpha)
    check_finite(path, picture.pixels)
    check_palette(path, picture)
    return picture


@contextmanager
def _page(path: Path, reader: Reader) -> Iterator[Any]:
    """Open a TIFF file and check its header, without decoding pixels."""
    import tifffile

    reader.seek(0)
    flags: dict[str, Any] = dict.fromkeys(_VENDOR_FLAGS, False)
    with tifffile.TiffFile(reader, **flags) as file:
        try:
            page: Any = file.pages[0]
        except IndexError as error:
            raise UserError(f"{path} is damaged or cut short: it contains no picture. {MEND}") from error
        check_pixels(path, int(page.imagelength), int(page.imagewidth))
        try:
            file.pages[1]
        except IndexError:
            pass
        else:
            check_single(path, 2)
        check_orientation(path, page.tags.valueof(274))
        if page.imagedepth != 1 or not isinstance(page.bitspersample, int):
            raise UserError(f"{path} is a stack of planes, or its samples have different numbers of bits. {SAVE}")
        compression = int(page.compression)
        factor = (_FROM_TIFFFILE | _FROM_PILLOW).get(compression)
        if factor is None:
            raise UserError(f"{path} is compressed in a way that is not read here (TIFF compression {compression}). {SAVE}")
        claimed = page.imagelength * math.ceil(page.imagewidth * page.samplesperpixel * page.bitspersample / 8)
        check_size(path, claimed, factor * reader.size, reader.size, "bytes of pixels")
        _check_samples(path, page)
        yield page


def _check_samples(path: Path, page: Any) -> None:
    """Raise UserError if it is unknown which samples of a pixel are its colours."""
    photometric, count = int(page.photometric), int(page.samplesperpixel)
    alpha = len(page.extrasamples) == 1 and int(page.extrasamples[0]) in _ALPHA
    colours = {
        # Some programs declare RGB as "black is zero". Three samples are read as RGB.
        0: count == 1,
        1: count in (1, 3) or (count in (2, 4) and alpha),
        2: count in (3, 4),
        3: count == 1,
        6: count == 3 and int(page.compression) == 7,
    }
    if not colours.get(photometric, False):
        raise UserError(
            f"{path} has {count} samples per pixel of the kind {photometric} (TIFF's PhotometricInterpretation); only grey, "
            f"RGB and palettes are read. {SAVE}"
        )


def _check_segments(path: Path, reader: Reader, page: Any) -> None:
    """Raise UserError unless every strip or tile is inside the file and, if tifffile decodes it, has the expected size."""
    planes = page.samplesperpixel if int(page.planarconfig) == 2 else 1
    bits = page.bitspersample * page.samplesperpixel // planes
    if page.is_tiled:
        rows, columns, across = int(page.tilelength), int(page.tilewidth), math.ceil(page.imagewidth / max(page.tilewidth, 1))
        if int(page.tiledepth) != 1 or min(rows, columns) < 1 or rows * columns > MAX_PIXELS:
            raise UserError(f"{path} has tiles of {columns} x {rows} pixels by its header. {MEND}")
    else:
        rows, columns, across = int(page.rowsperstrip), int(page.imagewidth), 1
        if rows < 1:
            raise UserError(f"{path} has strips of {rows} rows by its header. {MEND}")
    down = math.ceil(page.imagelength / rows)
    if not len(page.dataoffsets) == len(page.databytecounts) == planes * down * across:
        raise UserError(
            f"{path} is damaged: it should have {planes * down * across} parts and names {len(page.dataoffsets)}. {MEND}"
        )
    line = math.ceil(columns * bits / 8)
    for number, (offset, count) in enumerate(zip(page.dataoffsets, page.databytecounts, strict=True)):
        if offset < 8 or count < 1 or offset + count > reader.size:
            raise UserError(f"{path} is cut short: a part of its pixels lies beyond its end. {MEND}")
        if int(page.compression) in _FROM_PILLOW:
            continue
        unpacked = count
        if int(page.compression) in _DEFLATE:
            reader.seek(offset)
            unpacked = _unpacked_bytes(path, reader.read(count), line * rows)
        # The last strip ends with the picture, while tiles are always complete.
        height = rows if page.is_tiled else min(rows, page.imagelength - number % down * rows)
        if unpacked < line * height:
            raise UserError(f"{path} is damaged: a part of its pixels has {unpacked} bytes instead of {line * height}. {MEND}")


def _unpacked_bytes(path: Path, packed: bytes, most: int) -> int:
    """Return the uncompressed length of deflate data without storing it. Raises UserError if it exceeds `most`."""
    unpacker, total = zlib.decompressobj(), 0
    while not unpacker.eof:
        chunk = unpacker.decompress(packed, 1 << 16)
        packed = unpacker.unconsumed_tail
        total += len(chunk)
        if total > most:
            raise UserError(
                f"{path} is damaged: a part of its pixels unpacks to more than the {most} bytes it should have. {MEND}"
            )
        if not chunk and not packed and not unpacker.eof:
            raise UserError(f"{path} is cut short: a part of its compressed pixels has no end. {MEND}")
    return total


def _white_is_zero(path: Path, pixels: np.ndarray) -> np.ndarray:
    """Return inverted pixels, so that 0 is black."""
    if pixels.dtype.kind != "u":
        raise UserError(f"{path} counts from white (TIFF's WhiteIsZero) with values of type {pixels.dtype}. {SAVE}")
    return np.asarray(np.iinfo(pixels.dtype).max - pixels)


def _by_pillow(path: Path, reader: Reader, page: Any) -> Picture:
    """Decode a TIFF file with Pillow if this preserves its values."""
    from PIL import Image, UnidentifiedImageError

    reader.seek(0)
    try:
        with _without_stderr():
            image = Image.open(io.BytesIO(reader.read()), formats=["TIFF"])
    except UnidentifiedImageError as error:
        raise UserError(
            f"{path} is damaged, or a kind of TIFF that is not read with its compression (number {int(page.compression)}). {SAVE}"
        ) from error
    with image:
        if image.size != (page.imagewidth, page.imagelength):
            raise UserError(f"{path} is damaged: its header gives two sizes. {MEND}")
        with _without_stderr():
            image.load()
        picture = from_pillow(path, image)
    kept = page.bitspersample <= 8 or (picture.pixels.dtype == page.dtype and int(page.photometric) == 1)
    if not kept:
        raise UserError(
            f"{path} has {page.bitspersample} bits per sample, which are not read with its compression "
            f"(number {int(page.compression)}). {SAVE}"
        )
    return picture


@contextmanager
def _without_stderr() -> Iterator[None]:
    """Discard the output of C libraries to the standard error stream. libtiff, used by Pillow, writes errors there."""
    if sys.stderr is not None:
        sys.stderr.flush()
    with contextlib.ExitStack() as stack:
        with contextlib.suppress(OSError):  # the process may have no standard error stream
            kept = os.dup(2)
            stack.callback(os.close, kept)
            nowhere = os.open(os.devnull, os.O_WRONLY)
            stack.callback(os.close, nowhere)
            os.dup2(nowhere, 2)
            stack.callback(os.dup2, kept, 2)
        yield
