"""Pictures in and out: PNG, TIFF, BMP, GIF and JPEG.

What a header claims is judged before a pixel is decoded: the number of pixels, and whether the file can hold them. Whatever
Pillow or tifffile cannot make sense of becomes a UserError that names the file.
"""

import contextlib
import io
import logging
import math
import os
import sys
import warnings
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from workflow_lib.cases import Colour
from workflow_lib.errors import UserError
from workflow_lib.files import atomic_path
from workflow_lib.volumes import describe_bytes, unreadable

SUFFIXES: frozenset[str] = frozenset({".png", ".tif", ".tiff", ".bmp", ".gif", ".jpg", ".jpeg"})
"""Endings of the names of pictures, in lower case."""

MAX_PIXELS = 100_000_000
"""Pixels of one picture. Those of the datasets have less than a million and large photographs 50 million; this many take 100 MB
per channel of 8 bits. Whole-slide scans, which have more, do not fit a network as one image anyway."""

_LUMA = (0.299, 0.587, 0.114)
_COLOURS = ("red", "green", "blue")
_MEND = "Get the file again, or leave the case out (`exclude`)."
_SAVE = "Save it again as PNG, or as TIFF without compression."

_MAGIC = {
    b"\x89PNG\r\n\x1a\n": "PNG",
    b"GIF87a": "GIF",
    b"GIF89a": "GIF",
    b"BM": "BMP",
    b"\xff\xd8\xff": "JPEG",
    **dict.fromkeys((b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"), "TIFF"),
}
_PIXELS_PER_BYTE = {"PNG": 8 * 1032, "GIF": 2600, "BMP": 128, "JPEG": 512}
"""The most pixels that a byte of a file can stand for: by deflate (1032 bytes, of 8 pixels at best), by LZW (some 3900 pixels
in 12 bits), by run lengths (255 pixels in 2 bytes), and by one bit for each block of 8 x 8 pixels."""

_DEFLATE = (8, 32946)
_FROM_TIFFFILE = {1: 1, 8: 1032, 32946: 1032}
"""TIFF's compressions that tifffile decodes (none and deflate), with the most bytes that one byte unpacks to."""
_FROM_PILLOW = {2: 8256, 3: 8256, 4: 8256, 5: 2600, 7: 3 * 512, 32773: 64}
"""Those that Pillow decodes: CCITT (a bit can be a whole line, taken to be of 66,000 pixels at most), LZW, JPEG, PackBits."""
_ALPHA = (1, 2)
"""Kinds of TIFF's extra samples that are opacity."""
_VENDOR_FLAGS = ("is_lsm", "is_stk", "is_ndpi", "is_scanimage", "is_vista", "is_philips", "is_indica")
"""Microscopes' own kinds of TIFF, whose special treatment by tifffile is not wanted."""

_Result = TypeVar("_Result")


def is_picture(path: str | Path) -> bool:
    """Return whether a file is a picture by the ending of its name, in whatever case."""
    return Path(path).suffix.lower() in SUFFIXES


def picture_shape(path: str | Path) -> tuple[int, int]:
    """Return (rows, columns) from the header, without decoding a pixel. Raises UserError as `read_picture` does."""
    return _readably(Path(path), _tiff_shape, _pillow_shape)


def read_picture(path: str | Path, colour: Colour) -> np.ndarray:
    """Read a picture: (rows, columns, 3) for `colour` "rgb", else (rows, columns, 1), C-contiguous, in native byte order.

    Values keep their stored type and range, also those of 16-bit and floating-point TIFF files; palettes are resolved, pixels
    of less than 8 bits become 8-bit values from 0 to 255, and TIFF files that count from white (WhiteIsZero) are turned over, as
    the standard has it. "red", "green" and "blue" take one channel, "rgb" of a grey picture repeats its own. "grey" is the luma
    of ITU-R BT.601, 0.299 red + 0.587 green + 0.114 blue, in float32; where all three channels are equal it is one of them, in
    its own type. An alpha channel is dropped, whatever it holds. The content decides about the format, not the name.
    Raises UserError that names the file when it is missing, cut short, damaged or no picture; holds several pictures or frames,
    more than 100 million pixels or more than its size can hold; is to be turned by its EXIF orientation; is of another kind
    of colour (CMYK, YCbCr outside JPEG, ...); has 16 bits per colour in a PNG file; or when a pixel is not finite.
    """
    pixels = _resolved(_readably(Path(path), _tiff_pixels, _pillow_pixels))
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


def read_picture_mask(path: str | Path, threshold: float | None) -> np.ndarray:
    """Read a mask: (rows, columns) of integers, C-contiguous.

    With `threshold`: uint8, 255 where the value is above it, else 0. Without: the values as they are stored; those of one bit
    are 0 and 255, and floating-point values must be whole numbers (int64). Colour masks must have equal channels, of which one
    is taken; alpha is dropped. A palette of greys alone is a grey picture. Of one with colours, the indices are the labels, as in
    Pascal VOC; a threshold is not applied to such a mask.
    Raises UserError as `read_picture` does, and when channels differ, or when values are not whole.
    """
    path = Path(path)
    picture = _readably(path, _tiff_pixels, _pillow_pixels)
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


def write_picture_labels(path: str | Path, labels: np.ndarray) -> None:
    """Write labels (rows, columns), integers in 0..255, as a grey 8-bit PNG file.

    The same labels give the same bytes. Written whole or not at all.
    Raises UserError when the name does not end with .png, the labels have another shape or do not fit, or the disk is full.
    """
    from PIL import Image

    path = Path(path)
    if path.suffix != ".png":
        raise UserError(f"{path}: labels of pictures are written as PNG; end the name with .png.")
    if labels.ndim != 2 or not labels.size:
        raise UserError(f"{path}: labels of shape {labels.shape} are no picture; they must have rows and columns.")
    if not (np.issubdtype(labels.dtype, np.integer) or labels.dtype == np.bool_):
        raise UserError(f"{path}: labels must be integers, not {labels.dtype}.")
    if labels.min() < 0 or labels.max() > 255:
        raise UserError(f"{path}: labels from {labels.min()} to {labels.max()} do not fit into 8 bits (0 to 255).")
    with atomic_path(path) as temporary, open(temporary, "wb") as file:
        Image.fromarray(np.ascontiguousarray(labels, dtype=np.uint8)).save(file, format="PNG", compress_level=6)


@dataclass(frozen=True)
class _Picture:
    """Decoded pixels (rows, columns, 1 or 3); with a palette (entries, 3), they are its indices."""

    pixels: np.ndarray
    palette: np.ndarray | None = None


class _Reader(io.BufferedReader):
    """A file that is never asked for more than it has left, so that a wrong length in it takes no memory."""

    def __init__(self, path: Path) -> None:
        super().__init__(io.FileIO(path, "rb"))
        self.size = self.seek(0, io.SEEK_END)
        self.seek(0)

    def read(self, size: int | None = -1, /) -> bytes:
        left = max(self.size - self.tell(), 0)
        return super().read(left if size is None or size < 0 else min(size, left))


def _readably(path: Path, tiff: Callable[[Path, _Reader], _Result], other: Callable[[Path, _Reader, str], _Result]) -> _Result:
    """Call the reader of the file's format; whatever goes wrong in it becomes a UserError that names the file."""
    if path.exists() and not (path.is_file() or path.is_dir()):
        raise UserError(f"{path} is no regular file. Name the file that holds the picture.")
    try:
        with _quietly(), _Reader(path) as reader:
            kind = _kind(path, reader)
            return tiff(path, reader) if kind == "TIFF" else other(path, reader, kind)
    except UserError:
        raise
    except MemoryError as error:
        raise UserError(f"{path} is too large for the memory here. Use a machine with more, or scale it down.") from error
    except OSError as error:
        # Pillow raises OSError without a number for damaged files.
        raise (_damaged(path, error) if error.errno is None else unreadable(path, error)) from error
    except Exception as error:
        # Decoders stumble over damaged files in all sorts of ways: struct.error, KeyError, ValueError, RecursionError, ...
        raise _damaged(path, error) from error


def _damaged(path: Path, error: Exception) -> UserError:
    shown = " ".join(str(error).split())[:200] or type(error).__name__
    return UserError(f"{path} is damaged or cut short ({shown}). {_MEND}")


@contextmanager
def _quietly() -> Iterator[None]:
    """Keep Pillow strict, and Pillow and tifffile silent: what matters is told as an error."""
    from PIL import ImageFile

    logger, lenient = logging.getLogger("tifffile"), ImageFile.LOAD_TRUNCATED_IMAGES
    disabled = logger.disabled
    logger.disabled, ImageFile.LOAD_TRUNCATED_IMAGES = True, False
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.disabled, ImageFile.LOAD_TRUNCATED_IMAGES = disabled, lenient


def _kind(path: Path, reader: _Reader) -> str:
    """Return the format of a file by its first bytes."""
    begin = reader.read(64)
    reader.seek(0)
    for magic, kind in _MAGIC.items():
        if begin.startswith(magic):
            return kind
    shown = f"it begins with {begin[:20]!r}" if begin else "it is empty"
    page = (
        " (an HTML page, as servers send in place of a file)" if begin.removeprefix(b"\xef\xbb\xbf").lstrip()[:1] == b"<" else ""
    )
    raise UserError(f"{path} is no PNG, TIFF, BMP, GIF or JPEG file: {shown}{page}. {_MEND}")


def _check_pixels(path: Path, rows: int, columns: int) -> None:
    if rows < 1 or columns < 1:
        raise UserError(f"{path} holds no pixel: by its header it has {rows} rows and {columns} columns. {_MEND}")
    if rows * columns > MAX_PIXELS:
        raise UserError(
            f"{path} is of {columns} x {rows} pixels by its header; more than {MAX_PIXELS // 10**6} million are not read. "
            "Scale it down, or cut it into parts."
        )


def _check_size(path: Path, claimed: float, possible: float, size: int, unit: str) -> None:
    if claimed > possible:
        raise UserError(
            f"{path} is cut short, or its header is wrong: the header claims {claimed:,.0f} {unit} "
            f"in a file of {describe_bytes(size)}. {_MEND}"
        )


def _check_orientation(path: Path, orientation: Any) -> None:
    if orientation in range(2, 9):
        raise UserError(
            f"{path} is stored turned or mirrored (EXIF orientation {orientation}), which its mask need not be. "
            "Save the picture upright, without this mark, so that it lies as its mask does."
        )


def _check_finite(path: Path, pixels: np.ndarray) -> None:
    if pixels.dtype.kind == "f" and not np.isfinite(pixels).all():
        count = int(pixels.size - np.isfinite(pixels).sum())
        raise UserError(
            f"{path} holds {count} values that are not finite (NaN or infinity). Replace them, or leave the case out (`exclude`)."
        )


def _check_palette(path: Path, picture: _Picture) -> None:
    if picture.palette is not None and int(picture.pixels.max()) >= len(picture.palette):
        raise UserError(
            f"{path} is damaged: colour {int(picture.pixels.max())} is used, and its palette has {len(picture.palette)}. {_MEND}"
        )


def _resolved(picture: _Picture) -> np.ndarray:
    """Return pixels (rows, columns, 1 or 3), looked up in the palette if there is one."""
    pixels = picture.pixels
    if picture.palette is not None:
        pixels = picture.palette[pixels[..., 0]]
    return pixels


def _are_equal(colours: np.ndarray) -> bool:
    """Return whether all channels, along the last axis, are equal."""
    return all(np.array_equal(colours[..., 0], colours[..., i]) for i in range(1, colours.shape[-1]))


def _native(pixels: np.ndarray) -> np.ndarray:
    """Return pixels in native byte order; of one bit, 0 and 255."""
    if pixels.dtype == np.bool_:
        return np.where(pixels, np.uint8(255), np.uint8(0))
    return pixels.astype(pixels.dtype.newbyteorder("="), copy=False)


# Pillow: PNG, BMP, GIF, JPEG


@contextmanager
def _pillow_image(path: Path, reader: _Reader, kind: str) -> Iterator[Any]:
    """Open a picture of which nothing is decoded yet, its header checked."""
    from PIL import Image, UnidentifiedImageError

    reader.seek(0)
    try:
        image = Image.open(reader, formats=[kind])
    except Image.DecompressionBombError as error:
        raise UserError(f"{path} has far too many pixels by its header ({error}). {_MEND}") from error
    except UnidentifiedImageError as error:
        raise UserError(f"{path} is damaged or cut short: its header is no valid {kind} header. {_MEND}") from error
    with image:
        _check_pixels(path, image.height, image.width)
        pixels = image.height * image.width
        _check_size(path, pixels, _PIXELS_PER_BYTE[kind] * reader.size, reader.size, "pixels")
        for codec, _, offset, arguments in image.tile:
            if codec == "raw" and isinstance(arguments, tuple):  # uncompressed; the second one is the length of a line
                claimed = offset + arguments[1] * image.height
                _check_size(path, claimed, reader.size, reader.size, "bytes")
            if kind == "PNG" and ";16" in str(arguments) and image.mode != "I;16":
                raise UserError(
                    f"{path} has 16 bits per colour, which is not read from PNG. Save it as TIFF without compression."
                )
        _check_single(path, getattr(image, "n_frames", 1))
        if kind != "PNG" or "exif" in image.info:  # of a PNG without, Pillow would decode all to look behind the pixels
            _check_orientation(path, image.getexif().get(274))
        yield image


def _check_single(path: Path, frames: int) -> None:
    if frames > 1:
        raise UserError(f"{path} holds more than one picture (pages or frames). Save the one that counts by itself.")


def _pillow_shape(path: Path, reader: _Reader, kind: str) -> tuple[int, int]:
    with _pillow_image(path, reader, kind) as image:
        return image.height, image.width


def _pillow_pixels(path: Path, reader: _Reader, kind: str) -> _Picture:
    if kind == "PNG":
        with _pillow_image(path, reader, kind) as image:
            image.verify()  # the checksums of all its parts, to the last
    with _pillow_image(path, reader, kind) as image:
        image.load()
        _check_orientation(path, image.getexif().get(274))
        return _from_pillow(path, image)


def _from_pillow(path: Path, image: Any) -> _Picture:
    """Return the pixels of a decoded Pillow image."""
    if image.mode not in ("1", "L", "LA", "P", "RGB", "RGBA", "I;16", "I;16B", "I;16L", "I", "F"):
        raise UserError(f"{path} has colours of the kind {image.mode}; only grey, RGB and palettes are read. {_SAVE}")
    pixels = _native(np.asarray(image))
    pixels = pixels[..., np.newaxis] if pixels.ndim == 2 else pixels
    palette = None
    if image.mode == "P":
        palette = np.array(image.getpalette("RGB"), dtype=np.uint8).reshape(-1, 3)
    if image.mode in ("LA", "RGBA"):
        pixels = pixels[..., :-1]
    picture = _Picture(pixels, palette)
    _check_finite(path, picture.pixels)
    _check_palette(path, picture)
    return picture


# TIFF


@contextmanager
def _tiff_page(path: Path, reader: _Reader) -> Iterator[Any]:
    """Open a TIFF file of which nothing is decoded yet, its header checked."""
    import tifffile

    reader.seek(0)
    flags: dict[str, Any] = dict.fromkeys(_VENDOR_FLAGS, False)
    with tifffile.TiffFile(reader, **flags) as file:
        try:
            page: Any = file.pages[0]
        except IndexError as error:
            raise UserError(f"{path} is damaged or cut short: it tells of no picture. {_MEND}") from error
        _check_pixels(path, int(page.imagelength), int(page.imagewidth))
        try:
            file.pages[1]
        except IndexError:
            pass
        else:
            _check_single(path, 2)
        _check_orientation(path, page.tags.valueof(274))
        if page.imagedepth != 1 or not isinstance(page.bitspersample, int):
            raise UserError(f"{path} is a stack of planes, or its samples have different numbers of bits. {_SAVE}")
        compression = int(page.compression)
        factor = (_FROM_TIFFFILE | _FROM_PILLOW).get(compression)
        if factor is None:
            raise UserError(f"{path} is compressed in a way that is not read here (TIFF compression {compression}). {_SAVE}")
        claimed = page.imagelength * math.ceil(page.imagewidth * page.samplesperpixel * page.bitspersample / 8)
        _check_size(path, claimed, factor * reader.size, reader.size, "bytes of pixels")
        _check_samples(path, page)
        yield page


def _check_samples(path: Path, page: Any) -> None:
    """Raise UserError when it cannot be told which samples of a pixel are its colours."""
    photometric, count = int(page.photometric), int(page.samplesperpixel)
    alpha = len(page.extrasamples) == 1 and int(page.extrasamples[0]) in _ALPHA
    colours = {
        # Some writers call RGB "black is zero"; three samples are taken for the colours they are.
        0: count == 1,
        1: count in (1, 3) or (count in (2, 4) and alpha),
        2: count in (3, 4),
        3: count == 1,
        6: count == 3 and int(page.compression) == 7,
    }
    if not colours.get(photometric, False):
        raise UserError(
            f"{path} has {count} samples per pixel of the kind {photometric} (TIFF's PhotometricInterpretation); only grey, "
            f"RGB and palettes are read. {_SAVE}"
        )


def _tiff_shape(path: Path, reader: _Reader) -> tuple[int, int]:
    with _tiff_page(path, reader) as page:
        return int(page.imagelength), int(page.imagewidth)


def _tiff_pixels(path: Path, reader: _Reader) -> _Picture:
    with _tiff_page(path, reader) as page:
        _check_segments(path, reader, page)
        if int(page.compression) in _FROM_PILLOW or page.bitspersample in (2, 4):
            return _tiff_by_pillow(path, reader, page)
        if page.dtype is None or page.dtype.kind not in "biuf" or page.bitspersample not in (1, 8, 16, 32, 64):
            raise UserError(
                f"{path} holds values of {page.bitspersample} bits that are neither integers nor real numbers, or of a length "
                f"that is not read. {_SAVE}"
            )
        if int(page.predictor) not in (1, 2):
            raise UserError(
                f"{path} stores differences of values in a way that is not read (predictor {page.predictor}). {_SAVE}"
            )
        pixels = _native(np.asarray(page.asarray(maxworkers=1)))
        if page.samplesperpixel > 1 and int(page.planarconfig) == 2:
            pixels = np.moveaxis(pixels, 0, -1)
        pixels = pixels.reshape(page.imagelength, page.imagewidth, page.samplesperpixel)
        if page.samplesperpixel in (2, 4):
            pixels = pixels[..., :-1]
        if int(page.photometric) == 0:
            pixels = _white_is_zero(path, pixels)
        palette = None
        if int(page.photometric) == 3:
            # 16-bit colours, of which palettes use the upper 8.
            palette = (np.asarray(page.colormap).T >> 8).astype(np.uint8)
        picture = _Picture(pixels, palette)
    _check_finite(path, picture.pixels)
    _check_palette(path, picture)
    return picture


@contextmanager
def _without_stderr() -> Iterator[None]:
    """Send what a C library writes to the standard error stream into nothing: libtiff, in Pillow, writes its errors there."""
    if sys.stderr is not None:
        sys.stderr.flush()
    with contextlib.ExitStack() as stack:
        with contextlib.suppress(OSError):  # without such a stream, nothing can be written to it
            kept = os.dup(2)
            stack.callback(os.close, kept)
            nowhere = os.open(os.devnull, os.O_WRONLY)
            stack.callback(os.close, nowhere)
            os.dup2(nowhere, 2)
            stack.callback(os.dup2, kept, 2)
        yield


def _white_is_zero(path: Path, pixels: np.ndarray) -> np.ndarray:
    """Return pixels with 0 as black: such files count from white."""
    if pixels.dtype.kind != "u":
        raise UserError(f"{path} counts from white (TIFF's WhiteIsZero) with values of type {pixels.dtype}. {_SAVE}")
    return np.asarray(np.iinfo(pixels.dtype).max - pixels)


def _tiff_by_pillow(path: Path, reader: _Reader, page: Any) -> _Picture:
    """Decode a TIFF file with Pillow, where this keeps its values."""
    from PIL import Image, UnidentifiedImageError

    reader.seek(0)
    try:
        with _without_stderr():
            image = Image.open(io.BytesIO(reader.read()), formats=["TIFF"])
    except UnidentifiedImageError as error:
        raise UserError(
            f"{path} is damaged, or a kind of TIFF that is not read with its compression (number {int(page.compression)}). "
            f"{_SAVE}"
        ) from error
    with image:
        if image.size != (page.imagewidth, page.imagelength):
            raise UserError(f"{path} is damaged: its header tells two sizes. {_MEND}")
        with _without_stderr():
            image.load()
        picture = _from_pillow(path, image)
    kept = page.bitspersample <= 8 or (picture.pixels.dtype == page.dtype and int(page.photometric) == 1)
    if not kept:
        raise UserError(
            f"{path} has {page.bitspersample} bits per sample, which are not read with its compression "
            f"(number {int(page.compression)}). {_SAVE}"
        )
    return picture


def _check_segments(path: Path, reader: _Reader, page: Any) -> None:
    """Raise UserError unless every strip or tile lies in the file, and holds the bytes it should, if tifffile is to decode it."""
    planes = page.samplesperpixel if int(page.planarconfig) == 2 else 1
    bits = page.bitspersample * page.samplesperpixel // planes
    if page.is_tiled:
        rows, columns, across = int(page.tilelength), int(page.tilewidth), math.ceil(page.imagewidth / max(page.tilewidth, 1))
        if int(page.tiledepth) != 1 or min(rows, columns) < 1 or rows * columns > MAX_PIXELS:
            raise UserError(f"{path} has tiles of {columns} x {rows} pixels by its header. {_MEND}")
    else:
        rows, columns, across = int(page.rowsperstrip), int(page.imagewidth), 1
        if rows < 1:
            raise UserError(f"{path} has strips of {rows} rows by its header. {_MEND}")
    down = math.ceil(page.imagelength / rows)
    if not len(page.dataoffsets) == len(page.databytecounts) == planes * down * across:
        raise UserError(
            f"{path} is damaged: it should have {planes * down * across} parts and tells of {len(page.dataoffsets)}. {_MEND}"
        )
    line = math.ceil(columns * bits / 8)
    for number, (offset, count) in enumerate(zip(page.dataoffsets, page.databytecounts, strict=True)):
        if offset < 8 or count < 1 or offset + count > reader.size:
            raise UserError(f"{path} is cut short: a part of its pixels lies beyond its end. {_MEND}")
        if int(page.compression) in _FROM_PILLOW:
            continue
        unpacked = count
        if int(page.compression) in _DEFLATE:
            reader.seek(offset)
            unpacked = _unpacked_bytes(path, reader.read(count), line * rows)
        # The last strip ends with the picture, while tiles are always whole.
        height = rows if page.is_tiled else min(rows, page.imagelength - number % down * rows)
        if unpacked < line * height:
            raise UserError(f"{path} is damaged: a part of its pixels has {unpacked} bytes instead of {line * height}. {_MEND}")


def _unpacked_bytes(path: Path, packed: bytes, most: int) -> int:
    """Return the length of what deflate packed, found without holding it. Raises UserError when it is more than `most`."""
    unpacker, total = zlib.decompressobj(), 0
    while not unpacker.eof:
        chunk = unpacker.decompress(packed, 1 << 16)
        packed = unpacker.unconsumed_tail
        total += len(chunk)
        if total > most:
            raise UserError(
                f"{path} is damaged: a part of its pixels unpacks to more than the {most} bytes it should have. {_MEND}"
            )
        if not chunk and not packed and not unpacker.eof:
            raise UserError(f"{path} is cut short: a part of its compressed pixels has no end. {_MEND}")
    return total
