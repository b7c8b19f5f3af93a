"""Axes are exchanged and mirrored as nibabel does it, preprocessing sees one orientation, and predictions lie on their file."""

import nibabel
import numpy as np
import pytest

from workflow_lib.base.errors import UserError
from workflow_lib.images.cases import LabelMap
from workflow_lib.images.orientation import direction_order, reorientation
from workflow_lib.preprocessing.pipeline import preprocess, restore_labels
from workflow_lib.study.sections.preprocessing import ORIENTATIONS, Preprocessing

RNG = np.random.default_rng(0)
LABELS = LabelMap(("background", "tumour"), ((0,), (1,)))


def by_nibabel(array, present, wanted):
    codes = nibabel.orientations.axcodes2ornt
    return nibabel.orientations.apply_orientation(
        array, nibabel.orientations.ornt_transform(codes(tuple(present)), codes(tuple(wanted)))
    )


@pytest.mark.parametrize("wanted", ["RAS", "LPS", "SAR", "IPL", "ASR"])
def test_every_orientation_is_changed_as_nibabel_changes_it_and_back(wanted):
    array = RNG.normal(size=(3, 4, 5, 2))
    assert len(ORIENTATIONS) == len(set(ORIENTATIONS)) == 48
    for present in ORIENTATIONS:
        change = reorientation(present, wanted)
        moved = change.apply(array)
        np.testing.assert_array_equal(moved, by_nibabel(array, present, wanted))
        np.testing.assert_array_equal(change.undo(moved), array)
        assert moved.shape[:3] == change.ordered(array.shape[:3])


def test_the_order_of_directions_ignores_their_signs():
    assert direction_order("RAS") == direction_order("LPI") != direction_order("SAR")


@pytest.mark.parametrize("present", ["SAR", "LPS", "PIR"])
def test_the_same_anatomy_gives_the_same_bytes_whatever_the_axes_of_its_file(present):
    """The case of half a dataset stored as (x, y, z), half as (z, y, x)."""
    image, mask = RNG.normal(40, 9, (12, 10, 8)).astype(np.float32), RNG.integers(0, 2, (12, 10, 8)).astype(np.uint8)
    settings = Preprocessing(orientation="RAS", spacing=(1.0, 1.0, 2.0))
    spacing = (1.2, 1.0, 3.0)
    expected = preprocess(image[..., np.newaxis], mask, spacing, settings, LABELS, "RAS")
    stored, stored_mask = (np.ascontiguousarray(by_nibabel(array, "RAS", present)) for array in (image, mask))
    sizes = reorientation("RAS", present).ordered(spacing)
    found = preprocess(stored[..., np.newaxis], stored_mask, sizes, settings, LABELS, present)
    for a, b in zip(found, expected, strict=True):
        assert a.tobytes() == b.tobytes()
    assert found[0].shape == (14, 10, 12, 1)
    classes = expected[1]
    back = restore_labels(classes, stored.shape, settings, 2, present)
    np.testing.assert_array_equal(back, by_nibabel(restore_labels(classes, image.shape, settings, 2, "RAS"), "RAS", present))
    assert back.flags.c_contiguous


def test_what_has_no_orientation_is_refused_and_so_is_an_orientation_of_two_axes():
    with pytest.raises(UserError, match="no orientation of three axes"):
        preprocess(np.zeros((4, 5, 1)), None, (1.0, 1.0), Preprocessing(orientation="RAS"), LABELS)
    assert Preprocessing(orientation="lps").orientation == "LPS"
    for wrong in ("RA", "RRS", "XYZ", "RAST"):
        with pytest.raises(ValueError, match="direction of three axes"):
            Preprocessing(orientation=wrong)
