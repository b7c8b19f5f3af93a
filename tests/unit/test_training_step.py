"""One training step: the same numbers as Keras's own, and no waiting for them."""

import math
import threading
import time
from concurrent.futures import Future
from typing import Any

import numpy as np
import pytest

from tests.unit.training_support import tiny_request
from workflow_lib.training import batches, epochs, loop
from workflow_lib.training.clock import StepClock
from workflow_lib.training.model import compile_model
from workflow_lib.training.prefetch import Prefetcher
from workflow_lib.training.step import Loss, Steps


def compiled(tmp_path, **changes):
    """Return a tiny model and a function that gives the batch of a step."""
    request = tiny_request(tmp_path, **changes)

    def batch(step):
        return batches.training_batch(
            request.store,
            request.training_cases,
            request.training.patch,
            request.training.batch_size,
            request.augmentation,
            request.seed,
            1,
            step,
        )

    return compile_model(request), batch


@pytest.mark.parametrize("size", [2, 3])
def test_steps_are_those_of_keras_to_the_last_bit(tmp_path, size):
    """Three patches: Keras's mean over samples divides by three again, which rounds."""
    theirs, batch = compiled(tmp_path, training={"batch_size": size})
    ours, _ = compiled(tmp_path, training={"batch_size": size})
    with Steps(ours) as steps:
        for index in range(3):
            assert steps.train(*batch(index)).result() == float(theirs.train_on_batch(*batch(index)))
        assert steps.validate(*batch(3)).result() == float(theirs.test_on_batch(*batch(3)))
    assert all(np.array_equal(a, b) for a, b in zip(ours.get_weights(), theirs.get_weights(), strict=True))


def test_the_network_is_traced_once_for_all_training_steps_and_once_for_validation(tmp_path, monkeypatch):
    model, batch = compiled(tmp_path)
    traced = []

    def told(name):
        step = getattr(model, name)

        def traced_step(data):
            traced.append(name)
            return step(data)

        return traced_step

    for name in ("train_step", "test_step"):
        monkeypatch.setattr(model, name, told(name))
    with Steps(model) as steps:
        for index in range(3):
            steps.train(*batch(index)).result()
            steps.validate(*batch(index)).result()
    assert sorted(traced) == ["test_step", "train_step"]


def test_no_thread_is_left(tmp_path):
    model, batch = compiled(tmp_path)
    before = threading.active_count()
    with Steps(model) as steps:
        steps.train(*batch(0))
        assert threading.active_count() == before + 1
    assert threading.active_count() == before


@pytest.fixture
def events(monkeypatch):
    """What the loop does with its steps, in order: ("begin" or "look", number of the step), with losses of the test's choice."""
    happened: list[tuple[str, int]] = []
    losses: dict[int, float] = {}

    class Told(Future):
        def __init__(self, number):
            super().__init__()
            self.number = number
            self.set_result(losses.get(number, 0.5))

        def result(self, timeout=None):
            happened.append(("look", self.number))
            return super().result(timeout)

    class Fake(Steps):
        def train(self, images, classes):
            number = sum(kind == "begin" for kind, _ in happened) + 1
            happened.append(("begin", number))
            return Told(number)

    monkeypatch.setattr(epochs, "Steps", Fake)
    return happened, losses


def test_a_step_is_queued_before_the_last_one_is_looked_at(tmp_path, events):
    happened, _ = events
    loop.train(tiny_request(tmp_path, training={"epochs": 2, "iterations": 3}))
    epoch = ["begin 1", "begin 2", "look 1", "begin 3", "look 2", "look 3"]
    assert [f"{kind} {number}" for kind, number in happened[:6]] == epoch
    assert [kind for kind, _ in happened[6:]] == [kind for kind, _ in happened[:6]]


def test_the_step_that_diverged_is_named_and_not_the_one_queued_behind_it(tmp_path, events):
    _, losses = events
    losses[2] = math.inf
    diverged = loop.train(tiny_request(tmp_path, training={"epochs": 1, "iterations": 4})).record["diverged"]
    assert (diverged["value"], diverged["epoch"], diverged["step"]) == ("inf", 1, 2)


def test_the_mean_of_an_epoch_holds_every_step_once(tmp_path, events):
    _, losses = events
    losses |= {1: 0.1, 2: 0.2, 3: 0.7}
    result = loop.train(tiny_request(tmp_path, training={"epochs": 1, "iterations": 3}, checkpoint_minutes=1e-9))
    assert float(result.history.read_text().splitlines()[1].split(",")[1]) == (0.1 + 0.2 + 0.7) / 3


def test_the_network_does_not_wait_while_a_step_is_under_way():
    clock = StepClock()
    source: Any = Prefetcher(lambda step: lambda: time.sleep(0.05), range(3), depth=1)
    step: Loss = Future()
    clock.watch(step)
    clock.next(source)  # the device is busy, only the host waits
    assert clock.waited == 0
    step.set_result(0.5)
    assert clock._idle_since > 0
    clock.next(source)
    assert 0.04 < clock.waited < 5
