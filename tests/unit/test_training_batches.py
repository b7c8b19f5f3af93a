"""The batches of a training: order, patches, validation set."""

from collections import Counter

import numpy as np
import pytest

from tests.unit.augmentation_support import MemoryCase, histogram, smooth_case
from tests.unit.training_support import validation_batches
from workflow_lib.base.errors import UserError
from workflow_lib.preprocessing.store import Geometry, Store, write_case, write_index
from workflow_lib.study.sections.augmentation import Augmentation
from workflow_lib.training.batches import (
    case_order,
    cases_of_step,
    training_batch,
    validation_steps,
)

PATCH = (8, 10, 6)
ALWAYS = Augmentation(probability=1.0, scaling=(0.85, 1.25))


@pytest.fixture(scope="module")
def store():
    return {f"case_{n}": smooth_case((14, 16 + n, 9), channels=2, seed=n, name=f"case_{n}") for n in range(5)}


def constant_store(count: int) -> dict[str, MemoryCase]:
    """Cases that hold their own number, to be told apart in a batch."""
    store = {}
    for n in range(count):
        image = np.full((12, 12, 12, 1), n, dtype=np.float32)
        store[f"case_{n}"] = MemoryCase(f"case_{n}", image, np.zeros((12, 12, 12), dtype=np.uint8), histogram(image))
    return store


def test_order_is_a_permutation_new_every_epoch_and_a_function_of_the_set():
    cases = [f"c{n}" for n in range(12)]
    orders = [case_order(cases, 7, epoch) for epoch in range(1, 6)]
    assert all(sorted(order) == sorted(cases) for order in orders)
    assert len({tuple(order) for order in orders}) == 5
    assert case_order(cases[::-1], 7, 3) == orders[2]
    assert case_order(cases, 8, 3) != orders[2]


def test_steps_take_the_next_cases_of_a_rolling_list():
    order = ["a", "b", "c", "d", "e"]
    steps = [cases_of_step(order, 2, step) for step in range(5)]
    assert steps == [["a", "b"], ["c", "d"], ["e", "a"], ["b", "c"], ["d", "e"]]
    assert cases_of_step(["a"], 2, 3) == ["a", "a"]


def test_an_epoch_sees_every_case_equally_often():
    store = constant_store(5)
    off = Augmentation(probability=0.0)
    seen: Counter[float] = Counter()
    for step in range(10):
        images, _ = training_batch(store, list(store), (4, 4, 4), 2, off, 1, 1, step)
        seen.update(float(image.flat[0]) for image in images)
    assert seen == {float(n): 4 for n in range(5)}


def test_training_batch_has_shapes_and_depends_on_every_name(store):
    images, classes = training_batch(store, list(store), PATCH, 3, ALWAYS, 1, 2, 3)
    assert images.shape == (3, *PATCH, 2)
    assert images.dtype == np.float32
    assert classes.shape == (3, *PATCH)
    assert classes.dtype == np.uint8
    assert set(np.unique(classes)) <= {0, 1, 2, 255}
    again, classes_again = training_batch(store, list(store)[::-1], PATCH, 3, ALWAYS, 1, 2, 3)
    np.testing.assert_array_equal(again, images)
    np.testing.assert_array_equal(classes_again, classes)
    for seed, epoch, step in ((2, 2, 3), (1, 3, 3), (1, 2, 4)):
        other, _ = training_batch(store, list(store), PATCH, 3, ALWAYS, seed, epoch, step)
        assert not np.array_equal(other, images)


def test_two_patches_of_one_case_differ():
    store = {"only": smooth_case((30, 30, 30))}
    images, _ = training_batch(store, ["only"], (8, 8, 8), 2, Augmentation(probability=0, mirror=False), 1, 1, 0)
    assert not np.array_equal(images[0], images[1])


def test_augmentation_off_gives_voxels_of_the_volume(store):
    case = store["case_0"]
    off = Augmentation(probability=0, mirror=False)
    images, classes = training_batch({"case_0": case}, ["case_0"], PATCH, 1, off, 1, 1, 0)
    windows = np.lib.stride_tricks.sliding_window_view(case.image, (*PATCH, 2))
    places = np.argwhere((windows == images[0]).all(axis=tuple(range(-4, 0))))
    assert len(places) == 1
    window = tuple(slice(first, first + side) for first, side in zip(places[0][:3], PATCH, strict=True))
    np.testing.assert_array_equal(classes[0], case.classes[window])


def test_fixed_validation_ignores_the_epoch_and_random_follows_it(store):
    first, later = (validation_batches(store, list(store), PATCH, 2, "fixed", 1, epoch) for epoch in (1, 9))
    for batch, same in zip(first, later, strict=True):
        np.testing.assert_array_equal(batch[0], same[0])
        np.testing.assert_array_equal(batch[1], same[1])
    one, two = (validation_batches(store, list(store), PATCH, 2, "random", 1, epoch) for epoch in (1, 2))
    assert not all(np.array_equal(batch[0], other[0]) for batch, other in zip(one, two, strict=True))


@pytest.mark.parametrize("mode", ["fixed", "random"])
def test_validation_sees_every_case_and_fills_the_last_batch_from_the_beginning(mode):
    store = constant_store(5)
    batches = validation_batches(store, list(store), (4, 4, 4), 2, mode, 3, 1)
    assert len(batches) == validation_steps(list(store), 2) == 3
    seen = [float(image.flat[0]) for images, _ in batches for image in images]
    assert sorted(seen[:5]) == [0, 1, 2, 3, 4]
    assert seen[5] == seen[0]


def test_batches_of_the_store_on_disk(store, tmp_path):
    for name, case in store.items():
        geometry: Geometry = {"original_shape": (1, 1, 1), "spacing": (1, 1, 1), "image_source": "", "mask_source": ""}
        write_case(tmp_path, name, case.image, case.classes, geometry)
    write_index(tmp_path)
    stored = Store([tmp_path])
    for step in range(3):
        images, classes = training_batch(stored, stored.case_ids, PATCH, 2, ALWAYS, 1, 1, step)
        expected, expected_classes = training_batch(store, list(store), PATCH, 2, ALWAYS, 1, 1, step)
        np.testing.assert_allclose(images, expected, rtol=0, atol=1e-5)
        np.testing.assert_array_equal(classes, expected_classes)


def test_a_fold_without_cases_is_told():
    with pytest.raises(UserError, match="at least one case"):
        training_batch({}, [], PATCH, 2, ALWAYS, 1, 1, 0)
