"""Seeded draws only depend on their names, and are equal on every machine."""

from workflow_lib.base.seeds import derive, generator


def test_the_same_name_gives_the_same_numbers_and_another_name_others():
    first = generator(1, "batch", 2, 3).random(4).tolist()
    assert generator(1, "batch", 2, 3).random(4).tolist() == first
    others = [generator(2, "batch", 2, 3), generator(1, "batch", 3, 2), generator(1, "batch", "2", 3), generator(1, "batch2", 3)]
    assert all(other.random(4).tolist() != first for other in others)


def test_the_numbers_are_the_same_on_every_machine():
    # Fixed values; a change of them changes every study.
    assert derive(42, "folds", "kits19") == 1086850289
    assert generator(42, "a").integers(0, 1000, 5).tolist() == [783, 522, 934, 156, 567]


def test_derived_seeds_fit_31_bits():
    assert all(0 <= derive(seed, "x") < 2**31 for seed in range(200))
