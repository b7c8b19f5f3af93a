"""Volumes in other formats than NIfTI, each compared with the NIfTI file that it came from, voxel by voxel."""

import gzip

import nibabel
import numpy as np
import pytest
import SimpleITK

from workflow_lib.base.errors import UserError
from workflow_lib.datasets.formats import registry
from workflow_lib.datasets.inspection import inspect_case
from workflow_lib.images import casefiles
from workflow_lib.images.cases import Case, LabelMap, Reading
from workflow_lib.images.files_read import FilesRead
from workflow_lib.images.readers import dicom
from workflow_lib.images.readers.registry import suffixes
from workflow_lib.images.volumes import read_channels, read_header, read_volume
from workflow_lib.study.sections.files import Files

SHAPE = (7, 9, 5)
ENDINGS = tuple(suffix for suffix in suffixes() if suffix not in dicom.SUFFIXES)
LABELS = LabelMap(("background", "a"), ((0,), (1,)))


def turned(angle=0.3):
    """An oblique affine with three voxel sizes, whose axes point to the left, front and up."""
    turn = np.array([[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1]])
    affine = np.eye(4)
    affine[:3, :3], affine[:3, 3] = turn @ np.diag([-1.5, 1.25, 2.5]), (10, -20, 30)
    return affine


def voxels(dtype=np.int16):
    return np.random.default_rng(3).integers(-500, 500, SHAPE).astype(dtype)


@pytest.fixture
def nifti(tmp_path):
    image = nibabel.Nifti1Image(voxels(), turned())
    image.header.set_xyzt_units("mm")
    nibabel.save(image, tmp_path / "reference.nii.gz")
    return tmp_path / "reference.nii.gz"


def converted(nifti, ending, compressed=False):
    """Write the volume in another format with the library of that format."""
    path = nifti.with_name(f"a{ending}")
    if ending in (".mgz", ".mgh"):
        image = nibabel.Nifti1Image.from_filename(nifti)
        nibabel.save(nibabel.MGHImage(np.asarray(image.dataobj).astype(np.int32), image.affine), path)
        return path
    if ending == ".hdr":
        image = nibabel.Nifti1Image.from_filename(nifti)
        nibabel.save(nibabel.Nifti1Pair(np.asarray(image.dataobj), image.affine, image.header), path)
        return path
    plain = SimpleITK.ReadImage(str(nifti))
    for key in plain.GetMetaDataKeys():
        plain.EraseMetaData(key)
    SimpleITK.WriteImage(plain, str(path), compressed)
    return path


@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize("ending", ENDINGS)
def test_it_is_the_volume_it_was_made_from(nifti, ending, compressed):
    path, seen = converted(nifti, ending, compressed), FilesRead()
    expected, volume = read_volume(nifti), read_volume(path, seen)
    np.testing.assert_array_equal(volume.data, expected.data)
    np.testing.assert_allclose(volume.affine, expected.affine, atol=1e-5)
    np.testing.assert_allclose(volume.spacing, expected.spacing, rtol=1e-6)
    assert volume.orientation == expected.orientation == "LAS"
    assert volume.data.flags.c_contiguous
    assert volume.data.dtype.isnative
    assert seen.remarks == {}
    (case,) = registry_cases(nifti, ending)
    assert set(seen.sha256) == {path, *case.companions}
    assert read_header(path).shape == SHAPE
    assert len(read_channels(path)) == 1


def registry_cases(nifti, ending):
    files = {"classes": {"background": 0, "a": 1}, "images": [f"{{case}}{ending}"], "masks": f"{{case}}{ending}"}
    options = {"files": Files.model_validate(files | {"masks": "{case}.nii.gz"}).model_dump(mode="json")}
    (nifti.parent / "a.nii.gz").write_bytes(nifti.read_bytes())
    return [case for case in registry.find_cases("folders", nifti.parent, options) if case.images]


@pytest.mark.parametrize("ending", [".mha", ".nrrd", ".mgz"])
def test_a_prediction_lies_on_the_grid_of_its_image(nifti, ending):
    path = converted(nifti, ending)
    case = Case("a", (path,), (path,))
    image = casefiles.read_image(case, Reading())
    target = path.with_name(casefiles.prediction_name(case))
    assert target.name == "a.nii.gz"
    labels = (image.data[..., 0] > 0).astype(np.uint8)
    path.unlink()
    casefiles.write_prediction(target, labels, case, image.header)
    written = nibabel.Nifti1Image.from_filename(target)
    np.testing.assert_array_equal(np.asarray(written.dataobj), labels)
    np.testing.assert_allclose(written.affine, turned(), atol=1e-4)
    np.testing.assert_array_equal(casefiles.read_prediction(target, Reading()), labels)


def test_image_and_mask_of_two_formats_share_their_grid(nifti):
    image = converted(nifti, ".mha")
    mask = SimpleITK.ReadImage(str(image)) > 0
    SimpleITK.WriteImage(mask, str(nifti.with_name("m.nrrd")))
    found = inspect_case(Case("a", (image,), (nifti.with_name("m.nrrd"),)), LABELS, Reading())
    assert found.faults == ()
    assert found.voxels["a"] == int((voxels() > 0).sum())
    moved = SimpleITK.ReadImage(str(nifti.with_name("m.nrrd")))
    moved.SetOrigin((0.0, 0.0, 0.0))
    SimpleITK.WriteImage(moved, str(nifti.with_name("m.nrrd")))
    found = inspect_case(Case("a", (image,), (nifti.with_name("m.nrrd"),)), LABELS, Reading())
    assert "lie at different positions" in found.faults[0]


@pytest.mark.parametrize("part", [0.0, 0.1, 0.5, 0.98])
@pytest.mark.parametrize("ending", [".mha", ".nrrd", ".mgz"])
def test_a_file_that_is_cut_short_is_refused_in_words(nifti, ending, part, capfd):
    path = converted(nifti, ending)
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * part)])
    with pytest.raises(UserError, match=r"(is damaged, or is not|it is empty).*Get the file again"):
        read_volume(path)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("content", "said"), [(b"<html>404</html>", "HTML"), (b"version https://git-lfs.github.com/spec/v1\n", "git lfs pull")]
)
@pytest.mark.parametrize("ending", ENDINGS)
def test_what_servers_and_git_leave_in_place_of_a_file(tmp_path, ending, content, said):
    (tmp_path / f"a{ending}").write_bytes(content)
    with pytest.raises(UserError, match=said):
        read_volume(tmp_path / f"a{ending}")
    with pytest.raises(UserError, match="does not exist"):
        read_volume(tmp_path / f"b{ending}")


@pytest.mark.parametrize("ending", [".mhd", ".nhdr", ".hdr"])
def test_a_header_without_its_voxels_names_them(nifti, ending):
    path = converted(nifti, ending)
    (other,) = [file for file in nifti.parent.iterdir() if file.suffix in (".raw", ".zraw", ".img")]
    other.unlink()
    with pytest.raises(UserError, match=rf"has its voxels in {other.name}, which does not exist beside it"):
        read_volume(path)


def test_analyze_and_a_pair_that_is_cut_short(nifti):
    path = converted(nifti, ".hdr")
    voxels = path.with_suffix(".img")
    voxels.write_bytes(voxels.read_bytes()[:-1])
    with pytest.raises(UserError, match=r"a\.img is damaged or cut short"):
        read_volume(path)
    header = bytearray(path.read_bytes())
    header[344:348] = bytes(4)
    path.write_bytes(header)
    with pytest.raises(UserError, match="the older Analyze format, which does not say where left and right are"):
        read_volume(path)
    path.write_bytes(header[:100])
    with pytest.raises(UserError, match="its header is cut short"):
        read_volume(path)


def test_colours_time_series_and_voxels_that_are_not_finite(tmp_path):
    vectors = SimpleITK.GetImageFromArray(np.zeros((4, 5, 6, 3), np.uint8), isVector=True)
    SimpleITK.WriteImage(vectors, str(tmp_path / "v.mha"))
    with pytest.raises(UserError, match="holds 3 values per voxel"):
        read_volume(tmp_path / "v.mha")
    SimpleITK.WriteImage(SimpleITK.GetImageFromArray(np.zeros((2, 4, 5, 6), np.int16), isVector=False), str(tmp_path / "t.nrrd"))
    with pytest.raises(UserError, match="has 4 axes"):
        read_volume(tmp_path / "t.nrrd")
    SimpleITK.WriteImage(SimpleITK.GetImageFromArray(np.full((4, 5, 6), np.nan, np.float32)), str(tmp_path / "n.mha"))
    with pytest.raises(UserError, match="120 voxels that are not finite"):
        read_volume(tmp_path / "n.mha")


def test_a_header_that_gives_no_voxel_size_is_remarked(tmp_path):
    path, seen = tmp_path / "a.nrrd", FilesRead()
    path.write_bytes(b"NRRD0004\ntype: uint8\ndimension: 3\nsizes: 2 2 2\nencoding: raw\n\n" + bytes(range(8)))
    assert read_volume(path, seen).spacing == (1.0, 1.0, 1.0)
    assert seen.remarks == {path: ["its header gives no voxel size, which was taken as 1 mm"]}
    path, seen = tmp_path / "a.mha", FilesRead()
    path.write_bytes(b"NDims = 3\nDimSize = 2 2 2\nElementType = MET_UCHAR\nElementDataFile = LOCAL\n" + bytes(range(8)))
    assert read_volume(path, seen).spacing == (1.0, 1.0, 1.0)
    assert "(ElementSpacing), which was taken as 1 mm" in seen.remarks[path][0]


def segmentation(path, layers, *segments):
    """Write a segmentation as 3D Slicer does: layers along the first axis, and a value and layer for each segment."""
    head = "NRRD0004\ntype: unsigned char\ndimension: 4\nspace: left-posterior-superior\n"
    head += f"sizes: {len(layers)} {' '.join(map(str, layers[0].shape))}\n"
    head += "space directions: none (1.5,0,0) (0,1.25,0) (0,0,2)\nkinds: list domain domain domain\nencoding: gzip\n"
    head += "space origin: (1,2,3)\n"
    for number, (layer, value) in enumerate(segments):
        head += f"Segment{number}_LabelValue:={value}\nSegment{number}_Layer:={layer}\nSegment{number}_Name:=s{number}\n"
    path.write_bytes(head.encode() + b"\n" + gzip.compress(np.stack(layers).tobytes("F")))
    return path


def test_segmentations_of_3d_slicer(tmp_path):
    first, second = np.zeros(SHAPE, np.uint8), np.zeros(SHAPE, np.uint8)
    first[:2], first[2:3], second[5:] = 1, 2, 3
    path = segmentation(tmp_path / "a.seg.nrrd", [first, second], (0, 1), (0, 2), (1, 3))
    volume = read_volume(path)
    np.testing.assert_array_equal(volume.data, first + second)
    np.testing.assert_allclose(volume.affine, np.array([[-1.5, 0, 0, -1], [0, -1.25, 0, -2], [0, 0, 2, 3], [0, 0, 0, 1]]))
    second[:1] = 3
    with pytest.raises(UserError, match=r"segments overlap in 45 voxels"):
        read_volume(segmentation(path, [first, second], (0, 1), (0, 2), (1, 3)))
    with pytest.raises(UserError, match="do not have a label value each"):
        read_volume(segmentation(path, [first, second], (0, 1), (1, 1)))
