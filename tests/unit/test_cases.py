import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from workflow_lib.cases import LabelMap, assign_folds, read_folds, split_cases, write_folds
from workflow_lib.errors import UserError

BRATS = LabelMap(("background", "tumour"), ((0, 1, 2), (4,)))


@given(st.sets(st.text("abc0123456789", min_size=1, max_size=6), min_size=2, max_size=60), st.integers(2, 10), st.integers(0, 99))
def test_folds_are_a_balanced_partition(ids, folds, seed):
    if folds > len(ids):
        with pytest.raises(UserError, match="only"):
            assign_folds(sorted(ids), folds, seed)
        return
    assignment = assign_folds(sorted(ids), folds, seed)
    sizes = [list(assignment.values()).count(fold) for fold in range(1, folds + 1)]
    assert set(assignment) == ids
    assert sum(sizes) == len(ids)
    assert max(sizes) - min(sizes) <= 1


def test_folds_depend_on_the_seed_and_not_on_the_order():
    ids = [f"case_{i}" for i in range(50)]
    assert assign_folds(ids, 5, 1) == assign_folds(ids[::-1], 5, 1)
    assert assign_folds(ids, 5, 1) != assign_folds(ids, 5, 2)


def test_fold_table_round_trip_and_split(tmp_path):
    folds = assign_folds([f"case_{i}" for i in range(11)], 3, 7)
    write_folds(tmp_path / "folds.csv", folds)
    assert read_folds(tmp_path / "folds.csv") == folds
    for fold in (1, 2, 3):
        training, validation = split_cases(folds, fold)
        assert sorted(training + validation) == sorted(folds)
        assert all(folds[case] == fold for case in validation)


def test_a_case_twice_in_the_fold_table(tmp_path):
    (tmp_path / "folds.csv").write_text("case,fold\na,1\na,2\n")
    with pytest.raises(UserError, match="more than one row"):
        read_folds(tmp_path / "folds.csv")


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
