"""Many questions to a file system, in order, whether it is quick or slow."""

import threading
import time

from workflow_lib.base import parallel


def test_quick_answers_come_one_after_the_other_and_slow_ones_side_by_side():
    threads = set()

    def ask(seconds):
        def function(number):
            threads.add(threading.get_ident())
            time.sleep(seconds)
            return number * 2

        return function

    items = list(range(200))
    assert parallel.mapped(ask(0), items) == [2 * item for item in items]
    assert threads == {threading.get_ident()}
    assert parallel.mapped(ask(0.002), items) == [2 * item for item in items]
    assert len(threads) > 2
    assert parallel.mapped(ask(0), []) == []
