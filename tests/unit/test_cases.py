"""Cases and label maps: raw values to classes and back, undeclared and fractional labels, JSON in both directions."""

from pathlib import Path

import numpy as np
import pytest

from workflow_lib.base.errors import UserError
from workflow_lib.images.cases import Case, LabelMap, Reading

BRATS = LabelMap(("background", "tumour"), ((0, 1, 2), (4,)))


def test_labels_map_to_classes_and_back():
    raw = np.array([[0, 1, 2], [4, 4, 0]], dtype=np.int16)
    classes = BRATS.to_classes(raw)
    assert classes.dtype == np.uint8
    assert classes.tolist() == [[0, 0, 0], [1, 1, 0]]
    assert BRATS.to_raw(classes).tolist() == [[0, 0, 0], [4, 4, 0]]
    assert BRATS.to_classes(raw.astype(np.float32)).tolist() == classes.tolist()


@pytest.mark.parametrize("value", [3, 255, -1])
def test_an_undeclared_label_is_named_with_its_count(value):
    raw = np.array([0, value, value, 4], dtype=np.int16)
    with pytest.raises(UserError, match=rf"{value} \(2 voxels\)"):
        BRATS.to_classes(raw)


def test_a_fractional_label_is_not_rounded_away():
    with pytest.raises(UserError, match=r"0.5 \(1 voxels\)"):
        BRATS.to_classes(np.array([0, 0.5, 4]))


def test_label_map_through_json():
    labels = LabelMap(("b", "k", "t"), ((0,), (1,), (2,)), {"both": (1, 2)})
    assert LabelMap.from_json(labels.to_json()) == labels


@pytest.mark.parametrize("view", [None, Path("a/view.png")])
def test_cases_and_readings_through_json(view):
    case = Case("a", (Path("a/1.nii"), Path("a/2.nii")), (Path("a/m.nii"),), view, "patient 1", "test")
    assert Case.from_json(case.to_json()) == case
    assert case.files[:3] == (Path("a/1.nii"), Path("a/2.nii"), Path("a/m.nii"))
    for reading in (Reading(), Reading((0, 2), "rgb", 127.0)):
        assert Reading.from_json(reading.to_json()) == reading
