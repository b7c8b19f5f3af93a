"""The store of preprocessed cases: what is written is read, and what is damaged is told."""

import json
import pickle
import re
from pathlib import Path

import numpy as np
import pytest

from workflow_lib.base.errors import UserError
from workflow_lib.preprocessing.store import BINS, Geometry, Store, intensity_histogram, write_case, write_index

GEOMETRY = Geometry(
    original_shape=(7, 12, 13),
    spacing=(3.0, 0.75, 0.75),
    image_source="data/case_1/imaging.nii.gz",
    mask_source="data/case_1/segmentation.nii.gz",
)


def arrays(seed=0, channels=2) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    image = np.clip(rng.standard_normal((5, 8, 9, channels)), -1, 2).astype(np.float32)
    return image, rng.integers(0, 3, (5, 8, 9)).astype(np.uint8)


@pytest.fixture
def shard(tmp_path):
    for seed, name in enumerate(("case_1", "case (2)")):
        write_case(tmp_path / "shard_1", name, *arrays(seed), GEOMETRY)
    write_index(tmp_path / "shard_1")
    return tmp_path / "shard_1"


def test_what_is_written_is_read(shard):
    store = Store([shard])
    assert store.case_ids == list(store) == ["case (2)", "case_1"]
    assert len(store) == 2
    assert "case_1" in store
    case = store["case_1"]
    for array, expected in zip((case.image, case.classes), arrays(0), strict=True):
        assert isinstance(array, np.memmap)
        np.testing.assert_array_equal(array, expected)
        assert not array.flags.writeable
    assert (case.original_shape, case.spacing) == ((7, 12, 13), (3.0, 0.75, 0.75))
    assert (case.image_source, case.mask_source) == (Path(GEOMETRY["image_source"]), Path(GEOMETRY["mask_source"]))
    for name, values in intensity_histogram(arrays(0)[0]).items():
        np.testing.assert_array_equal(case.histogram[name], values)
    store.verify("case_1")


def test_the_folder_holds_what_the_contract_says(shard):
    names = ["case (2).classes.npy", "case (2).image.npy", "case_1.classes.npy", "case_1.image.npy", "index.json"]
    assert sorted(path.name for path in shard.iterdir()) == names
    assert len((shard / "index.json").read_text().splitlines()) == 4


def test_the_same_cases_give_the_same_bytes_in_any_order(shard, tmp_path):
    for seed, name in ((1, "case (2)"), (0, "case_1")):
        write_case(tmp_path / "again", name, *arrays(seed), GEOMETRY)
    write_index(tmp_path / "again")
    for path in shard.iterdir():
        assert path.read_bytes() == (tmp_path / "again" / path.name).read_bytes()


def test_histogram_counts_every_voxel_once():
    image, _ = arrays()
    histogram = intensity_histogram(image)
    for channel in range(2):
        values = image[..., channel].astype(np.float64)
        expected, _ = np.histogram(values, bins=BINS, range=(values.min(), values.max()))
        assert histogram["counts"][channel].sum() == values.size
        assert np.abs(histogram["counts"][channel] - expected).sum() <= 2  # a value on an edge may fall to either side
        assert histogram["minimum"][channel] == values.min()
        assert histogram["maximum"][channel] == values.max()
        assert histogram["mean"][channel] == pytest.approx(values.mean(), rel=1e-12)
        assert histogram["std"][channel] == pytest.approx(values.std(), rel=1e-12)


def test_histogram_of_a_constant_channel():
    histogram = intensity_histogram(np.ones((4, 5, 1), dtype=np.float32))
    assert histogram["counts"][0].sum() == 20
    assert (histogram["minimum"][0], histogram["std"][0]) == (1, 0)


def test_memory_order_of_the_arrays_does_not_matter(tmp_path):
    image, classes = arrays()
    write_case(tmp_path, "a", np.asfortranarray(image), np.asfortranarray(classes), GEOMETRY)
    write_index(tmp_path)
    assert Store([tmp_path])["a"].image.flags.c_contiguous
    np.testing.assert_array_equal(Store([tmp_path])["a"].image, image)


def test_cases_without_foreground_and_of_two_axes(tmp_path):
    write_case(tmp_path, "a", np.zeros((4, 5, 3), dtype=np.float32), np.zeros((4, 5), dtype=np.uint8), GEOMETRY)
    write_index(tmp_path)
    assert Store([tmp_path])["a"].classes.shape == (4, 5)


def test_a_store_travels_to_another_process(shard):
    store = pickle.loads(pickle.dumps(Store([shard])))
    np.testing.assert_array_equal(store["case_1"].image, arrays(0)[0])


@pytest.mark.parametrize("name", ["image", "classes"])
def test_a_file_cut_short(shard, name):
    path = shard / f"case_1.{name}.npy"
    size = path.stat().st_size
    path.write_bytes(path.read_bytes()[:-4])
    expected = f"case_1.{name}.npy has {size - 4} bytes, but {size} were written.*run the step `preprocess` again"
    with pytest.raises(UserError, match=expected):
        Store([shard])["case_1"]
    Store([shard])["case (2)"]


def test_a_header_that_disagrees_with_the_index(shard):
    path = shard / "case_1.image.npy"
    image = np.load(path)
    np.save(path, image.reshape(8, 5, 9, 2))
    with pytest.raises(
        UserError, match=re.escape("holds float32 (8, 5, 9, 2), but the index of its folder says float32 (5, 8, 9, 2)")
    ):
        Store([shard])["case_1"]


def test_a_file_that_is_no_array(shard):
    path = shard / "case_1.image.npy"
    path.write_bytes(b"\0" * path.stat().st_size)
    with pytest.raises(UserError, match=r"case_1.image.npy cannot be read as an array"):
        Store([shard])["case_1"]


def test_a_changed_voxel_is_found_by_the_checksum(shard):
    path = shard / "case_1.classes.npy"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    store = Store([shard])
    store["case_1"]
    with pytest.raises(UserError, match=r"case_1.classes.npy has changed since it was written"):
        store.verify("case_1")


def test_missing_files_folders_and_cases(shard, tmp_path):
    with pytest.raises(UserError, match="no preprocessed case 'case_9'"):
        Store([shard])["case_9"]
    (shard / "case_1.image.npy").unlink()
    with pytest.raises(UserError, match=r"case_1.image.npy does not exist, though the index of its folder lists it"):
        Store([shard])["case_1"]
    with pytest.raises(UserError, match=r"index.json does not exist"):
        Store([tmp_path / "nowhere"])


def test_a_case_in_two_shards(shard, tmp_path):
    write_case(tmp_path / "shard_2", "case_1", *arrays(), GEOMETRY)
    write_index(tmp_path / "shard_2")
    with pytest.raises(UserError, match="Case case_1 lies both in"):
        Store([shard, tmp_path / "shard_2"])


@pytest.mark.parametrize("name", ["", "../x", "a/b", ".hidden", "a\n", "a:b", "x" * 151, "ends.", "-rf"])
def test_names_that_cannot_be_file_names(tmp_path, name):
    with pytest.raises(UserError, match="cannot be stored: its name"):
        write_case(tmp_path, name, *arrays(), GEOMETRY)
    assert list(tmp_path.iterdir()) == []


def test_voxels_that_are_not_finite(tmp_path):
    image, classes = arrays()
    image[0, 0, 0, 1] = np.nan
    with pytest.raises(UserError, match="The preprocessed image of a holds voxels that are not finite"):
        write_case(tmp_path, "a", image, classes, GEOMETRY)


def test_wrong_arrays_are_refused(tmp_path):
    image, classes = arrays()
    with pytest.raises(ValueError, match="do not fit"):
        write_case(tmp_path, "a", image.astype(np.float64), classes, GEOMETRY)
    with pytest.raises(ValueError, match="do not fit"):
        write_case(tmp_path, "a", image, classes[:-1], GEOMETRY)


def test_a_full_disk_leaves_nothing(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "save", full)
    with pytest.raises(UserError, match=r"Cannot write .*a\.image\.npy: No space left on device"):
        write_case(tmp_path, "a", *arrays(), GEOMETRY)
    assert list(tmp_path.iterdir()) == []


def test_the_index_is_plain_json(shard):
    entry = json.loads((shard / "index.json").read_text())["case_1"]
    assert entry["shape"] == [5, 8, 9, 2]
    assert set(entry["sha256"]) == {"image", "classes"}
