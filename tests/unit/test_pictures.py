"""Pictures are read as Pillow, tifffile and scikit-image read them, and faults are reported with the file's name."""

import io
import logging
import os
import struct
import tracemalloc
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image, ImageFile

from tests.unit.test_volumes_hostile import limited_memory
from workflow_lib.base.errors import UserError
from workflow_lib.images.files_read import FilesRead
from workflow_lib.images.pictures import _opening as opening
from workflow_lib.images.pictures.reading import SUFFIXES, is_picture, picture_shape, read_picture, read_picture_mask
from workflow_lib.images.pictures.writing import write_picture_labels

RNG = np.random.default_rng(0)
GREY = RNG.integers(0, 256, (9, 11), dtype=np.uint8)
RGB = RNG.integers(0, 256, (9, 11, 3), dtype=np.uint8)
BITS = RNG.integers(0, 2, (9, 11)).astype(bool)
PALETTE = [0, 0, 0, 128, 0, 0, 0, 128, 0, 255, 255, 255]
INDICES = RNG.integers(0, 4, (9, 11), dtype=np.uint8)


def with_palette(palette=PALETTE, indices=INDICES):
    image = Image.fromarray(indices)
    image.putpalette(palette)
    return image


def save(path, pixels, **options):
    image = pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)
    image.save(path, **options)
    return path


def tiff(path, pixels, **options):
    tifffile.imwrite(path, pixels, **options)
    return path


def change_tag(path, code, value):
    """Overwrite a tag's value in the file."""
    with tifffile.TiffFile(path, mode="r+") as file:
        file.pages[0].tags[code].overwrite(value)  # type: ignore[union-attr]
    return path


def test_names():
    assert is_picture("a.PNG")
    assert is_picture(Path("folder.d/a b.Tif"))
    assert not is_picture("a.nii.gz")
    assert not is_picture("png")
    assert all(suffix == suffix.lower() and suffix[0] == "." for suffix in SUFFIXES)


# What is read


@pytest.mark.parametrize("name", ["a.png", "a.bmp", "a.tif", "a.gif"])
def test_grey_is_read_as_it_stands(tmp_path, name):
    path = save(tmp_path / name, GREY)
    picture = read_picture(path, "grey")
    np.testing.assert_array_equal(picture[..., 0], GREY)
    assert (picture.shape, str(picture.dtype), picture.flags.c_contiguous) == ((9, 11, 1), "uint8", True)
    assert picture_shape(path) == (9, 11)
    np.testing.assert_array_equal(read_picture(path, "rgb"), np.stack([GREY] * 3, axis=-1))
    np.testing.assert_array_equal(read_picture(path, "green")[..., 0], GREY)


@pytest.mark.parametrize("name", ["a.png", "a.bmp", "a.tif", "a.jpg"])
def test_colours(tmp_path, name):
    path = save(tmp_path / name, RGB)
    expected = np.asarray(Image.open(path))
    np.testing.assert_array_equal(read_picture(path, "rgb"), expected)
    assert picture_shape(path) == (9, 11)
    for channel, colour in enumerate(("red", "green", "blue")):
        picture = read_picture(path, colour)  # type: ignore[arg-type]
        np.testing.assert_array_equal(picture, expected[..., channel : channel + 1])
        assert picture.flags.c_contiguous


def test_grey_of_colours_is_the_luma_of_bt_601(tmp_path):
    path = save(tmp_path / "a.png", RGB)
    luma = read_picture(path, "grey")
    assert (luma.shape, str(luma.dtype)) == ((9, 11, 1), "float32")
    np.testing.assert_allclose(luma[..., 0], RGB @ np.array([0.299, 0.587, 0.114]), rtol=1e-6)
    # Pillow uses the same formula with rounding.
    np.testing.assert_allclose(luma[..., 0], np.asarray(Image.open(path).convert("L")), atol=0.51)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_grey_of_equal_channels_is_one_of_them(tmp_path, dtype):
    pixels = RNG.integers(0, 256, (9, 11)).astype(dtype)
    path = tiff(tmp_path / "a.tif", np.stack([pixels] * 3, axis=-1), photometric="rgb")
    picture = read_picture(path, "grey")
    np.testing.assert_array_equal(picture[..., 0], pixels)
    assert picture.dtype == dtype


@pytest.mark.parametrize(("mode", "channels"), [("LA", 1), ("RGBA", 3)])
@pytest.mark.parametrize("name", ["a.png", "a.tif"])
def test_alpha_is_dropped(tmp_path, mode, channels, name):
    pixels = RNG.integers(0, 256, (9, 11, channels + 1), dtype=np.uint8)
    path = save(tmp_path / name, Image.frombytes(mode, (11, 9), pixels.tobytes()))
    expected = pixels[..., :-1] if channels == 3 else np.repeat(pixels[..., :1], 3, axis=-1)
    np.testing.assert_array_equal(read_picture(path, "rgb"), expected)


@pytest.mark.parametrize("name", ["a.png", "a.gif", "a.bmp", "a.tif"])
def test_palettes_are_resolved(tmp_path, name):
    path = save(tmp_path / name, with_palette())
    np.testing.assert_array_equal(read_picture(path, "rgb"), np.reshape(PALETTE, (-1, 3))[INDICES])
    np.testing.assert_array_equal(read_picture(path, "rgb"), np.asarray(Image.open(path).convert("RGB")))


def test_a_palette_of_tifffile(tmp_path):
    colours = RNG.integers(0, 256, (3, 256)).astype(np.uint16) * 257
    path = tiff(tmp_path / "a.tif", GREY, photometric="palette", colormap=colours)
    np.testing.assert_array_equal(read_picture(path, "rgb"), (colours.T // 257)[GREY])
    np.testing.assert_array_equal(read_picture(path, "rgb"), np.asarray(Image.open(path).convert("RGB")))


@pytest.mark.parametrize("name", ["a.png", "a.bmp", "a.tif", "tifffile.tif"])
@pytest.mark.parametrize("compression", [None, "group4", "tiff_lzw"])
def test_one_bit_becomes_0_and_255(tmp_path, name, compression):
    path = tmp_path / name
    if name == "tifffile.tif":
        tiff(path, BITS, photometric="minisblack", compression="zlib" if compression else None)
    else:
        save(path, BITS, **({"compression": compression} if compression and name == "a.tif" else {}))
    expected = np.where(BITS, 255, 0)
    np.testing.assert_array_equal(read_picture(path, "grey")[..., 0], expected)
    np.testing.assert_array_equal(read_picture_mask(path, None), expected)
    assert read_picture(path, "grey").dtype == np.uint8


@pytest.mark.parametrize("bits", [2, 4])
def test_few_bits_are_spread_to_8(tmp_path, bits):
    path = tmp_path / "a.png"
    labels = RNG.integers(0, 2**bits, (5, 8), dtype=np.uint8)
    flat = labels.reshape(5, -1, 8 // bits)
    packed = (flat << np.arange(8 - bits, -1, -bits)).sum(axis=-1).astype(np.uint8)
    lines = b"".join(b"\0" + line.tobytes() for line in packed)
    path.write_bytes(png(5, 8, bits, 0, zlib.compress(lines)))
    np.testing.assert_array_equal(read_picture(path, "grey")[..., 0], labels * (255 // (2**bits - 1)))


LAYOUTS: dict[str, dict[str, Any]] = {
    "plain": {},
    "strips": {"rowsperstrip": 2},
    "tiles": {"tile": (16, 16)},
    "deflate": {"compression": "zlib", "rowsperstrip": 4},
    "deflate tiles": {"compression": "zlib", "tile": (16, 16)},
    "big": {"bigtiff": True},
    "big-endian": {"byteorder": ">"},
}


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("dtype", ["u1", "i1", "u2", "i2", "u4", "f2", "f4", "f8"])
@pytest.mark.parametrize("samples", [1, 3, 4, "planes", "black is zero"])
def test_tiff_keeps_its_values(tmp_path, layout, dtype, samples):
    shape = {1: (9, 11), 4: (9, 11, 4), "planes": (3, 9, 11)}.get(samples, (9, 11, 3))
    pixels = (
        RNG.normal(0, 40, shape).astype(dtype) if dtype[0] != "u" else RNG.integers(0, 256 ** int(dtype[1]), shape).astype(dtype)
    )
    kinds: dict[Any, dict[str, Any]] = {
        1: {},
        3: {"photometric": "rgb"},
        4: {"photometric": "rgb", "extrasamples": ["unassalpha"]},
        "planes": {"photometric": "rgb", "planarconfig": "separate"},
        "black is zero": {"photometric": "minisblack", "planarconfig": "contig"},
    }
    path = tiff(tmp_path / "a.tif", pixels, **kinds[samples], **LAYOUTS[layout])
    expected = np.moveaxis(pixels, 0, -1) if samples == "planes" else pixels.reshape(9, 11, -1)[..., :3]
    picture = read_picture(path, "rgb" if samples != 1 else "grey")
    np.testing.assert_array_equal(picture, expected)
    assert picture.dtype == np.dtype(dtype)
    assert picture.flags.c_contiguous


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_the_predictor_of_deflate(tmp_path, dtype):
    pixels = RNG.integers(0, np.iinfo(dtype).max, (9, 11, 3)).astype(dtype)
    path = tiff(tmp_path / "a.tif", pixels, photometric="rgb", compression="zlib", predictor=2)
    np.testing.assert_array_equal(read_picture(path, "rgb"), pixels)


@pytest.mark.parametrize("compression", ["tiff_lzw", "packbits", "tiff_adobe_deflate"])
@pytest.mark.parametrize("kind", ["uint8", "rgb", "uint16", "float32"])
def test_compressed_tiff_of_pillow(tmp_path, compression, kind):
    kinds: dict[str, np.ndarray] = {
        "uint8": GREY,
        "rgb": RGB,
        "uint16": RNG.integers(0, 65536, (9, 11), dtype=np.uint16),
        "float32": RNG.normal(0, 1, (9, 11)).astype(np.float32),
    }
    pixels = kinds[kind]
    picture = read_picture(save(tmp_path / "a.tif", pixels, compression=compression), "rgb" if kind == "rgb" else "grey")
    np.testing.assert_array_equal(picture, pixels.reshape(9, 11, -1))
    assert picture.dtype == pixels.dtype


def test_jpeg_in_tiff(tmp_path):
    path = save(tmp_path / "a.tif", RGB, compression="jpeg", quality=95)
    np.testing.assert_array_equal(read_picture(path, "rgb"), np.asarray(Image.open(path)))


@pytest.mark.parametrize("pixels", [GREY, GREY.astype(np.uint16), BITS], ids=["uint8", "uint16", "bits"])
@pytest.mark.parametrize("compression", [None, "zlib"])
def test_white_is_zero(tmp_path, pixels, compression):
    path = tiff(tmp_path / "a.tif", pixels, photometric="miniswhite", compression=compression)
    picture = read_picture(path, "grey")[..., 0]
    np.testing.assert_array_equal(picture, np.where(pixels, 0, 255) if pixels is BITS else np.iinfo(pixels.dtype).max - pixels)
    if pixels.dtype != np.uint16:  # of 16 bits, Pillow does not turn them over
        np.testing.assert_array_equal(picture, np.asarray(Image.open(path).convert("L")))


def test_16_bits_of_a_grey_png(tmp_path):
    pixels = RNG.integers(0, 65536, (9, 11), dtype=np.uint16)
    picture = read_picture(save(tmp_path / "a.png", pixels), "grey")
    np.testing.assert_array_equal(picture[..., 0], pixels)
    assert picture.dtype == np.uint16


def test_the_content_decides_not_the_name(tmp_path):
    save(tmp_path / "a.png", GREY)
    (tmp_path / "a.png").rename(tmp_path / "a.tif")
    np.testing.assert_array_equal(read_picture(tmp_path / "a.tif", "grey")[..., 0], GREY)


def test_spaces_and_letters_of_other_alphabets(tmp_path):
    folder = tmp_path / "Ground Truth é 図"
    folder.mkdir()
    for name in ("benign (1)_mask.png", "läsion ß.tif", "病変.bmp"):
        np.testing.assert_array_equal(read_picture(save(folder / name, GREY), "grey")[..., 0], GREY)
        write_picture_labels(folder / f"{name}.png", GREY)
        np.testing.assert_array_equal(read_picture_mask(folder / f"{name}.png", None), GREY)


def test_sources_that_cannot_be_written(tmp_path):
    folder = tmp_path / "source"
    folder.mkdir()
    paths = [save(folder / name, GREY) for name in ("a.png", "a.tif", "a.gif", "a.bmp")]
    times = [path.stat().st_mtime_ns for path in paths]
    for path in paths:
        path.chmod(0o444)
    folder.chmod(0o555)
    try:
        for path in paths:
            np.testing.assert_array_equal(read_picture(path, "grey")[..., 0], GREY)
            np.testing.assert_array_equal(read_picture_mask(path, None), GREY)
    finally:
        folder.chmod(0o755)
    assert sorted(folder.iterdir()) == sorted(paths)
    assert [path.stat().st_mtime_ns for path in paths] == times


# Masks


@pytest.mark.parametrize(("threshold", "expected"), [(127, [0, 0, 255, 255]), (0, [0, 255, 255, 255]), (127.5, [0, 0, 255, 255])])
def test_values_above_the_threshold(tmp_path, threshold, expected):
    path = save(tmp_path / "a.png", np.array([[0, 127, 128, 255]], dtype=np.uint8))
    mask = read_picture_mask(path, threshold)
    np.testing.assert_array_equal(mask, [expected])
    assert mask.dtype == np.uint8
    np.testing.assert_array_equal(read_picture_mask(path, None), [[0, 127, 128, 255]])


@pytest.mark.parametrize("threshold", [None, 127])
def test_masks_with_equal_channels_and_alpha(tmp_path, threshold):
    grey = np.where(BITS, 255, 0).astype(np.uint8)
    alpha = np.where(BITS, 255, RNG.integers(0, 256, (9, 11))).astype(np.uint8)
    for name, pixels in (("rgb.png", np.stack([grey] * 3, axis=-1)), ("rgba.png", np.stack([grey] * 3 + [alpha], axis=-1))):
        mask = read_picture_mask(save(tmp_path / name, pixels), threshold)
        np.testing.assert_array_equal(mask, grey)


@pytest.mark.parametrize("colour", [0, 255, 90])
@pytest.mark.parametrize("threshold", [None, 127])
@pytest.mark.parametrize("name", ["rgba.png", "la.png", "rgba.tif", "palette.png"])
def test_a_mask_in_the_opacity_of_a_picture_of_one_colour(tmp_path, colour, threshold, name):
    """As image editors export a selection: everything white or black, the lesion opaque."""
    lesion = np.where(BITS, 255, 0).astype(np.uint8)
    if name == "palette.png":
        picture = Image.frombytes("P", (11, 9), BITS.astype(np.uint8).tobytes())
        picture.putpalette([colour] * 6)
        picture.save(tmp_path / name, transparency=bytes([0, 255]))
    else:
        channels = 1 if name.startswith("la") else 3
        save(tmp_path / name, np.dstack([np.full((9, 11, channels), colour, np.uint8), lesion]))
    seen = FilesRead()
    np.testing.assert_array_equal(read_picture_mask(tmp_path / name, threshold, seen), lesion)
    assert seen.remarks[tmp_path / name] == ["all its pixels have one colour; its opacity (alpha) was read as the mask"]


def test_an_opacity_that_agrees_with_the_colours_is_ignored_and_another_refused(tmp_path):
    lesion = np.where(BITS, 255, 0).astype(np.uint8)
    seen = FilesRead()
    path = save(tmp_path / "a.png", np.dstack([lesion] * 4))
    np.testing.assert_array_equal(read_picture_mask(path, None, seen), lesion)
    assert "marks the same as its colours" in seen.remarks[path][0]
    with pytest.raises(UserError, match="which of both is the mask"):
        read_picture_mask(save(tmp_path / "b.png", np.dstack([lesion] * 3 + [255 - lesion])), None)


def test_the_transparency_of_an_image_is_remarked(tmp_path):
    alpha = RNG.integers(0, 255, (9, 11), dtype=np.uint8)
    path, seen = save(tmp_path / "a.png", np.dstack([GREY, GREY, GREY, alpha])), FilesRead()
    np.testing.assert_array_equal(read_picture(path, "grey", seen)[..., 0], GREY)
    assert seen.remarks[path] == ["some of its pixels are transparent, which was ignored"]
    opaque, seen = save(tmp_path / "b.png", np.dstack([GREY, GREY, GREY, np.full_like(alpha, 255)])), FilesRead()
    read_picture(opaque, "grey", seen)
    assert not seen.remarks


def test_noise_of_whole_numbers_is_rounded_in_masks(tmp_path):
    noisy = INDICES.astype(np.float32) + np.float32(0.0005)
    path, seen = tiff(tmp_path / "a.tif", noisy), FilesRead()
    np.testing.assert_array_equal(read_picture_mask(path, None, seen), INDICES)
    assert seen.remarks[path] == ["its values differ from whole numbers by up to 0.0005, and were rounded"]


@pytest.mark.parametrize("threshold", [None, 127])
def test_masks_of_colours_are_refused(tmp_path, threshold):
    with pytest.raises(UserError, match=r"a\.png: a mask of colours"):
        read_picture_mask(save(tmp_path / "a.png", RGB), threshold)


@pytest.mark.parametrize("name", ["a.png", "a.gif", "a.bmp", "a.tif"])
def test_the_indices_of_a_palette_with_colours_are_the_labels(tmp_path, name):
    path = save(tmp_path / name, with_palette())
    np.testing.assert_array_equal(read_picture_mask(path, None), INDICES)
    with pytest.raises(UserError, match="a mask of colours"):
        read_picture_mask(path, 127)


@pytest.mark.parametrize("name", ["a.png", "a.gif", "a.bmp", "a.tif"])
def test_a_palette_of_greys_is_a_grey_picture(tmp_path, name):
    path = save(tmp_path / name, with_palette([255] * 3 + [0] * 3 + [9] * 3 + [200] * 3))
    expected = np.array([255, 0, 9, 200])[INDICES]
    np.testing.assert_array_equal(read_picture_mask(path, None), expected)
    np.testing.assert_array_equal(read_picture_mask(path, 127), np.where(expected > 127, 255, 0))


def test_floating_point_masks(tmp_path):
    mask = read_picture_mask(tiff(tmp_path / "a.tif", INDICES.astype(np.float32)), None)
    np.testing.assert_array_equal(mask, INDICES)
    assert mask.dtype.kind == "i"
    tiff(tmp_path / "a.tif", INDICES.astype(np.float32) + 0.5)
    with pytest.raises(UserError, match=r"a\.tif: a mask whose values are not whole numbers"):
        read_picture_mask(tmp_path / "a.tif", None)
    np.testing.assert_array_equal(read_picture_mask(tmp_path / "a.tif", 2), np.where(INDICES >= 2, 255, 0))


# Labels


def test_labels_are_written_as_grey_png(tmp_path):
    path = tmp_path / "new folder" / "a.png"
    write_picture_labels(path, GREY)
    with Image.open(path) as image:
        assert (image.format, image.mode, image.size, image.info) == ("PNG", "L", (11, 9), {})
        np.testing.assert_array_equal(np.asarray(image), GREY)
    np.testing.assert_array_equal(read_picture_mask(path, None), GREY)
    first = path.read_bytes()
    write_picture_labels(path, np.asfortranarray(GREY.astype(np.int64)))
    assert path.read_bytes() == first
    assert [file.name for file in path.parent.iterdir()] == ["a.png"]


@pytest.mark.parametrize("labels", [BITS, np.array([[0, 1]], dtype=bool), np.zeros((1, 1), dtype=np.uint16)])
def test_labels_of_few_values(tmp_path, labels):
    write_picture_labels(tmp_path / "a.png", labels)
    np.testing.assert_array_equal(read_picture_mask(tmp_path / "a.png", None), labels.astype(np.uint8))


@pytest.mark.parametrize(
    ("labels", "told"),
    [
        (np.zeros((2, 3, 1), dtype=np.uint8), r"of shape \(2, 3, 1\)"),
        (np.zeros((0, 3), dtype=np.uint8), r"of shape \(0, 3\)"),
        (np.full((2, 3), 256), "256 do not fit into 8 bits"),
        (np.full((2, 3), -1), "-1 to -1 do not fit"),
        (np.zeros((2, 3)), "must be integers, not float64"),
    ],
)
def test_labels_that_do_not_fit(tmp_path, labels, told):
    with pytest.raises(UserError, match=told):
        write_picture_labels(tmp_path / "a.png", labels)
    assert not (tmp_path / "a.png").exists()


def test_labels_under_another_name(tmp_path):
    with pytest.raises(UserError, match=r"end the name with \.png"):
        write_picture_labels(tmp_path / "a.tif", GREY)


def test_a_full_disk_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch):
    path = tmp_path / "a.png"
    write_picture_labels(path, GREY)
    before = path.read_bytes()

    def full(self, stream, **_):
        stream.write(b"half of it")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Image.Image, "save", full)
    with pytest.raises(UserError, match=r"Cannot write .*a\.png: No space left on device"):
        write_picture_labels(path, INDICES)
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["a.png"]


# What is refused


def refused(path, told):
    for read in (lambda: read_picture(path, "rgb"), lambda: read_picture_mask(path, None), lambda: picture_shape(path)):
        with pytest.raises(UserError, match=told) as caught:
            read()
        assert str(path) in str(caught.value)


def test_missing_files_and_folders(tmp_path):
    refused(tmp_path / "a.png", r"a\.png does not exist")
    refused(tmp_path, "is a folder")
    os.mkfifo(tmp_path / "pipe.png")
    refused(tmp_path / "pipe.png", "not a regular file")


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "it is empty"),
        (b" \n<!DOCTYPE html><html>404</html>", "an HTML page"),
        (b"\x93NUMPY\x01\0", "begins with b'.x93NUMPY"),
    ],
)
@pytest.mark.parametrize("name", ["a.png", "a.tif", "a.jpg"])
def test_files_that_are_no_picture(tmp_path, content, told, name):
    (tmp_path / name).write_bytes(content)
    refused(tmp_path / name, rf"{name} is not a PNG, TIFF, BMP, GIF or JPEG file: .*{told}")


@pytest.mark.parametrize("name", ["a.gif", "a.png", "a.tif"])
def test_several_pictures_in_one_file(tmp_path, name):
    save(tmp_path / name, GREY, save_all=True, append_images=[Image.fromarray(255 - GREY)])
    refused(tmp_path / name, rf"{name} holds more than one picture")


@pytest.mark.parametrize("orientation", [2, 6, 8])
@pytest.mark.parametrize("name", ["a.jpg", "a.png", "a.tif"])
def test_exif_orientation(tmp_path, name, orientation):
    exif = Image.Exif()
    exif[274] = orientation
    save(tmp_path / name, RGB, exif=exif)
    refused(tmp_path / name, rf"{name} is stored turned or mirrored \(EXIF orientation {orientation}\).*Save the picture upright")
    exif[274] = 1
    assert read_picture(save(tmp_path / name, RGB, exif=exif), "rgb").shape == RGB.shape


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("compression", [None, "zlib", "tiff_lzw"])
def test_pixels_that_are_not_finite(tmp_path, value, compression):
    pixels = RNG.normal(0, 1, (9, 11)).astype(np.float32)
    pixels[3, 4] = pixels[0, 0] = value
    path = tmp_path / "a.tif"
    if compression == "tiff_lzw":
        save(path, pixels, compression=compression)
    else:
        tiff(path, pixels, compression=compression)
    for read in (lambda: read_picture(path, "grey"), lambda: read_picture_mask(path, 0)):
        with pytest.raises(UserError, match=r"a\.tif holds 2 values that are not finite"):
            read()


@pytest.mark.parametrize("name", ["a.jpg", "a.tif"])
def test_colours_for_printing(tmp_path, name):
    path = save(tmp_path / name, Image.frombytes("CMYK", (2, 2), bytes(range(16))))
    with pytest.raises(UserError, match=rf"{name} has .*only grey, RGB and palettes are read. Save it again"):
        read_picture(path, "rgb")


@pytest.mark.parametrize("photometric", [5, 6, 8, 9, 32803, 34892])
def test_tiff_of_other_colours(tmp_path, photometric):
    refused(change_tag(tiff(tmp_path / "a.tif", RGB, photometric="rgb"), 262, photometric), rf"of the kind {photometric}")


@pytest.mark.parametrize("channels", [2, 4, 5])
def test_tiff_of_channels_that_are_no_colours(tmp_path, channels):
    pixels = np.zeros((9, 11, channels), dtype=np.uint8)
    refused(
        tiff(tmp_path / "a.tif", pixels, photometric="minisblack", planarconfig="contig"), f"has {channels} samples per pixel"
    )


@pytest.mark.parametrize("dtype", [np.complex64])
def test_tiff_of_other_types(tmp_path, dtype):
    path = tiff(tmp_path / "a.tif", np.zeros((9, 11), dtype=dtype))
    with pytest.raises(UserError, match=r"a\.tif holds values of 64 bits that are neither"):
        read_picture(path, "grey")


def test_tiff_of_other_lengths_and_predictors(tmp_path):
    path = change_tag(tiff(tmp_path / "a.tif", np.zeros((9, 12), dtype=np.uint16)), 258, 12)
    with pytest.raises(UserError, match=r"a\.tif holds values of 12 bits"):
        read_picture(path, "grey")
    path = change_tag(tiff(tmp_path / "a.tif", np.zeros((9, 12), dtype=np.int32), compression="zlib", predictor=2), 317, 3)
    with pytest.raises(UserError, match=r"a\.tif stores differences of values"):
        read_picture(path, "grey")


def test_tiff_of_other_compressions(tmp_path):
    refused(tiff(tmp_path / "a.tif", GREY, compression="lzma"), "compressed in a way that is not read here")


def test_16_bits_per_colour_are_not_cut_to_8(tmp_path):
    lines = b"".join(b"\0" + bytes(6 * 4) for _ in range(3))
    (tmp_path / "a.png").write_bytes(png(3, 4, 16, 2, zlib.compress(lines)))
    refused(tmp_path / "a.png", "16 bits per colour, which is not read from PNG")
    # The same bytes declared as half as many pixels with twice as many bits.
    path = save(tmp_path / "a.tif", RGB[:, :10], compression="tiff_lzw")
    change_tag(change_tag(path, 256, 5), 258, (16, 16, 16))
    with Image.open(path) as image:
        assert (image.mode, image.size) == ("RGB", (5, 9))
    with pytest.raises(UserError, match=r"a\.tif has 16 bits per sample, which are not read with its compression"):
        read_picture(path, "rgb")


# What is damaged


def png(rows, columns, bits, colour, data):
    """Return a PNG file with any claims and correct checksums."""

    def chunk(kind, content):
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = struct.pack(">IIBBBBB", columns, rows, bits, colour, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


@pytest.mark.parametrize("side", [10_001, 20_000, 2**31 - 1])
def test_more_pixels_than_are_read(tmp_path, side):
    (tmp_path / "a.png").write_bytes(png(side, side, 8, 0, zlib.compress(b"")))
    refused(tmp_path / "a.png", "more than 100 million are not read|far too many pixels|no valid PNG header")
    change_tag(tiff(tmp_path / "a.tif", np.zeros((2, 2), np.uint8)), 256, min(side, 65535))
    change_tag(tmp_path / "a.tif", 257, min(side, 65535))
    refused(tmp_path / "a.tif", "more than 100 million are not read")


def small_claims_much(tmp_path, kind):
    """Return a file of a few hundred bytes that claims nearly 100 million pixels."""
    side, path = 9_990, tmp_path / f"a.{kind.split()[0]}"
    if kind == "png":
        path.write_bytes(png(side, side, 8, 0, zlib.compress(b"")))
    elif kind == "gif":
        content = bytearray(save(path, GREY).read_bytes())
        content[6:10] = struct.pack("<HH", side, side)
        path.write_bytes(content)
    elif kind == "bmp":
        content = bytearray(save(path, GREY).read_bytes())
        content[18:26] = struct.pack("<ii", side, side)
        path.write_bytes(content)
    elif kind == "jpg":
        content = bytearray(save(path, GREY).read_bytes())
        start = content.index(b"\xff\xc0")
        content[start + 5 : start + 9] = struct.pack(">HH", side, side)
        path.write_bytes(content)
    else:
        compression = {"tif": None, "tif deflate": "zlib"}.get(kind)
        if compression or kind == "tif":
            tiff(path, GREY, compression=compression, metadata=None)
        else:
            save(path, GREY if kind != "tif group4" else BITS, compression=kind.split()[1])
        for code in (256, 257, 278):
            change_tag(path, code, side)
    return path


@pytest.mark.parametrize(
    "kind", ["png", "gif", "bmp", "jpg", "tif", "tif deflate", "tif tiff_lzw", "tif packbits", "tif group4", "tif jpeg"]
)
def test_claims_are_judged_before_memory_is_taken(tmp_path, kind):
    path = small_claims_much(tmp_path, kind)
    tracemalloc.start()
    try:
        refused(path, "is cut short, or its header is wrong: the header claims")
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 2**20


def test_a_bomb_in_deflate(tmp_path):
    path = tiff(tmp_path / "a.tif", np.zeros((9, 11), np.uint8), compression="zlib", metadata=None)
    bomb = zlib.compress(bytes(50_000_000))
    content = path.read_bytes()
    path.write_bytes(content + bomb)
    change_tag(path, 273, len(content))
    change_tag(path, 279, len(bomb))
    tracemalloc.start()
    try:
        with pytest.raises(UserError, match=r"a\.tif is damaged: a part of its pixels unpacks to more than the 99 bytes"):
            read_picture(path, "grey")
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 2**20


def test_deflate_without_an_end(tmp_path):
    path = tiff(tmp_path / "a.tif", GREY, compression="zlib", metadata=None)
    with tifffile.TiffFile(path) as file:
        length = file.pages[0].databytecounts[0]
    with pytest.raises(UserError, match=r"a\.tif is cut short: a part of its compressed pixels has no end"):
        read_picture(change_tag(path, 279, length - 5), "grey")


def test_a_bmp_that_lacks_a_line_is_refused_by_its_header(tmp_path):
    path = save(tmp_path / "a.bmp", GREY)
    path.write_bytes(path.read_bytes()[:-12])
    refused(path, "the header claims 1,186 bytes in a file of 1,174 bytes")


def test_a_decoder_that_asks_for_terabytes_gets_what_there_is(tmp_path, monkeypatch):
    path, got = save(tmp_path / "a.png", GREY), []

    def greedy(file, **_):
        got.extend([file.read(5), file.read(2**45), file.read(2**45), file.seek(3), file.read(None)])
        raise ValueError("enough")

    monkeypatch.setattr(Image, "open", greedy)
    with pytest.raises(UserError, match="enough"):
        picture_shape(path)
    content = path.read_bytes()
    assert got == [content[:5], content[5:], b"", 3, content[3:]]


@pytest.mark.parametrize(("code", "value"), [(273, 10**6), (279, 10**6), (279, 50), (278, 3), (257, 12)])
def test_strips_that_do_not_hold_their_pixels(tmp_path, code, value):
    path = change_tag(tiff(tmp_path / "a.tif", GREY, metadata=None), code, value)
    with pytest.raises(UserError, match=r"a\.tif is (cut short|damaged)"):
        read_picture(path, "grey")


def test_a_colour_beyond_the_palette(tmp_path):
    path = tmp_path / "a.png"
    content = bytearray(save(path, with_palette()).read_bytes())
    start = content.index(b"PLTE")
    length = int.from_bytes(content[start - 4 : start], "big")
    kept = bytes(content[start : start + 4 + 6])
    chunk = struct.pack(">I", 6) + kept + struct.pack(">I", zlib.crc32(kept))
    path.write_bytes(bytes(content[: start - 4]) + chunk + bytes(content[start + 8 + length :]))
    with pytest.raises(UserError, match=r"a\.png is damaged: colour 3 is used, and its palette has 2"):
        read_picture(path, "rgb")


def test_a_flipped_bit_in_a_png_is_found(tmp_path):
    path = save(tmp_path / "a.png", GREY)
    content = path.read_bytes()
    start = content.index(b"IDAT") + 4
    for position in range(start, len(content) - 12, 7):
        damaged = bytearray(content)
        damaged[position] ^= 1
        path.write_bytes(damaged)
        with pytest.raises(UserError, match=r"a\.png is damaged or cut short"):
            read_picture(path, "grey")


def samples():
    """Return small files of every kind, by name."""
    made = {}
    for name, pixels in (("grey", GREY), ("rgb", RGB), ("bits", BITS), ("palette", with_palette())):
        image = pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)
        for kind in ("PNG", "BMP", "GIF", "JPEG", "TIFF"):
            for compression in ("raw", "tiff_lzw", "packbits", "jpeg", "group4") if kind == "TIFF" else ("",):
                if (compression == "jpeg" or kind == "JPEG") and name in ("bits", "palette"):
                    continue
                if compression == "group4" and name != "bits":
                    continue
                stream = io.BytesIO()
                image.save(stream, kind, **({"compression": compression} if compression else {}))
                made[f"{kind} {compression} {name}"] = stream.getvalue()
    for name, options in LAYOUTS.items():
        stream = io.BytesIO()
        tifffile.imwrite(stream, RGB, photometric="rgb", metadata=None, **options)
        made[f"tifffile {name}"] = stream.getvalue()
    stream = io.BytesIO()
    tifffile.imwrite(stream, GREY.astype(np.float32), metadata=None)
    made["tifffile float"] = stream.getvalue()
    return made


SAMPLES = samples()


@pytest.mark.parametrize("name", SAMPLES)
def test_a_file_cut_short_is_refused_or_whole(tmp_path, name, capfd, caplog, recwarn):
    path, content = tmp_path / "a.png", SAMPLES[name]
    path.write_bytes(content)
    whole = read_picture(path, "rgb")
    refusals = 0
    with caplog.at_level(logging.DEBUG, logger="tifffile"):
        for length in (*range(0, len(content) - 40, 37), *range(len(content) - 40, len(content), 3)):
            path.write_bytes(content[:length])
            try:
                # Possibly only the end marker of the file is missing.
                np.testing.assert_array_equal(read_picture(path, "rgb"), whole)
            except UserError:
                refusals += 1
    assert refusals > 3
    assert (capfd.readouterr(), caplog.records, list(recwarn)) == (("", ""), [], [])


def test_lenient_settings_of_others_do_not_count(tmp_path, monkeypatch):
    path = save(tmp_path / "a.jpg", np.kron(GREY, np.ones((20, 20), dtype=np.uint8)))
    path.write_bytes(path.read_bytes()[:-200])
    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", True)
    with pytest.raises(UserError, match=r"a\.jpg is damaged or cut short"):
        read_picture(path, "grey")
    assert ImageFile.LOAD_TRUNCATED_IMAGES


@pytest.mark.parametrize(
    "error",
    [
        struct.error("x"),
        KeyError(1),
        ValueError("x"),
        OSError("x"),
        OverflowError(),
        MemoryError(),
        RecursionError(),
        SyntaxError(),
    ],
)
def test_whatever_a_decoder_raises_becomes_a_user_error(tmp_path, monkeypatch, error):
    def fail(*_, **__):
        raise error

    path = save(tmp_path / "a.png", GREY)
    monkeypatch.setattr(Image, "open", fail)
    with pytest.raises(UserError, match=r"a\.png is (damaged|too large)"):
        read_picture(path, "grey")
    path = tiff(tmp_path / "a.tif", GREY)
    monkeypatch.setattr(tifffile, "TiffFile", fail)
    with pytest.raises(UserError, match=r"a\.tif is (damaged|too large)"):
        picture_shape(path)


# Fuzzing: as many examples as $FUZZ_EXAMPLES says

EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "150"))
FUZZ = settings(max_examples=EXAMPLES, deadline=None, database=None, suppress_health_check=list(HealthCheck))


def look(path):
    """Read a file in all ways: arrays of the claimed shape or UserErrors, with memory limited by its size."""
    limit = 16 * 8256 * path.stat().st_size + 2**20
    tracemalloc.start()
    try:
        shape = None
        for read in (lambda: picture_shape(path), lambda: read_picture(path, "rgb"), lambda: read_picture_mask(path, None)):
            result: Any
            try:
                result = read()
            except UserError as error:
                result = error
            if isinstance(result, UserError):
                assert str(path) in str(result)
            else:
                shape = shape or picture_shape(path)
                assert isinstance(result, tuple) or result.shape[:2] == shape
        assert tracemalloc.get_traced_memory()[1] < limit
    finally:
        tracemalloc.stop()


@pytest.fixture
def fuzzed(tmp_path):
    with limited_memory():
        yield tmp_path / "a.png"


@FUZZ
@given(st.sampled_from(sorted(opening.MAGIC)), st.binary(max_size=300))
def test_any_bytes(fuzzed, magic, content):
    for written in (content, magic + content):
        fuzzed.write_bytes(written)
        look(fuzzed)


@st.composite
def damaged_files(draw):
    content = bytearray(SAMPLES[draw(st.sampled_from(sorted(SAMPLES)))])
    near = st.integers(0, min(len(content), 200) - 1)
    anywhere = st.integers(0, len(content) - 1)
    value = st.one_of(st.sampled_from([0, 1, 2, 127, 128, 254, 255]), st.integers(0, 255))
    for position, new in draw(st.lists(st.tuples(st.one_of(near, anywhere), value), max_size=6)):
        content[position] = new
    length = draw(st.one_of(st.just(len(content)), st.integers(0, len(content))))
    return bytes(content[:length])


@FUZZ
@given(damaged_files())
def test_damaged_files(fuzzed, content):
    fuzzed.write_bytes(content)
    look(fuzzed)


def test_fuzzing_is_silent(fuzzed, capfd):
    rng = np.random.default_rng(1)
    for content in SAMPLES.values():
        for _ in range(5):
            damaged = bytearray(content)
            for position in rng.integers(0, len(content), 3):
                damaged[position] = rng.integers(0, 256)
            fuzzed.write_bytes(damaged)
            look(fuzzed)
    assert capfd.readouterr() == ("", "")


# Real files


@pytest.mark.parametrize("frame", [1, 25, 51, 104])
def test_cvc_clinicdb(shared_data, frame):
    path = shared_data / "CVC-ClinicDB" / "Original" / f"{frame}.tif"
    picture = read_picture(path, "rgb")
    assert (picture.shape, str(picture.dtype)) == ((288, 384, 3), "uint8")
    np.testing.assert_array_equal(picture, tifffile.imread(path))
    mask = read_picture_mask(shared_data / "CVC-ClinicDB" / "Ground Truth" / f"{frame}.tif", 127)
    assert mask.shape == (288, 384)
    assert set(np.unique(mask)) == {0, 255}


def test_drive(shared_data):
    folder = shared_data / "DRIVE" / "training"
    image = folder / "images" / "21_training.tif"
    np.testing.assert_array_equal(read_picture(image, "rgb"), np.asarray(Image.open(image)))
    for name in ("1st_manual/21_manual1.gif", "mask/21_training_mask.gif"):
        mask = read_picture_mask(folder / name, None)
        assert mask.shape == (584, 565)
        assert set(np.unique(mask)) == {0, 255}
        np.testing.assert_array_equal(mask, np.asarray(Image.open(folder / name).convert("L")))


def test_a_mask_of_zero_and_one_below_the_threshold_is_told(tmp_path):
    path = tmp_path / "mask.png"
    Image.fromarray(np.eye(4, dtype=np.uint8)).save(path)
    with pytest.raises(UserError, match="a mask of 0 and 1, where values above 127 count"):
        read_picture_mask(path, 127)
    assert read_picture_mask(path, 0.5).max() == 255
    Image.fromarray(np.zeros((4, 4), dtype=np.uint8)).save(path)
    assert read_picture_mask(path, 127).max() == 0
