"""What is kept of every attempt of a training, and what the next one asks for."""

import json

import pytest

from workflow_lib.base.files import read_json
from workflow_lib.training import attempts
from workflow_lib.training.attempts import AttemptLog


def test_attempts_add_up_and_a_killed_one_counts(tmp_path, monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    first = AttemptLog(tmp_path, 1, 0)
    assert read_json(tmp_path / "attempts.json")[0]["ended"] == "running"
    first.advance(1, 1, 0.5)
    # Killed here: nothing was written since the start.
    second = AttemptLog(tmp_path, 1, 0, interval=0)
    second.attempt.device = "cpu"
    second.advance(1, 1, 0.25)
    second.advance(1, 2, 0.5)
    second.write("interrupted")
    third = AttemptLog(tmp_path, 1, 2)
    third.write("finished")
    written = json.loads((tmp_path / "attempts.json").read_text())
    assert [attempt["ended"] for attempt in written] == ["running", "interrupted", "finished"]
    assert written[1] | {"seconds": 0, "started": "", "host": ""} == {
        "host": "",
        "device": "cpu",
        "started": "",
        "seconds": 0,
        "gpus": 0,
        "visible_gpus": "0",
        "waiting_seconds": 0.5,
        "first_epoch": 1,
        "first_step": 1,
        "last_epoch": 1,
        "last_step": 2,
        "steps": 2,
        "ended": "interrupted",
    }
    assert written[2]["first_step"] == 3
    assert written == third.all()


def test_a_damaged_record_of_attempts_stops_nothing(tmp_path):
    (tmp_path / "attempts.json").write_text("{ cut")
    log = AttemptLog(tmp_path, 1, 0)
    assert len(log.all()) == 1


def ended(*endings):
    return [{"ended": ending, "seconds": 10.0} for ending in endings]


@pytest.mark.parametrize(
    ("endings", "retry", "factor"),
    [
        ([], 0, 1),
        (["out of memory"], 1, 2),
        (["out of memory"], 0, 2),
        (["out of memory", "out of memory"], 2, 4),
        (["out of memory"] * 6, 6, 8),
        (["interrupted"], 1, 1),
        (["interrupted", "interrupted", "interrupted"], 2, 1),
        (["failed"], 1, 1),
        (["running"], 1, 2),
        (["running", "running"], 0, 1),
        (["running", "running", "interrupted"], 1, 1),
        (["running", "interrupted", "out of memory"], 1, 2),
        ([], 2, 4),
    ],
    ids=[
        "a new training",
        "its memory was used up",
        "told in an earlier run",
        "twice",
        "again and again",
        "stopped by a signal",
        "and again",
        "another error",
        "killed without a word",
        "killed in earlier runs",
        "killed in an earlier run, then stopped",
        "all of them",
        "dead before the first word",
    ],
)
def test_memory_is_raised_for_want_of_memory_only(endings, retry, factor):
    assert attempts.memory_factor(ended(*endings), retry) == factor


def after(*seconds, ending="interrupted"):
    return [{"ended": ending, "seconds": value} for value in seconds]


@pytest.mark.parametrize(
    ("record", "longest", "minutes"),
    [
        (after(), 300, 60),
        (after(3590), 300, 120),
        (after(3590), None, 60),
        (after(3590), 60, 60),
        (after(3590), 30, 60),
        (after(3590, ending="running"), 300, 120),
        (after(3590, ending="failed"), 300, 60),
        (after(3590, 3590), 300, 120),
        (after(3590, 7190), 300, 180),
        (after(100, 2000), 300, 60),
        (after(3590, 7190, 10790, 14390, 17990), 300, 300),
    ],
)
def test_time_is_raised_after_an_attempt_that_met_its_limit(record, longest, minutes):
    assert attempts.time_limit(record, 60, longest) == minutes


def test_the_record_that_was_written_last_is_read(tmp_path):
    assert attempts.read(tmp_path) == []
    AttemptLog(tmp_path / "one", 1, 0).write("interrupted")
    AttemptLog(tmp_path / "two", 1, 0).write("failed")
    assert [attempt["ended"] for attempt in attempts.read(tmp_path)] == ["failed"]
    (tmp_path / "two" / "attempts.json").write_text("{ cut")
    assert attempts.read(tmp_path) == []
