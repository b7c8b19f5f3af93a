"""What a training tells about how far it is."""

import io
import re
import time

import pytest

from workflow_lib.base.durations import duration
from workflow_lib.training.progress import Progress


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def clock(monkeypatch):
    """A clock that the test sets."""

    class Clock:
        now = 0.0

    monkeypatch.setattr(time, "monotonic", lambda: Clock.now)
    return Clock


def run(told, clock, seconds_per_step, epochs=2, steps=100):
    for epoch in range(1, epochs + 1):
        for step in range(1, steps + 1):
            clock.now += seconds_per_step
            told.step(epoch, step, 0.5)
        told.epoch(epoch, 0.5, 0.25, 3e-4, epoch == 1)


def test_a_log_has_one_line_per_short_epoch(clock):
    stream = io.StringIO()
    run(Progress("kits19 dice fold 1", 2, 100, stream), clock, 0.1)
    assert stream.getvalue().splitlines() == [
        "kits19 dice fold 1: epoch 1/2: training loss 0.5, validation loss 0.25 (lowest so far), learning rate 0.0003, "
        "10 steps/s, 10 s left",
        "kits19 dice fold 1: epoch 2/2: training loss 0.5, validation loss 0.25, learning rate 0.0003, 10 steps/s, 0 s left",
    ]


def test_within_a_long_epoch_a_log_has_a_line_a_minute(clock):
    stream = io.StringIO()
    run(Progress("x", 1, 100, stream), clock, 7, epochs=1)
    lines = stream.getvalue().splitlines()
    assert len(lines) == 1 + 700 // 63
    assert lines[0] == "x: epoch 1/1, step 9/100, training loss 0.5, 0.143 steps/s, 10 min 37 s left"


def test_a_terminal_has_one_line_that_renews_itself(clock):
    stream = Terminal()
    run(Progress("x", 1, 100, stream), clock, 0.1, epochs=1)
    bars = stream.getvalue().split("\r")
    assert 30 < len(bars) < 60
    shown = re.findall(r"epoch 1/1 (█*)(·*) (\d+)/100 ", stream.getvalue())
    assert len(shown) > 30
    assert all((len(filled), len(empty)) == (round(0.24 * int(step)), 24 - len(filled)) for filled, empty, step in shown)
    # The last line stands on its own, the bar before it is wiped out.
    assert bars[-1].startswith("\033[Kx: epoch 1/1: training loss")


def test_the_rate_leaves_out_the_first_step_which_compiles(clock):
    stream = io.StringIO()
    told = Progress("x", 1, 3, stream)
    clock.now = 50.0
    told.step(1, 1, 0.5)
    clock.now = 61.0
    told.step(1, 2, 0.5)
    assert "0.0909 steps/s, 11 s left" in stream.getvalue()


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.4, "0 s"), (59.6, "1 min"), (725, "12 min 5 s"), (12000, "3 h 20 min"), (187200, "2 d 4 h")]
)
def test_durations(seconds, text):
    assert duration(seconds) == text
