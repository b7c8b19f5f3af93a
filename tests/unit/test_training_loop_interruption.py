"""A training that was stopped ends as if it never was: the same bytes in weights and history."""

import os
import signal
import subprocess
import sys
import time

import pytest

from tests.unit.test_training_workers import children
from tests.unit.training_support import tiny_request
from workflow_lib.base.errors import UserError
from workflow_lib.base.files import read_json
from workflow_lib.training.interruption import StopRequest
from workflow_lib.training.loop import train

STEPS = [(epoch, step) for epoch in (1, 2, 3) for step in (1, 2)]


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    result = train(tiny_request(tmp_path_factory.mktemp("undisturbed")))
    return result.weights.read_bytes(), result.history.read_bytes()


def outcome(result):
    return result.weights.read_bytes(), result.history.read_bytes()


def send(number, *positions):
    """Send ourselves a signal after these steps."""
    return lambda *position: os.kill(os.getpid(), number) if position in positions else None


@pytest.mark.parametrize(
    ("number", "position"),
    [(signal.SIGTERM, (1, 1)), (signal.SIGINT, (2, 2)), (signal.SIGUSR1, (3, 2))],
)
def test_a_signal_saves_the_state_and_the_next_run_goes_on(undisturbed, tmp_path, number, position):
    request = tiny_request(tmp_path)
    with pytest.raises(SystemExit) as stopped:
        train(request, send(number, position))
    assert stopped.value.code == 128 + number
    assert not request.output.exists()
    seen = []
    result = train(request, lambda *position: seen.append(position))
    assert seen == STEPS[STEPS.index(position) + 1 :]
    assert outcome(result) == undisturbed
    first, second = result.record["attempts"]
    assert (first["ended"], second["ended"]) == ("interrupted", "finished")
    assert (first["last_epoch"], first["last_step"]) == position


@pytest.mark.parametrize(
    "settings",
    [
        {"optimiser": "adamw", "optimiser_parameters": {"weight_decay": 0.1}},
        {"optimiser": "sgd", "momentum": 0.9, "batch_size": 4, "accumulation": 2},
    ],
    ids=["adamw", "sgd"],
)
def test_the_state_of_other_optimisers_is_kept_too(tmp_path, settings):
    settings = {"epochs": 1, "iterations": 3, "patch": (8, 8), **settings}
    whole = train(tiny_request(tmp_path / "whole", shape=(12, 10), training=settings))
    request = tiny_request(tmp_path / "stopped", shape=(12, 10), training=settings)
    with pytest.raises(SystemExit):
        train(request, send(signal.SIGTERM, (1, 2)))
    assert outcome(train(request)) == outcome(whole)


def test_stopped_several_times(undisturbed, tmp_path):
    request = tiny_request(tmp_path)
    stops = [(1, 2), (2, 1), (2, 2)]
    for position in stops:
        with pytest.raises(SystemExit):
            train(request, send(signal.SIGTERM, position))
    result = train(request)
    assert outcome(result) == undisturbed
    assert len(result.record["attempts"]) == len(stops) + 1


def test_after_an_error_the_last_checkpoint_is_where_it_goes_on(undisturbed, tmp_path):
    position = (3, 1)

    def fail(*reached):
        if reached == position:
            raise RuntimeError("the machine dies")

    request = tiny_request(tmp_path, checkpoint_minutes=1e-9)
    with pytest.raises(RuntimeError, match="the machine dies"):
        train(request, fail)
    seen = []
    # Saved after each step, but the step of the error came to nothing.
    result = train(request, lambda *position: seen.append(position))
    assert seen == STEPS[STEPS.index(position) :]
    assert outcome(result) == undisturbed
    assert result.record["attempts"][0]["ended"] == "failed"


def test_a_damaged_checkpoint_falls_back_to_the_one_before(undisturbed, tmp_path, capsys):
    request = tiny_request(tmp_path, checkpoint_minutes=1e-9)
    with pytest.raises(SystemExit):
        train(request, send(signal.SIGTERM, (2, 2)))
    newest = request.checkpoints / "checkpoint-000002-000002.npz"
    newest.write_bytes(newest.read_bytes()[:-100])
    seen = []
    result = train(request, lambda *position: seen.append(position))
    assert seen[0] == (2, 2)
    assert outcome(result) == undisturbed
    assert "checkpoint-000002-000002.npz is not used: it is damaged" in capsys.readouterr().out


def test_another_fingerprint_begins_anew(undisturbed, tmp_path):
    with pytest.raises(SystemExit):
        train(tiny_request(tmp_path, fingerprint="abd", seed=99), send(signal.SIGTERM, (2, 2)))
    seen = []
    result = train(tiny_request(tmp_path), lambda *position: seen.append(position))
    assert seen == STEPS
    assert outcome(result) == undisturbed


def test_killed_in_a_process_of_its_own(undisturbed, tmp_path):
    command = [sys.executable, "-m", "tests.unit.training_support", str(tmp_path), "2", "2"]
    killed = subprocess.run(command, capture_output=True, timeout=120, check=False)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    request = tiny_request(tmp_path)
    assert read_json(request.checkpoints / "attempts.json")[0]["ended"] == "running"
    result = train(request)
    assert outcome(result) == undisturbed
    first, second = result.record["attempts"]
    assert (first["ended"], first["first_epoch"]) == ("running", 1)
    assert (second["first_epoch"], second["first_step"]) == (2, 2)


@pytest.mark.parametrize("position", [(2, 1), (1, 2)])
def test_a_killed_process_for_batches_ends_the_training_with_its_state_saved(undisturbed, tmp_path, position):
    """In the middle of an epoch, and at its end, where the validation asks for batches of processes that are gone."""
    request = tiny_request(tmp_path, batch_processes=2)

    def kill(*reached):
        if reached == position:
            for process in children():
                os.kill(process, signal.SIGKILL)
            time.sleep(0.5)

    with pytest.raises(UserError, match="process that prepares batches was killed"):
        train(request, kill)
    seen = []
    result = train(request, lambda *position: seen.append(position))
    # What was asked for ahead may still have come.
    assert STEPS[0] not in seen
    assert STEPS[-1] in seen
    assert outcome(result) == undisturbed


def test_a_signal_to_all_processes_of_the_job(undisturbed, tmp_path):
    """As a scheduler sends it: the processes that make batches die of it, and the training leaves in order."""
    for number, position in ((signal.SIGTERM, "2 1"), (signal.SIGINT, "3 1")):
        command = [sys.executable, "-m", "tests.unit.training_support", tmp_path, *position.split(), str(int(number)), "2"]
        done = subprocess.run(command, capture_output=True, text=True, start_new_session=True, timeout=300, check=False)
        assert done.returncode == 128 + number, done.stdout + done.stderr
        assert "Traceback" not in done.stderr
        assert "state saved" in done.stdout
    result = train(tiny_request(tmp_path))
    assert outcome(result) == undisturbed
    assert [attempt["ended"] for attempt in result.record["attempts"]] == ["interrupted", "interrupted", "finished"]


def test_signals_are_given_back():
    before = [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1)]
    with StopRequest() as stop:
        assert not stop
        os.kill(os.getpid(), signal.SIGUSR1)
        assert stop
        assert stop.exit_code == 128 + signal.SIGUSR1
    assert [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1)] == before


BEGINNING = """
import sys, time
from pathlib import Path
from tests.unit.training_support import tiny_request
from workflow_lib.training import epochs, loop

def compiling(*_):
    # As a library does that compiles for minutes.
    Path(sys.argv[1], "compiling").touch()
    import ctypes
    while True:
        ctypes.CDLL(None).sleep(100)

if sys.argv[2] == "first step":
    epochs.Steps.train = compiling
else:
    epochs.compile_model = compiling
loop.train(tiny_request(Path(sys.argv[1])))
"""


@pytest.mark.parametrize("where", ["building", "first step"])
def test_before_the_first_step_a_signal_ends_the_training_at_once(root, tmp_path, where):
    process = subprocess.Popen(
        [sys.executable, "-c", BEGINNING, str(tmp_path), where], cwd=root, stdout=subprocess.PIPE, text=True
    )
    while not (tmp_path / "compiling").exists():
        assert process.poll() is None
        time.sleep(0.01)
    time.sleep(0.2)
    process.send_signal(signal.SIGTERM)
    output, _ = process.communicate(timeout=20)
    assert process.returncode == 128 + signal.SIGTERM
    assert "stopped by signal 15 before its first step" in output
    assert [attempt["ended"] for attempt in read_json(tmp_path / "checkpoints/abc/attempts.json")] == ["interrupted"]


SLOW = """
import ctypes, sys, time
from pathlib import Path
from tests.unit.training_support import tiny_request
from workflow_lib.training import clock, epochs, interruption, loop

folder, which, count, interruption.PATIENCE = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), float(sys.argv[4])
clock.SLOW_STEP = 0.0
whole = getattr(epochs.Steps, which)

def endless(self, *batch):
    # As a step of a large network on a CPU.
    global count
    count -= 1
    if count >= 0:
        return whole(self, *batch)
    loss = whole(self, *batch)
    (folder / "slow").touch()
    end = time.monotonic() + float(sys.argv[5])
    while time.monotonic() < end:
        ctypes.CDLL(None).usleep(10000)
    return loss

setattr(epochs.Steps, which, endless)
loop.train(tiny_request(folder, batch_processes=int(sys.argv[6])))
"""


def stopped_in_a_slow_step(root, folder, which, count, patience, seconds, processes=0):
    """Return what the training said that got SIGTERM within its step number `count`, from 0."""
    arguments = [str(folder), which, str(count), str(patience), str(seconds), str(processes)]
    process = subprocess.Popen(
        [sys.executable, "-c", SLOW, *arguments], cwd=root, stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    while not (folder / "slow").exists():
        assert process.poll() is None
        time.sleep(0.01)
    time.sleep(0.2)
    process.send_signal(signal.SIGTERM)
    # Until the pipe is closed, which those that make batches hold too: they must end with it.
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 128 + signal.SIGTERM, output
    assert [attempt["ended"] for attempt in read_json(folder / "checkpoints/abc/attempts.json")] == ["interrupted"]
    return output


@pytest.mark.parametrize(
    ("which", "count", "checkpoint", "processes"),
    [("train", 1, "000001-000001", 0), ("train", 3, "000002-000001", 2), ("validate", 0, "000001-000002", 0)],
)
def test_a_step_that_takes_too_long_is_left_and_done_again(undisturbed, root, tmp_path, which, count, checkpoint, processes):
    output = stopped_in_a_slow_step(root, tmp_path, which, count, patience=0.1, seconds=1000, processes=processes)
    assert f"checkpoint-{checkpoint}.npz" in output
    seen = []
    result = train(tiny_request(tmp_path), lambda *position: seen.append(position))
    epoch, step = (int(part) for part in checkpoint.split("-"))
    assert seen == STEPS[STEPS.index((epoch, step)) + 1 :]
    assert outcome(result) == undisturbed


def test_a_slow_step_that_ends_in_time_counts(undisturbed, root, tmp_path):
    output = stopped_in_a_slow_step(root, tmp_path, "train", 2, patience=60, seconds=2)
    assert "checkpoint-000002-000001.npz" in output
    assert outcome(train(tiny_request(tmp_path))) == undisturbed
