"""NIfTI files with false claims of every kind: a UserError that names the file, with memory limited by its size."""

import gzip
import io
import logging
import os
import pickle
import re
import resource
import struct
import tracemalloc
import zlib
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from workflow_lib.base.errors import UserError
from workflow_lib.images import _files
from workflow_lib.images.label_files import write_labels
from workflow_lib.images.volumes import read_channels, read_header, read_volume

SHAPE = (4, 5, 6)
AFFINE = np.diag([1.0, 2.0, 3.0, 1.0])
VALUES = np.random.default_rng(0).integers(0, 100, SHAPE)


def nifti(data=None, kind=nibabel.Nifti1Image, affine=AFFINE, endianness="<", extra=b"", **fields):
    """Return the bytes of a file with the given header fields, which nibabel would correct."""
    data = VALUES.astype(np.int16) if data is None else data
    header = kind.header_class(endianness=endianness)
    header.set_data_dtype(data.dtype)
    header.set_data_shape(data.shape)
    header.set_sform(affine, 1)
    header.set_qform(affine, 1)
    header["scl_slope"], header["scl_inter"] = 1, 0
    header["vox_offset"] = len(header.binaryblock) + 4
    for name, value in fields.items():
        header[name] = value
    voxels = np.asarray(data, dtype=header.get_data_dtype() if "datatype" not in fields else data.dtype)
    return bytes(header.binaryblock) + b"\0\0\0\0" + extra + voxels.tobytes(order="F")


def write(path, content, compressed=None):
    if compressed or (compressed is None and path.name.endswith(".gz")):
        content = gzip.compress(content, mtime=0)
    path.write_bytes(content)
    return path


def refused(path, told, limit=2**22):
    """Check that all functions that read voxels refuse a file, with its name and with little memory."""
    for read in (read_volume, read_channels):
        tracemalloc.start()
        try:
            with pytest.raises(UserError, match=told) as caught:
                read(path)
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        assert str(path) in str(caught.value)
        assert peak < limit


SUFFIXES = pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])


# Claims and sizes


@SUFFIXES
@pytest.mark.parametrize("kind", [nibabel.Nifti1Image, nibabel.Nifti2Image])
@pytest.mark.parametrize("axes", [3, 4])
def test_headers_that_claim_terabytes(tmp_path, suffix, kind, axes):
    side = 30_000 if kind is nibabel.Nifti1Image else 2**20
    path = write(tmp_path / f"a{suffix}", nifti(kind=kind, dim=[axes, side, side, side, 1 if axes == 3 else 9, 1, 1, 1]))
    told = rf"a\{suffix} is cut short, or its header is wrong: the header claims [0-9,.]+ GB .*in a file of [0-9,]+ bytes"
    with pytest.raises(UserError, match=told):
        read_channels(path)
    if axes == 3:
        refused(path, told)
    assert read_header(write(path, nifti(kind=kind))).shape == SHAPE


@SUFFIXES
@pytest.mark.parametrize("count", [2**24, 2**30, 2**62])
@pytest.mark.parametrize("vector", [False, True])
def test_headers_that_claim_channels_without_end(tmp_path, suffix, count, vector):
    dim = [5, 1, 1, 1, 1, count, 1, 1] if vector else [4, 1, 1, 1, count, 1, 1, 1]
    path = write(tmp_path / f"a{suffix}", nifti(kind=nibabel.Nifti2Image, dim=dim))
    tracemalloc.start()
    try:
        with limited_memory():
            for channels in (None, (0,)):
                with pytest.raises(UserError, match="the header claims"):
                    read_channels(path, channels)
            with pytest.raises(UserError, match="must have two or three"):
                read_volume(path)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 2**20


def test_more_channels_than_are_read_unless_named(tmp_path):
    data = np.arange(1001, dtype=np.int16).reshape(1, 1, 1, 1001)
    path = write(tmp_path / "a.nii", nifti(data))
    with pytest.raises(UserError, match=r"a\.nii has 1001 channels\. Name those to be read"):
        read_channels(path)
    assert read_channels(path, [1000])[0].data.item() == 1000
    assert len(read_channels(write(path, nifti(data[..., :1000])))) == 1000


def test_products_beyond_64_bits(tmp_path):
    path = write(tmp_path / "a.nii", nifti(kind=nibabel.Nifti2Image, dim=[3, 2**62, 2**62, 2**62, 1, 1, 1, 1]))
    refused(path, "header claims")


@pytest.mark.parametrize("missing", [1, 100])
def test_a_plain_file_holds_all_its_voxels_or_is_refused(tmp_path, missing):
    content = nifti()
    np.testing.assert_array_equal(read_volume(write(tmp_path / "a.nii", content)).data, VALUES)
    refused(write(tmp_path / "b.nii", content[:-missing]), r"b\.nii is cut short")


def test_a_compressed_file_cannot_hold_more_than_deflate_can(tmp_path):
    """Zeros have the highest compression ratio: a file of zeros is read, one that claims twice as much is refused."""
    data = np.zeros((200, 200, 200), dtype=np.uint8)
    path = write(tmp_path / "a.nii.gz", gzip.compress(nifti(data), 9), compressed=False)
    assert data.size / path.stat().st_size > 900
    np.testing.assert_array_equal(read_volume(path).data, data)
    write(path, gzip.compress(nifti(data, dim=[3, 200, 200, 400, 1, 1, 1, 1]), 9), compressed=False)
    refused(path, "which unpack to .* at most")


def test_a_bomb_after_the_voxels(tmp_path, monkeypatch):
    monkeypatch.setattr(_files, "_MAX_TRAILER", 2**20)
    refused(
        write(tmp_path / "a.nii.gz", nifti() + bytes(20_000_000)),
        r"a\.nii\.gz goes on for more than 1\.0 MB after its voxels",
        2**23,
    )
    # Files with some bytes after the voxels are common.
    np.testing.assert_array_equal(read_volume(write(tmp_path / "b.nii.gz", nifti() + bytes(1000))).data, VALUES)
    np.testing.assert_array_equal(read_volume(write(tmp_path / "b.nii", nifti() + bytes(1000))).data, VALUES)


def test_several_gzip_members_are_one_file(tmp_path):
    content = nifti()
    path = write(tmp_path / "a.nii.gz", gzip.compress(content[:400]) + gzip.compress(content[400:]), compressed=False)
    np.testing.assert_array_equal(read_volume(path).data, VALUES)
    write(path, gzip.compress(content) + b"something else", compressed=False)
    refused(path, "damaged")


# Where the voxels begin


@SUFFIXES
@pytest.mark.parametrize("offset", [-1.0, -1e30, 0.0, 100.0, 348.0, 352.5, np.nan, np.inf, -np.inf])
def test_offsets_that_cannot_be(tmp_path, suffix, offset):
    refused(
        write(tmp_path / f"a{suffix}", nifti(vox_offset=offset)),
        "has its voxels begin at byte " + re.escape(f"{offset:g} by its header"),
    )


@SUFFIXES
@pytest.mark.parametrize("offset", [1e6, 1e18, 3e38])
def test_offsets_beyond_the_end(tmp_path, suffix, offset):
    refused(write(tmp_path / f"a{suffix}", nifti(vox_offset=offset)), "header claims")


def test_offsets_of_nifti_2(tmp_path):
    for offset in (-1, 2**62):
        refused(write(tmp_path / "a.nii", nifti(kind=nibabel.Nifti2Image, vox_offset=offset)), "begin at byte|header claims")


@SUFFIXES
def test_extensions_are_skipped(tmp_path, suffix):
    for length in (16, 4096, 3 * 2**20):
        extension = struct.pack("<ii", length, 6) + bytes(length - 8)
        path = write(tmp_path / f"a{suffix}", nifti(extra=extension, vox_offset=352 + length))
        np.testing.assert_array_equal(read_volume(path).data, VALUES)
        np.testing.assert_array_equal(nibabel.load(path).dataobj, VALUES)  # type: ignore[attr-defined]


# Types


@SUFFIXES
@pytest.mark.parametrize("dtype", ["u1", "i1", "u2", "i2", "u4", "i4", "u8", "i8", "f4", "f8"])
@pytest.mark.parametrize("endianness", ["<", ">"])
def test_every_type_of_labels(tmp_path, suffix, dtype, endianness):
    labels = (VALUES % 4).astype(dtype)
    path = write(tmp_path / f"a{suffix}", nifti(labels, endianness=endianness))
    volume, expected = read_volume(path), np.asanyarray(nibabel.load(path).dataobj)  # type: ignore[attr-defined]
    np.testing.assert_array_equal(volume.data, expected)
    assert volume.data.dtype == np.dtype(dtype)
    write_labels(tmp_path / f"out{suffix}", volume.data.astype(np.uint8), path)
    np.testing.assert_array_equal(read_volume(tmp_path / f"out{suffix}").data, labels)


@pytest.mark.parametrize("dtype", ["i8", "u8"])
def test_integers_of_64_bits_are_not_rounded(tmp_path, dtype):
    data = np.full(SHAPE, 2**53 + 1, dtype=dtype)
    assert read_volume(write(tmp_path / "a.nii", nifti(data))).data.max() == 2**53 + 1


def test_truth_values(tmp_path):
    """nibabel cannot write bool; such masks are stored as bytes of 0 and 1."""
    labels = (VALUES > 50).astype(np.uint8)
    np.testing.assert_array_equal(read_volume(write(tmp_path / "a.nii", nifti(labels))).data, labels)


@pytest.mark.parametrize("code", [1, 32, 128, 1792, 2048, 2304])
def test_types_that_are_no_real_numbers(tmp_path, code):
    refused(write(tmp_path / "a.nii", nifti(datatype=code)), "only integers and real numbers can be read|unknown data type")


@pytest.mark.parametrize("code", [-1, 0, 3, 255, 32767])
def test_types_that_do_not_exist(tmp_path, code):
    refused(write(tmp_path / "a.nii", nifti(datatype=code)), "unknown data type|only integers and real numbers")


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("slope", [3e38, -3e38])
def test_scaling_beyond_all_bounds(tmp_path, slope):
    path = write(tmp_path / "a.nii", nifti((VALUES + 2).astype(np.int16), scl_slope=slope))
    refused(path, "holds 120 voxels that are not finite")


# Axes and geometry


@pytest.mark.parametrize(
    "dim", [[0] * 8, [-1, 4, 5, 6, 1, 1, 1, 1], [8, 4, 5, 6, 1, 1, 1, 1], [3, -1, 1, 1, 1, 1, 1, 1], [3, 4, -5, 6, 1, 1, 1, 1]]
)
@pytest.mark.parametrize("kind", [nibabel.Nifti1Image, nibabel.Nifti2Image])
def test_axes_that_cannot_be(tmp_path, dim, kind):
    path = write(tmp_path / "a.nii", nifti(kind=kind, dim=dim))
    refused(path, r"a\.nii holds no voxel")
    with pytest.raises(UserError, match=r"a\.nii holds no voxel"):
        read_header(path)


@SUFFIXES
def test_four_axes_where_three_are_meant(tmp_path, suffix):
    path = write(tmp_path / f"a{suffix}", nifti(np.zeros((*SHAPE, 2), dtype=np.int16)))
    with pytest.raises(UserError, match=r"has 4 axes .*`channels`"):
        read_volume(path)
    assert len(read_channels(path)) == 2


@pytest.mark.parametrize("value", [0.0, -1.0, np.nan, np.inf])
def test_spacing_that_cannot_be(tmp_path, value):
    refused(write(tmp_path / "a.nii", nifti(pixdim=[1, 1, value, 3, 0, 0, 0, 0])), "every side must be above 0")


@pytest.mark.parametrize("value", [0.0, np.nan, -5.0])
def test_the_spacing_of_other_axes_does_not_count(tmp_path, value):
    path = write(tmp_path / "a.nii", nifti(pixdim=[1, 1, 2, 3, value, value, value, value]))
    np.testing.assert_array_equal(read_volume(path).data, VALUES)


@pytest.mark.parametrize("signs", [(-1, 1, 1), (-1, -1, 1), (1, 1, -1), (-1, -1, -1)])
def test_left_handed_affines(tmp_path, signs):
    affine = np.diag([*(np.array(signs) * [1.0, 2.0, 3.0]), 1.0])
    volume = read_volume(write(tmp_path / "a.nii", nifti(affine=affine)))
    np.testing.assert_array_equal(volume.affine, affine)
    assert volume.orientation == "".join("LPI RAS"[i + 4 * (sign > 0)] for i, sign in enumerate(signs))
    np.testing.assert_array_equal(volume.data, VALUES)


@pytest.mark.parametrize("handedness", [0, 1, -1])
def test_the_handedness_of_a_qform(tmp_path, handedness):
    """According to the standard, 0 means 1; nibabel corrects it when it loads a file."""
    path = write(tmp_path / "a.nii", nifti(sform_code=0, pixdim=[handedness, 1, 2, 3, 0, 0, 0, 0]))
    np.testing.assert_allclose(read_volume(path).affine, nibabel.load(path).affine)  # type: ignore[attr-defined]


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(
    ("kind", "value"),
    [
        *((nibabel.Nifti1Image, value) for value in (3e38, 1e-45, np.nan, -np.inf)),
        *((nibabel.Nifti2Image, v) for v in (1e308, 5e-324)),
    ],
)
@pytest.mark.parametrize("field", ["srow_x", "quatern_b", "qoffset_x"])
def test_positions_beyond_all_bounds(tmp_path, kind, value, field):
    fields = {"sform_code": 1 if field == "srow_x" else 0, field: [value] * 4 if field == "srow_x" else value}
    path = write(tmp_path / "a.nii", nifti(kind=kind, **fields))
    try:
        volume = read_volume(path)
    except UserError as error:
        told = str(error)
        assert "no usable position in space" in told
    else:
        assert np.isfinite(volume.affine).all()
        assert len(volume.orientation) == 3


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("side", [1e150, 1e200, 1e-200])
def test_voxels_of_astronomic_size(tmp_path, side):
    rows = {f"srow_{axis}": np.eye(4)[i] * side for i, axis in enumerate("xyz")}
    path = write(tmp_path / "a.nii", nifti(kind=nibabel.Nifti2Image, **rows))
    if side < 1e200:
        refused(path, "two voxel sizes")
    else:  # its square is beyond what a computer can hold
        refused(path, "no usable position in space")


# Other files, other places


class _Trap:
    """Leaves a trace when it is unpickled."""

    def __init__(self, mark):
        self.mark = mark

    def __reduce__(self):
        return os.mkdir, (str(self.mark),)


@pytest.mark.parametrize("name", ["a.nii.gz", "a.npy", "a.npz"])
def test_nothing_is_unpickled(tmp_path, name):
    mark = tmp_path / "mark"
    stream = io.BytesIO()
    np.save(stream, np.array([_Trap(mark)], dtype=object), allow_pickle=True)
    for content in (stream.getvalue(), pickle.dumps(_Trap(mark))):
        write(tmp_path / name, content, compressed=False)
        refused(tmp_path / name, "is not a NIfTI file")
        write(tmp_path / name, content, compressed=True)
        refused(tmp_path / name, "is not a NIfTI file")
    assert not mark.exists()


def test_pipes(tmp_path):
    os.mkfifo(tmp_path / "a.nii")
    refused(tmp_path / "a.nii", "not a regular file")


@SUFFIXES
def test_spaces_and_letters_of_other_alphabets(tmp_path, suffix):
    folder = tmp_path / "Ground Truth é 図"
    folder.mkdir()
    for name in ("case (1)", "läsion ß", "病変"):
        path = write(folder / f"{name}{suffix}", nifti())
        np.testing.assert_array_equal(read_volume(path).data, VALUES)
        write_labels(folder / f"out {name}{suffix}", VALUES, path)
        np.testing.assert_array_equal(read_volume(folder / f"out {name}{suffix}").data, VALUES)


@SUFFIXES
def test_sources_that_cannot_be_written(tmp_path, suffix):
    folder = tmp_path / "source"
    folder.mkdir()
    path = write(folder / f"a{suffix}", nifti())
    before = (path.read_bytes(), path.stat().st_mtime_ns)
    path.chmod(0o444)
    folder.chmod(0o555)
    try:
        np.testing.assert_array_equal(read_volume(path).data, VALUES)
        read_header(path)
        read_channels(path)
        write_labels(tmp_path / f"out{suffix}", VALUES, path)
    finally:
        folder.chmod(0o755)
    assert list(folder.iterdir()) == [path]
    assert (path.read_bytes(), path.stat().st_mtime_ns) == before


# Fuzzing: as many examples as $FUZZ_EXAMPLES says

FUZZ = settings(
    max_examples=int(os.environ.get("FUZZ_EXAMPLES", "150")),
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
)


@contextmanager
def limited_memory(more=2**31):
    """Limit the additional memory of the process, so that a faulty reader fails instead of the machine."""
    pages = int(Path("/proc/self/statm").read_text().split()[0]) if Path("/proc/self/statm").exists() else None
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    if pages is None or soft != resource.RLIM_INFINITY:
        yield
        return
    resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + more, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


@pytest.fixture
def fuzzed(tmp_path):
    with limited_memory():
        yield tmp_path


def look(path):
    """Read a file in all ways: arrays of the claimed shape or UserErrors, with memory limited by what the file can hold."""
    size = path.stat().st_size
    # One-byte values may become float32; there is an image, the part that is read, and checks of it.
    limit = 16 * 1032 * size + 2**20
    tracemalloc.start()
    results: list[Any] = []
    try:
        for read in (read_header, read_volume, read_channels):
            try:
                results.append(read(path))
            except UserError as error:
                results.append(error)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < limit
    header, volume, channels = results
    assert all(str(path) in str(result) for result in results if isinstance(result, UserError))
    if isinstance(volume, UserError):
        return
    assert volume.data.shape == header.shape
    assert volume.data.flags.c_contiguous
    assert np.isfinite(volume.data).all()
    np.testing.assert_array_equal(channels[0].data, volume.data)


@FUZZ
@given(st.binary(max_size=700))
def test_any_bytes(fuzzed, content):
    begins = (b"", b"\x5c\x01\0\0", b"\0\0\x01\x5c", b"\x1f\x8b\x08\0")
    for begin in begins:
        look(write(fuzzed / "a.nii", begin + content))
    look(write(fuzzed / "a.nii.gz", content))


@st.composite
def damaged_files(draw):
    """Return a file with a changed header (fields or bytes), possibly truncated or compressed."""
    kind = draw(st.sampled_from([nibabel.Nifti1Image, nibabel.Nifti2Image]))
    shape = draw(st.sampled_from([SHAPE, (6, 7), (3, 4, 5, 2), (2, 3, 4, 1, 3)]))
    dtype = draw(st.sampled_from(["u1", "i2", "f4", "f8", "u8"]))
    data = np.arange(np.prod(shape)).reshape(shape).astype(dtype)
    content = bytearray(nifti(data, kind=kind, endianness=draw(st.sampled_from("<>"))))
    size = len(kind.header_class().binaryblock)
    template = kind.header_class.template_dtype
    names = st.sampled_from([name for name in template.names if name not in ("sizeof_hdr", "magic")])
    number = st.one_of(
        st.integers(0, 2**64 - 1).map(lambda n: n.to_bytes(8, "little")),
        st.floats().map(lambda x: struct.pack("<d", x)),
        st.floats(width=32).map(lambda x: struct.pack("<f", x)),
        st.integers(-3, 40_000).map(lambda n: struct.pack("<i", n)),
        st.integers(-3, 300).map(lambda n: struct.pack(">h", n)),
    )
    for name, value in draw(st.lists(st.tuples(names, number), max_size=3)):
        field, place = template.fields[name][:2]
        step = draw(st.integers(0, max(field.itemsize - 1, 0)))
        length = min(len(value), field.itemsize - step)
        content[place + step : place + step + length] = value[:length]
    if draw(st.integers(0, 4)) == 0:  # axes of any length
        sides = st.one_of(st.integers(-1, 40), st.integers(0, 62).map(lambda n: 2**n))
        dims = [draw(st.integers(0, 8)), *draw(st.lists(sides, min_size=7, max_size=7))]
        code, place = ("q" if size == 540 else "h"), template.fields["dim"][1]
        top = 2 ** (8 * struct.calcsize("=" + code) - 1) - 1
        order = "<" if bytes(content[:4]) in (b"\x5c\x01\0\0", b"\x1c\x02\0\0") else ">"
        content[place : place + struct.calcsize(f"={8}{code}")] = struct.pack(
            f"{order}8{code}", *(min(side, top) for side in dims)
        )
    for place, byte in draw(st.lists(st.tuples(st.integers(0, size + 3), st.integers(0, 255)), max_size=3)):
        content[place] = byte
    written = bytes(content)
    if draw(st.booleans()):
        written = gzip.compress(written, mtime=0)
        packed = bytearray(written)
        for place, byte in draw(st.lists(st.tuples(st.integers(0, len(packed) - 1), st.integers(0, 255)), max_size=1)):
            packed[place] = byte
        written = bytes(packed)
    return written[: draw(st.one_of(st.just(len(written)), st.integers(0, len(written))))]


@FUZZ
@given(damaged_files())
def test_damaged_files(fuzzed, content):
    look(write(fuzzed / "a.nii.gz", content, compressed=False))


def test_fuzzing_is_silent(fuzzed, capfd, caplog, recwarn):
    rng = np.random.default_rng(0)
    with caplog.at_level(logging.DEBUG):
        for i in range(200):
            content = bytearray(nifti())
            for place in rng.integers(0, 352, 4):
                content[place] = rng.integers(0, 256)
            look(write(fuzzed / "a.nii.gz", bytes(content), compressed=i % 2 == 0))
    assert (capfd.readouterr(), caplog.records, list(recwarn)) == (("", ""), [], [])


def test_the_bound_of_deflate():
    """The constant is not below the ratio that zlib reaches."""
    assert len(bytes(2**24)) / len(zlib.compress(bytes(2**24), 9)) < _files._MAX_EXPANSION
