"""NIfTI files are read as nibabel reads them and written on the same grid, and faults are reported with the file's name."""

import gzip
import logging
import shutil
import tracemalloc
from typing import Any

import nibabel
import numpy as np
import pytest

from workflow_lib.base.errors import UserError
from workflow_lib.images import label_files
from workflow_lib.images.files_read import FilesRead
from workflow_lib.images.label_files import write_labels
from workflow_lib.images.volumes import read_channels, read_header, read_volume

AFFINE = np.array([[0, 0, -0.8, 10.0], [0, -0.7, 0, 20], [-3.0, 0, 0, -5], [0, 0, 0, 1]])
SHAPE = (5, 7, 40)


def save(path, data, affine=AFFINE, image_class=nibabel.Nifti1Image, **fields):
    image = image_class(data, affine)
    image.header.set_xyzt_units("mm")
    for name, value in fields.items():
        image.header[name] = value
    image.to_filename(path)
    return path


def load(path) -> Any:
    """Read with nibabel, whose type hints are incomplete."""
    return nibabel.load(path)


def values(dtype, shape=SHAPE):
    rng = np.random.default_rng(0)
    return rng.normal(0, 300, shape).astype(dtype) if np.dtype(dtype).kind in "if" else rng.integers(0, 3, shape).astype(dtype)


def change_header(path, **fields):
    """Write fields into a header unchanged; nibabel would correct them."""
    raw = bytearray(gzip.decompress(path.read_bytes()))
    header = nibabel.Nifti1Header(bytes(raw[:348]), check=False)
    for name, value in fields.items():
        header[name] = value
    raw[:348] = header.binaryblock
    path.write_bytes(gzip.compress(bytes(raw)))
    return path


@pytest.mark.parametrize(("code", "to_mm", "remark"), [(1, 1000, "metres"), (3, 0.001, "micrometres"), (2, 1, ""), (0, 1, "")])
@pytest.mark.parametrize("time", [0, 8, 16])
def test_lengths_are_in_mm_whatever_the_unit_of_the_header(tmp_path, code, to_mm, remark, time):
    path = save(tmp_path / "a.nii.gz", values(np.int16))
    change_header(path, xyzt_units=code + time)
    seen = FilesRead()
    volume = read_volume(path, seen)
    assert volume.spacing == pytest.approx((3.0 * to_mm, 0.7 * to_mm, 0.8 * to_mm))
    np.testing.assert_allclose(volume.affine[:3], AFFINE[:3] * to_mm, rtol=1e-6)
    assert volume.orientation == "IPL"
    assert seen.remarks == ({path: [f"its header gives lengths in {remark}, which were converted to mm"]} if remark else {})
    # A prediction keeps the header's unit, and is on the same grid for every program.
    labels = tmp_path / "labels.nii.gz"
    write_labels(labels, np.zeros(SHAPE, np.uint8), path)
    np.testing.assert_allclose(read_volume(labels).affine, volume.affine)
    assert int(load(labels).header["xyzt_units"]) & 7 == code


def test_an_unknown_unit_is_taken_as_mm_with_a_remark(tmp_path):
    path = change_header(save(tmp_path / "a.nii.gz", values(np.int16)), xyzt_units=5)
    seen = FilesRead()
    assert read_volume(path, seen).spacing == pytest.approx((3.0, 0.7, 0.8))
    assert "unknown unit" in seen.remarks[path][0]


def test_two_voxel_sizes_in_one_header_are_refused_unless_one_is_rounded(tmp_path):
    """As after nibabel's `set_zooms`, or when a program copies one of the two."""
    path = save(tmp_path / "a.nii.gz", values(np.int16))
    change_header(path, pixdim=[1, 1, 0.7, 0.8, 0, 0, 0, 0])
    with pytest.raises(UserError, match=r"two voxel sizes: 1 x 0\.7 x 0\.8 mm \(pixdim\) and 3 x 0\.7 x 0\.8 mm"):
        read_volume(path)
    assert read_volume(change_header(path, pixdim=[1, 3.001, 0.7, 0.8, 0, 0, 0, 0])).spacing == pytest.approx((3.001, 0.7, 0.8))
    # Without an sform, the affine follows from pixdim, and there are no two sizes.
    assert read_volume(change_header(path, pixdim=[1, 9, 0.7, 0.8, 0, 0, 0, 0], sform_code=0)).spacing[0] == pytest.approx(9)


def test_an_sform_and_a_qform_with_other_axes_are_remarked(tmp_path):
    image = nibabel.Nifti1Image(values(np.int16), AFFINE)
    image.set_sform(AFFINE, code=2)
    image.set_qform(np.diag([3.0, 0.7, 0.8, 1.0]), code=1)
    image.to_filename(tmp_path / "a.nii")
    seen = FilesRead()
    assert read_volume(tmp_path / "a.nii", seen).orientation == "IPL"
    assert seen.remarks[tmp_path / "a.nii"] == ["its sform has the axes IPL, its qform RAS; the sform was used"]


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.uint16, np.int32, np.float32, np.float64, ">i2", ">f4"])
def test_volumes_are_read_as_nibabel_reads_them(tmp_path, dtype, suffix):
    path = save(tmp_path / f"a{suffix}", values(dtype))
    volume, expected = read_volume(path), load(path)
    np.testing.assert_array_equal(volume.data, np.asanyarray(expected.dataobj))
    assert volume.data.dtype == np.dtype(dtype).newbyteorder("=")
    assert volume.data.flags.c_contiguous
    np.testing.assert_array_equal(volume.affine, expected.affine)
    np.testing.assert_allclose(volume.spacing, (3.0, 0.7, 0.8), rtol=1e-6)
    assert volume.orientation == "IPL"


@pytest.mark.parametrize("shape", [(6, 9), (5, 1, 4), (1, 1, 1), (3, 4, 33), (5, 6, 7, 1), (5, 6, 7, 1, 1)])
def test_shapes(tmp_path, shape):
    data = values(np.int16, shape)
    volume = read_volume(save(tmp_path / "a.nii.gz", data))
    assert volume.data.shape == shape[:3]
    np.testing.assert_array_equal(volume.data, data.reshape(shape[:3]))
    assert len(volume.spacing) == volume.data.ndim
    assert read_header(tmp_path / "a.nii.gz").shape == shape[:3]


def test_nifti_2_and_big_endian(tmp_path):
    data = values(np.int16)
    path = save(tmp_path / "a.nii.gz", data, image_class=nibabel.Nifti2Image)
    np.testing.assert_array_equal(read_volume(path).data, data)
    header = nibabel.Nifti1Header(endianness=">")
    header.set_data_dtype(np.int16)
    nibabel.Nifti1Image(data, AFFINE, header).to_filename(tmp_path / "b.nii")
    assert (tmp_path / "b.nii").read_bytes()[:4] == b"\0\0\x01\x5c"
    np.testing.assert_array_equal(read_volume(tmp_path / "b.nii").data, data)


def test_slope_and_intercept_are_applied(tmp_path):
    path = save(tmp_path / "a.nii.gz", values(np.int16))
    stored = read_volume(path).data
    volume = read_volume(change_header(path, scl_slope=0.5, scl_inter=-1000))
    np.testing.assert_array_equal(volume.data, stored.astype(np.float32) * 0.5 - 1000)
    assert (str(volume.data.dtype), str(volume.dtype)) == ("float32", "int16")
    np.testing.assert_allclose(volume.data, load(path).get_fdata(), rtol=1e-6)


@pytest.mark.parametrize(("slope", "intercept"), [(0, 5), (np.nan, np.nan), (1, 0)])
def test_no_slope_means_no_scaling(tmp_path, slope, intercept):
    path = save(tmp_path / "a.nii.gz", values(np.int16))
    change_header(path, scl_slope=slope, scl_inter=intercept)
    assert read_volume(path).data.dtype == np.int16
    np.testing.assert_array_equal(read_volume(path).data, values(np.int16))


def test_the_content_decides_not_the_name(tmp_path):
    save(tmp_path / "a.nii.gz", values(np.int16))
    shutil.copy(tmp_path / "a.nii.gz", tmp_path / "b.nii")
    np.testing.assert_array_equal(read_volume(tmp_path / "b.nii").data, values(np.int16))


def test_header_needs_no_voxels(tmp_path):
    path = save(tmp_path / "a.nii", values(np.float32))
    path.write_bytes(path.read_bytes()[:352])
    header = read_header(path)
    assert (header.shape, header.orientation, str(header.dtype)) == (SHAPE, "IPL", "float32")
    np.testing.assert_allclose(header.affine, AFFINE, rtol=1e-6)


def test_missing_files_and_folders(tmp_path):
    with pytest.raises(UserError, match=r"a\.nii\.gz does not exist"):
        read_volume(tmp_path / "a.nii.gz")
    with pytest.raises(UserError, match="is a folder"):
        read_header(tmp_path)


@pytest.mark.parametrize("keep", [0.2, 0.9, 0.999])
def test_a_compressed_file_cut_short(tmp_path, keep):
    path = save(tmp_path / "case_7.nii.gz", values(np.int16))
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * keep)])
    with pytest.raises(UserError, match=r"case_7\.nii\.gz is cut short: its end is missing.*Get the file again"):
        read_volume(path)


def test_only_the_checksum_is_missing(tmp_path):
    path = save(tmp_path / "a.nii.gz", values(np.int16))
    path.write_bytes(path.read_bytes()[:-8])
    with pytest.raises(UserError, match="cut short"):
        read_volume(path)


@pytest.mark.parametrize("size", [100, 350, 2000])
def test_an_uncompressed_file_cut_short(tmp_path, size):
    path = save(tmp_path / "a.nii", values(np.int16))
    path.write_bytes(path.read_bytes()[:size])
    with pytest.raises(UserError, match=r"a\.nii is cut short"):
        read_volume(path)


def test_a_flipped_bit_is_found(tmp_path):
    path = save(tmp_path / "a.nii.gz", values(np.int16))
    content = bytearray(path.read_bytes())
    content[-6] ^= 1  # in the checksum itself: the voxels unpack without complaint
    path.write_bytes(content)
    with pytest.raises(UserError, match=r"a\.nii\.gz is damaged: its compressed data are not valid"):
        read_volume(path)


@pytest.mark.parametrize(
    ("content", "told"), [(b"", "it is empty"), (b"<!DOCTYPE html><html>404</html>", "an HTML page"), (b"x" * 400, "b'xxx")]
)
@pytest.mark.parametrize("name", ["a.nii.gz", "a.nii"])
def test_files_that_are_no_nifti(tmp_path, content, told, name):
    path = tmp_path / name
    for written in (content, gzip.compress(content)):
        path.write_bytes(written)
        with pytest.raises(UserError, match=rf"{name} is not a NIfTI file: .*{told}"):
            read_volume(path)


@pytest.mark.parametrize("magic", [b"n+2\0", b"n+1\x03"])
def test_a_header_that_is_marked_as_another_version(tmp_path, magic):
    nibabel.Nifti1Image(values(np.int16), AFFINE).to_filename(tmp_path / "a.nii")
    content = bytearray((tmp_path / "a.nii").read_bytes())
    content[344:348] = magic
    (tmp_path / "a.nii").write_bytes(content)
    with pytest.raises(UserError, match="its header of 348 bytes is not marked as one of NIfTI-1"):
        read_volume(tmp_path / "a.nii")


def test_pairs_and_analyze(tmp_path):
    nibabel.Nifti1Pair(values(np.int16), AFFINE).to_filename(tmp_path / "a.img")
    (tmp_path / "a.nii").write_bytes((tmp_path / "a.hdr").read_bytes())
    with pytest.raises(UserError, match=r"a\.nii is the header of a \.hdr/\.img pair"):
        read_volume(tmp_path / "a.nii")
    nibabel.AnalyzeImage(values(np.int16), AFFINE).to_filename(tmp_path / "b.img")
    with pytest.raises(UserError, match="Analyze"):
        read_volume(tmp_path / "b.hdr")


@pytest.mark.parametrize("shape", [(5,), (5, 6, 7, 2), (5, 6, 1, 3)])
def test_wrong_number_of_axes(tmp_path, shape):
    path = save(tmp_path / "a.nii.gz", np.zeros(shape, dtype=np.int16))
    with pytest.raises(UserError, match=rf"a\.nii\.gz has {len(shape)} axes .*must have two or three.*`channels`"):
        read_volume(path)
    with pytest.raises(UserError, match=rf"a\.nii\.gz has {len(shape)} axes"):
        read_header(path)


CHANNELS = {"4 axes": (5, 6, 7, 4), "vectors": (5, 6, 7, 1, 4), "a plane": (5, 6, 1, 4), "many planes": (3, 4, 40, 4)}


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.float32, ">i2"])
@pytest.mark.parametrize("shape", CHANNELS.values(), ids=CHANNELS)
def test_channels_are_read_as_nibabel_reads_them(tmp_path, shape, dtype, suffix):
    path = save(tmp_path / f"a{suffix}", values(dtype, shape))
    expected = np.asanyarray(load(path).dataobj).reshape((*shape[:3], 4))
    for channels in (None, (2,), (0, 3), (3, 1), (3, 2, 1, 0)):
        volumes = read_channels(path, channels)
        assert len(volumes) == len(channels or range(4))
        for channel, volume in zip(channels or range(4), volumes, strict=True):
            np.testing.assert_array_equal(volume.data, expected[..., channel])
            assert volume.data.dtype == np.dtype(dtype).newbyteorder("=")
            assert volume.dtype == load(path).get_data_dtype()
            assert volume.data.flags.c_contiguous
            np.testing.assert_array_equal(volume.affine, load(path).affine)
            np.testing.assert_allclose(volume.spacing, (3.0, 0.7, 0.8), rtol=1e-6)
            assert volume.orientation == "IPL"


@pytest.mark.parametrize("shape", [(6, 9), (5, 6, 7), (5, 6, 7, 1)])
def test_a_file_without_an_axis_of_channels_is_one_channel(tmp_path, shape):
    path = save(tmp_path / "a.nii.gz", values(np.int16, shape))
    for channels in (None, [0]):
        (volume,) = read_channels(path, channels)
        np.testing.assert_array_equal(volume.data, read_volume(path).data)


def test_channels_are_scaled(tmp_path):
    path = change_header(save(tmp_path / "a.nii.gz", values(np.int16, (5, 6, 7, 2))), scl_slope=0.5, scl_inter=-1000)
    np.testing.assert_allclose(read_channels(path, [1])[0].data, load(path).get_fdata()[..., 1], rtol=1e-6)


@pytest.mark.parametrize(
    ("channels", "told"), [((4,), "no channel 4"), ((0, -1, 7), "no channel -1, 7"), ((), "no channel of it")]
)
def test_channels_that_are_not_there(tmp_path, channels, told):
    path = save(tmp_path / "a.nii.gz", values(np.int16, (5, 6, 7, 4)))
    with pytest.raises(UserError, match=rf"a\.nii\.gz.*{told}.*`channels`"):
        read_channels(path, channels)
    path = save(tmp_path / "b.nii.gz", values(np.int16))
    with pytest.raises(UserError, match=r"b\.nii\.gz has 1 channel, counted from 0: there is no channel 1\."):
        read_channels(path, (1,))


@pytest.mark.parametrize("shape", [(5, 6, 7, 2, 3), (5, 6, 7, 1, 1, 2)])
def test_axes_that_are_no_channels(tmp_path, shape):
    path = save(tmp_path / "a.nii.gz", values(np.int16, shape))
    with pytest.raises(UserError, match=rf"a\.nii\.gz has {len(shape)} axes .*one axis only"):
        read_channels(path)


def test_only_the_channels_asked_for_must_be_finite(tmp_path):
    data = values(np.float32, (5, 6, 7, 2))
    data[1, 2, 3, 1] = np.nan
    path = save(tmp_path / "a.nii.gz", data)
    np.testing.assert_array_equal(read_channels(path, [0])[0].data, data[..., 0])
    with pytest.raises(UserError, match="holds 1 voxels that are not finite"):
        read_channels(path, [1])


def test_a_damaged_end_is_found_though_nobody_asked_for_its_channel(tmp_path):
    path = save(tmp_path / "a.nii.gz", values(np.int16, (5, 6, 7, 4)))
    content = bytearray(path.read_bytes())
    content[-6] ^= 1
    path.write_bytes(content)
    with pytest.raises(UserError, match="damaged"):
        read_channels(path, [0])
    path.write_bytes(content[:-20])
    with pytest.raises(UserError, match="cut short"):
        read_channels(path, [0])


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
def test_channels_that_nobody_asked_for_take_no_memory(tmp_path, suffix):
    path = save(tmp_path / f"a{suffix}", values(np.int32, (64, 64, 64, 16)))
    channel_bytes = 64**3 * 4
    tracemalloc.start()
    try:
        read_channels(path, [9])
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 4 * channel_bytes


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_voxels_that_are_not_finite(tmp_path, value, dtype):
    data = values(dtype)
    data[2, 3, 4] = data[4, 0, 0] = value
    with pytest.raises(UserError, match=r"a\.nii\.gz holds 2 voxels that are not finite"):
        read_volume(save(tmp_path / "a.nii.gz", data))


@pytest.mark.parametrize("side", [0.0, -1.0, np.nan, np.inf])
def test_impossible_spacing_is_refused_without_chatter(tmp_path, side, caplog, capfd):
    path = save(tmp_path / "a.nii.gz", values(np.int16))
    change_header(path, pixdim=[1, 3.0, side, 0.8, 0, 0, 0, 0])
    with caplog.at_level(logging.DEBUG), pytest.raises(UserError, match=rf"a\.nii\.gz has the voxel size 3 x {side:g} x 0.8 mm"):
        read_volume(path)
    assert caplog.records == []
    assert capfd.readouterr() == ("", "")


def test_affines_that_are_no_position(tmp_path):
    path = save(tmp_path / "a.nii.gz", values(np.int16))
    change_header(path, srow_x=[0, 0, 0, 0])
    with pytest.raises(UserError, match="no usable position in space"):
        read_volume(path)
    change_header(path, sform_code=0, qform_code=1, quatern_b=3.0)
    with pytest.raises(UserError, match="no usable position in space"):
        read_volume(path)


@pytest.mark.parametrize("dtype", [np.complex64, [("R", "u1"), ("G", "u1"), ("B", "u1")]])
def test_types_that_are_no_intensities(tmp_path, dtype):
    path = save(tmp_path / "a.nii.gz", np.zeros((3, 4, 5), dtype=dtype))
    with pytest.raises(UserError, match="only integers and real numbers"):
        read_volume(path)


def test_unknown_types_and_absurd_shapes(tmp_path):
    path = save(tmp_path / "a.nii.gz", values(np.int16))
    with pytest.raises(UserError, match="unknown data type 3"):
        read_volume(change_header(path, datatype=3))
    path = save(tmp_path / "a.nii.gz", values(np.int16))
    with pytest.raises(UserError, match=r"the header claims 70,3[0-9]{2}\.[0-9] GB .*in a file of"):
        read_volume(change_header(path, dim=[3, 32767, 32767, 32767, 1, 1, 1, 1]))
    with pytest.raises(UserError, match="holds no voxel"):
        read_volume(change_header(path, dim=[3, 5, 0, 7, 1, 1, 1, 1]))


GEOMETRY = (
    *("qform_code", "sform_code", "quatern_b", "quatern_c", "quatern_d", "qoffset_x", "qoffset_y", "qoffset_z"),
    *("srow_x", "srow_y", "srow_z", "xyzt_units"),
)


@pytest.mark.parametrize(
    "kind",
    [
        *("sform uint8", "qform only uint16", "left-handed qform", "no form", "float32 label", "nifti 2", "big-endian"),
        *("4 axes", "channels", "vectors"),
    ],
)
def test_labels_are_written_on_the_grid_of_the_source(tmp_path, kind):
    source, labels = tmp_path / "source.nii.gz", values(np.uint8)
    dtype = {"qform only uint16": np.uint16, "float32 label": np.float32, "big-endian": ">i2"}.get(kind, np.uint8)
    further = {"4 axes": (1,), "channels": (3,), "vectors": (1, 3)}.get(kind, ())
    data = np.broadcast_to(labels.astype(dtype).reshape(*SHAPE, *(1 for _ in further)), (*SHAPE, *further))
    save(source, data, image_class=nibabel.Nifti2Image if kind == "nifti 2" else nibabel.Nifti1Image)
    if kind == "qform only uint16":
        change_header(source, sform_code=0, srow_x=0, srow_y=0, srow_z=0, qform_code=1)
    if kind == "left-handed qform":
        sides = load(source).header["pixdim"][1:]
        change_header(source, sform_code=0, srow_x=0, srow_y=0, srow_z=0, qform_code=1, pixdim=[-1, *sides])
        assert np.linalg.det(load(source).affine[:3, :3]) < 0
    if kind == "no form":
        change_header(source, sform_code=0, qform_code=0)
    if kind == "float32 label":
        change_header(source, scl_slope=2.0, scl_inter=1.0)
    write_labels(tmp_path / "out.nii.gz", labels, source)
    written, expected = load(tmp_path / "out.nii.gz"), load(source)
    assert written.get_data_dtype() == np.uint8
    assert written.dataobj.slope == 1
    assert written.dataobj.inter == 0
    np.testing.assert_array_equal(np.asanyarray(written.dataobj), labels)
    np.testing.assert_array_equal(written.affine, expected.affine)
    for name in GEOMETRY:
        np.testing.assert_array_equal(written.header[name], expected.header[name], err_msg=name)
    np.testing.assert_array_equal(written.header["pixdim"][:4], expected.header["pixdim"][:4])
    assert written.shape == SHAPE
    volume = read_volume(tmp_path / "out.nii.gz")
    np.testing.assert_array_equal(volume.data, labels)
    assert volume.spacing == read_channels(source)[0].spacing


def test_other_readers_agree_on_what_is_written(tmp_path):
    simple_itk = pytest.importorskip("SimpleITK", reason="SimpleITK is not part of the environment")
    source = save(tmp_path / "source.nii.gz", values(np.int16))
    write_labels(tmp_path / "out.nii.gz", values(np.uint8), source)
    images = [simple_itk.ReadImage(str(path)) for path in (source, tmp_path / "out.nii.gz")]
    assert images[0].GetOrigin() == images[1].GetOrigin()
    assert images[0].GetDirection() == images[1].GetDirection()


def test_two_axes_and_memory_order(tmp_path):
    source = save(tmp_path / "source.nii", values(np.int16, (6, 50)))
    labels = values(np.uint8, (6, 50))
    write_labels(tmp_path / "out.nii", np.asfortranarray(labels), source)
    np.testing.assert_array_equal(read_volume(tmp_path / "out.nii").data, labels)


def test_equal_labels_give_equal_bytes(tmp_path):
    source, labels = save(tmp_path / "source.nii.gz", values(np.int16)), values(np.uint8)
    write_labels(tmp_path / "one.nii.gz", labels, source)
    write_labels(tmp_path / "two.nii.gz", labels.astype(np.int64), source)
    content = (tmp_path / "one.nii.gz").read_bytes()
    assert content == (tmp_path / "two.nii.gz").read_bytes()
    assert content[3:8] == b"\0\0\0\0\0"  # no file name, no time


@pytest.mark.parametrize(
    ("labels", "told"),
    [
        (np.zeros((5, 7, 41), dtype=np.uint8), r"do not fit the grid of .*source\.nii\.gz"),
        (np.full(SHAPE, 256), "256 do not fit into 8 bits"),
        (np.full(SHAPE, -1), "-1 to -1 do not fit"),
        (np.zeros(SHAPE), "must be integers, not float64"),
    ],
)
def test_labels_that_do_not_fit(tmp_path, labels, told):
    source = save(tmp_path / "source.nii.gz", values(np.int16))
    with pytest.raises(UserError, match=told):
        write_labels(tmp_path / "out.nii.gz", labels, source)
    assert not (tmp_path / "out.nii.gz").exists()


def test_names_that_are_no_nifti(tmp_path):
    with pytest.raises(UserError, match=r"end the name with \.nii\.gz"):
        write_labels(tmp_path / "out.png", values(np.uint8), save(tmp_path / "source.nii.gz", values(np.int16)))


def test_a_full_disk_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch):
    source, path = save(tmp_path / "source.nii.gz", values(np.int16)), tmp_path / "out.nii.gz"
    write_labels(path, values(np.uint8), source)
    before = path.read_bytes()

    def full(header, labels):
        yield header
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(label_files, "_label_bytes", full)
    with pytest.raises(UserError, match=r"Cannot write .*out\.nii\.gz: No space left on device"):
        write_labels(path, np.zeros(SHAPE, dtype=np.uint8), source)
    assert path.read_bytes() == before
    assert sorted(file.name for file in tmp_path.iterdir()) == ["out.nii.gz", "source.nii.gz"]


REAL = [
    "kits19_masks/case_00015/segmentation.nii.gz",  # uint16, qform only
    "kits19_masks/case_00003/segmentation.nii.gz",
    "Task04_Hippocampus/labelsTr/hippocampus_003.nii.gz",  # float32 labels
    "Task04_Hippocampus/imagesTr/hippocampus_003.nii.gz",
]


@pytest.mark.large
@pytest.mark.parametrize("name", REAL)
def test_real_files(shared_data, tmp_path, name):
    path = shared_data / name
    volume, expected = read_volume(path), load(path)
    np.testing.assert_array_equal(volume.data, np.asanyarray(expected.dataobj))
    np.testing.assert_array_equal(volume.affine, expected.affine)
    labels = np.zeros(volume.data.shape, dtype=np.uint8)
    labels[volume.data > volume.data.max() / 2] = 1
    write_labels(tmp_path / "out.nii.gz", labels, path)
    written = load(tmp_path / "out.nii.gz")
    np.testing.assert_array_equal(written.affine, expected.affine)
    for field in GEOMETRY:
        np.testing.assert_array_equal(written.header[field], expected.header[field], err_msg=field)
