"""A case is read in the same way from any kind of file, and its prediction is written in the format of its image."""

import nibabel
import numpy as np
import pytest
from PIL import Image

from workflow_lib.base.errors import UserError
from workflow_lib.datasets.inspection import inspect_cases
from workflow_lib.images import casefiles
from workflow_lib.images.cases import Case, LabelMap, Reading
from workflow_lib.images.label_files import write_labels

RNG = np.random.default_rng(7)


def nifti(path, data, affine=None):
    nibabel.save(nibabel.Nifti1Image(data, np.diag([-2.0, 3.0, 4.0, 1.0]) if affine is None else affine), path)
    return path


def picture(path, data):
    Image.fromarray(data).save(path)
    return path


def test_several_files_and_one_file_of_several_channels_give_the_same(tmp_path):
    data = RNG.integers(-100, 100, (5, 6, 7, 3)).astype(np.int16)
    whole = nifti(tmp_path / "whole.nii.gz", data)
    parts = tuple(nifti(tmp_path / f"{index}.nii", data[..., index]) for index in range(3))
    mask = nifti(tmp_path / "mask.nii.gz", (data[..., 0] > 0).astype(np.uint8))
    one = casefiles.read_image(Case("a", (whole,), (mask,)), Reading(channels=(0, 1, 2)))
    several = casefiles.read_image(Case("a", parts, (mask,)), Reading())
    np.testing.assert_array_equal(one.data, data)
    np.testing.assert_array_equal(several.data, data)
    assert one.spacing == several.spacing == (2.0, 3.0, 4.0)
    assert one.orientation == several.orientation == "LAS"
    chosen = casefiles.read_image(Case("a", (whole,), (mask,)), Reading(channels=(2, 0)))
    np.testing.assert_array_equal(chosen.data, data[..., [2, 0]])


def test_a_prediction_for_an_image_of_several_channels_has_its_grid(tmp_path):
    whole = nifti(tmp_path / "whole.nii.gz", RNG.integers(0, 9, (5, 6, 7, 3)).astype(np.int16))
    case = Case("a b", (whole,), (tmp_path / "mask.nii.gz",))
    labels = RNG.integers(0, 4, (5, 6, 7)).astype(np.uint8)
    path = tmp_path / casefiles.prediction_name(case)
    header = casefiles.read_image(case, Reading(channels=(0, 1))).header
    whole.unlink()
    casefiles.write_prediction(path, labels, case, header)
    assert path.name == "a b.nii.gz"
    np.testing.assert_array_equal(casefiles.read_prediction(path, Reading()), labels)
    np.testing.assert_array_equal(nibabel.nifti1.Nifti1Image.from_filename(path).affine, np.diag([-2.0, 3.0, 4.0, 1.0]))


@pytest.mark.parametrize(("colour", "channels"), [("rgb", 3), ("grey", 1), ("green", 1)])
def test_pictures_and_their_predictions(tmp_path, colour, channels):
    pixels = RNG.integers(0, 256, (8, 9, 3)).astype(np.uint8)
    case = Case("ä", (picture(tmp_path / "a.PNG", pixels),), (picture(tmp_path / "m.png", pixels[..., 0]),))
    image = casefiles.read_image(case, Reading(colour=colour, threshold=127))
    assert (image.data.shape, image.spacing, image.orientation) == ((8, 9, channels), (1.0, 1.0), "")
    if colour == "green":
        np.testing.assert_array_equal(image.data[..., 0], pixels[..., 1])
    mask = casefiles.read_mask(case, Reading(colour=colour, threshold=127))
    np.testing.assert_array_equal(mask, np.where(pixels[..., 0] > 127, 255, 0))
    path = tmp_path / casefiles.prediction_name(case)
    assert image.header == b""
    (tmp_path / "a.PNG").unlink()
    casefiles.write_prediction(path, mask.astype(np.uint8), case, image.header)
    assert path.name == "ä.png"
    np.testing.assert_array_equal(casefiles.read_prediction(path, Reading()), mask)


def test_masks_are_joined_and_must_fit(tmp_path):
    first, second = np.zeros((4, 5), np.uint8), np.zeros((4, 5), np.uint8)
    first[0], second[:, 0] = 255, 200
    paths = (picture(tmp_path / "1.png", first), picture(tmp_path / "2.png", second))
    np.testing.assert_array_equal(casefiles.read_mask(Case("a", (), paths), Reading()), np.maximum(first, second))
    small = picture(tmp_path / "3.png", first[:2])
    with pytest.raises(UserError, match="the masks have different shapes"):
        casefiles.read_mask(Case("a", (), (*paths, small)), Reading())
    with pytest.raises(UserError, match="the channels have different shapes"):
        casefiles.read_image(Case("a", (paths[0], small), paths), Reading())


@pytest.mark.parametrize("high", [1, 255])
def test_a_field_of_view_is_what_lies_above_one_half(tmp_path, high):
    view = np.zeros((4, 5), np.uint8)
    view[1:3] = high
    view[0] = high // 2  # a grey edge, of masks up to 255
    path = picture(tmp_path / "view.png", view)
    found = casefiles.read_field_of_view(Case("a", (path,), (path,), path), Reading())
    assert found is not None
    np.testing.assert_array_equal(found, view == high)
    assert casefiles.read_field_of_view(Case("a", (path,), (path,)), Reading()) is None


@pytest.mark.parametrize("kind", [nibabel.Nifti1Image, nibabel.Nifti2Image, "swapped"])
@pytest.mark.parametrize("shape", [(5, 6, 7), (8, 9)])
def test_a_prediction_from_the_stored_header_has_the_bytes_of_one_from_the_file(tmp_path, kind, shape):
    affine = np.array([[-1.9, 0.1, 0, 7], [0.2, 2.9, 0.3, 8], [0, 0.1, -4, 9.5], [0, 0, 0, 1]])
    data = RNG.integers(-9, 9, shape).astype(np.int16)
    header = nibabel.Nifti1Header(endianness=">") if kind == "swapped" else None
    image = (nibabel.Nifti1Image if kind == "swapped" else kind)(data, affine, header)
    image.set_qform(affine, code=1, strip_shears=True)
    image.header.set_xyzt_units("mm")
    path = tmp_path / "image.nii"
    nibabel.save(image, path)
    read = casefiles.read_image(Case("a", (path,), ()), Reading())
    labels = RNG.integers(0, 4, shape).astype(np.uint8)
    for suffix in (".nii", ".nii.gz"):
        write_labels(tmp_path / f"expected{suffix}", labels, path)
    gone = path.rename(tmp_path / "elsewhere.nii")
    for suffix in (".nii", ".nii.gz"):
        write_labels(tmp_path / f"made{suffix}", labels, path, read.header)
        assert (tmp_path / f"made{suffix}").read_bytes() == (tmp_path / f"expected{suffix}").read_bytes()
    assert gone.read_bytes().startswith(read.header)


def test_a_case_that_was_stored_without_its_header_is_named(tmp_path):
    case = Case("a", (tmp_path / "a.nii",), ())
    with pytest.raises(UserError, match=r"a was preprocessed by an earlier version.*Run `preprocess` again"):
        casefiles.write_prediction(tmp_path / "out.nii.gz", np.zeros((2, 2, 2), np.uint8), case, b"")


@pytest.mark.parametrize("across", [0, 1, 2])
def test_a_volume_of_one_slice_is_an_image_of_two_axes_for_a_network_of_two(tmp_path, across):
    """As nnU-Net and many exports store 2-D images: (x, y, 1)."""
    pixels, labels = RNG.integers(0, 99, (5, 7)).astype(np.int16), RNG.integers(0, 2, (5, 7)).astype(np.uint8)
    image = nifti(tmp_path / "image.nii.gz", np.expand_dims(pixels, across))
    case = Case("a", (image,), (nifti(tmp_path / "mask.nii.gz", np.expand_dims(labels, across)),))
    reading = Reading(flat=True)
    found = casefiles.read_image(case, reading)
    sides = [side for axis, side in enumerate((2.0, 3.0, 4.0)) if axis != across]
    assert (found.data.shape, found.spacing) == ((5, 7, 1), tuple(sides))
    np.testing.assert_array_equal(found.data[..., 0], pixels)
    np.testing.assert_array_equal(casefiles.read_mask(case, reading), labels)
    (finding,) = inspect_cases([case], LabelMap(("background", "a"), ((0,), (1,))), reading)
    assert (finding.faults, finding.shape) == ((), (5, 7))
    # The prediction is on the grid of the file, for every other program.
    path = tmp_path / casefiles.prediction_name(case)
    casefiles.write_prediction(path, labels, case, found.header)
    written = nibabel.nifti1.Nifti1Image.from_filename(path)
    np.testing.assert_array_equal(np.asarray(written.dataobj), np.expand_dims(labels, across))
    np.testing.assert_array_equal(written.affine, np.diag([-2.0, 3.0, 4.0, 1.0]))
    np.testing.assert_array_equal(casefiles.read_prediction(path, reading), labels)
    # A network of three axes sees the slice as a volume.
    assert casefiles.read_image(case, Reading()).data.ndim == 4


def test_a_volume_of_several_slices_stays_one_and_labels_of_another_shape_are_refused(tmp_path):
    image = nifti(tmp_path / "image.nii.gz", np.ones((5, 7, 2), np.int16))
    case = Case("a", (image,), ())
    assert casefiles.read_image(case, Reading(flat=True)).data.shape == (5, 7, 2, 1)
    slice_ = Case("b", (nifti(tmp_path / "slice.nii.gz", np.ones((5, 7, 1), np.int16)),), ())
    header = casefiles.read_image(slice_, Reading(flat=True)).header
    with pytest.raises(UserError, match="do not fit the grid"):
        casefiles.write_prediction(tmp_path / "p.nii.gz", np.zeros((7, 5), np.uint8), slice_, header)
