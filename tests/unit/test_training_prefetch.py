"""Batches asked for ahead of time."""

import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from workflow_lib.base.errors import UserError
from workflow_lib.training.prefetch import Prefetcher


def test_order_is_kept_when_later_ones_are_ready_first():
    def make(step):
        time.sleep(0.02 if step % 3 == 0 else 0)
        return step

    with ThreadPoolExecutor(4) as pool:
        assert list(Prefetcher(lambda step: pool.submit(make, step).result, range(7, 27), depth=6)) == list(range(7, 27))


def test_what_is_asked_for_ahead_is_bounded():
    begun = []

    def begin(step):
        begun.append(step)
        return lambda: step

    source = Prefetcher(begin, range(100), depth=3)
    assert begun == [0, 1, 2]
    assert next(source) == 0
    assert begun == [0, 1, 2, 3]
    with pytest.raises(ValueError, match="depth"):
        Prefetcher(begin, range(3), depth=0)


def test_an_error_comes_at_its_place_and_nothing_after_it():
    def begin(step):
        def wait():
            if step == 2:
                raise UserError("case_7 is damaged")
            return step

        return wait

    source = Prefetcher(begin, range(50), depth=4)
    assert [next(source), next(source)] == [0, 1]
    with pytest.raises(UserError, match="case_7 is damaged"):
        next(source)
    assert list(source) == []
