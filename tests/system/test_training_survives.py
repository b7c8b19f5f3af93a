"""A training that is killed repeatedly at random times ends with the bytes of an uninterrupted one."""

import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from workflow_lib.base.files import read_json

KILLS = 8
"""Number of kills before the training may end."""

TRAINING = """
import os, signal, sys
from pathlib import Path
import workflow_lib.base.files
from tests.unit.training_support import tiny_request
from workflow_lib.training.loop import train

folder, kill_at = Path(sys.argv[1]), int(sys.argv[2])
replace, calls = os.replace, []

def kill(source, target):
    # Between the writing of a checkpoint and its renaming.
    if "checkpoint-" in str(target):
        calls.append(target)
        if len(calls) == kill_at:
            os.kill(os.getpid(), signal.SIGKILL)
    replace(source, target)

os.replace = kill
training = {"epochs": 5, "iterations": 60, "plateau_patience": 1, "learning_rate": 1e-2}
train(tiny_request(folder, training=training, checkpoint_minutes=1e-9, batch_processes=int(sys.argv[3])))
"""


def start(root: Path, folder: Path, kill_at: int = 0, processes: int = 0) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", TRAINING, str(folder), str(kill_at), str(processes)]
    return subprocess.Popen(command, cwd=root, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def outcome(folder: Path) -> tuple[bytes, ...]:
    return tuple((folder / "out" / name).read_bytes() for name in ("model.weights.h5", "history.csv"))


@pytest.fixture(scope="module")
def undisturbed(root: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[tuple[bytes, ...], float]:
    """The results of an uninterrupted training and its duration in seconds."""
    folder = tmp_path_factory.mktemp("undisturbed")
    begun = time.monotonic()
    process = start(root, folder)
    assert process.wait(300) == 0, process.stdout and process.stdout.read()
    return outcome(folder), time.monotonic() - begun


def newest(folder: Path) -> str:
    names = [path.name for path in (folder / "checkpoints" / "abc").glob("checkpoint-*.npz")]
    return max(names, default="")


def test_killed_at_random_instants(root, tmp_path, undisturbed):
    """Most kills occur during a step or a checkpoint; every fourth one exactly between its writing and its renaming."""
    expected, seconds = undisturbed
    draws = random.Random(6)
    reached = ""
    for number in range(KILLS):
        inside = number % 4 == 3
        process = start(root, tmp_path, kill_at=draws.randint(2, 4) if inside else 0, processes=draws.randint(0, 1))
        before = newest(tmp_path)
        end = time.monotonic() + seconds
        while not inside and newest(tmp_path) <= before and time.monotonic() < end and process.poll() is None:
            time.sleep(0.005)
        if not inside:
            time.sleep(draws.uniform(0, 0.15))
            process.kill()
        assert process.wait(300) == -signal.SIGKILL, process.stdout and process.stdout.read()
        assert newest(tmp_path) >= reached, "no step is done twice"
        reached = newest(tmp_path)
    process = start(root, tmp_path)
    assert process.wait(300) == 0, process.stdout and process.stdout.read()
    assert outcome(tmp_path) == expected
    attempts = read_json(tmp_path / "out" / "training.json")["attempts"]
    assert len(attempts) == KILLS + 1
    assert {attempt["ended"] for attempt in attempts[:-1]} == {"running"}


@pytest.mark.parametrize("small_disk", ["3m"], indirect=True)
def test_a_disk_that_is_full_for_a_while(root, small_disk, undisturbed):
    """The training is killed on a full disk, resumes from the last state that was saved, and ends when there is room."""
    expected, _ = undisturbed
    process = start(root, small_disk)
    while not newest(small_disk):
        time.sleep(0.01)
        assert process.poll() is None
    filler = small_disk / "filler"
    with pytest.raises(OSError, match="No space left"), open(filler, "wb", buffering=0) as stream:
        while True:
            stream.write(bytes(1 << 12))
    held = newest(small_disk)
    time.sleep(1)
    assert process.poll() is None, process.stdout and process.stdout.read()
    process.kill()
    process.wait(60)
    assert newest(small_disk) >= held
    # Restarted on the full disk: it resumes, and stops when it cannot write its results.
    process = start(root, small_disk)
    output, _ = process.communicate(timeout=300)
    assert "going on from a checkpoint" in output
    assert process.returncode != 0
    assert "No space left on device" in output
    assert not (small_disk / "out" / "training.json").exists()
    filler.unlink()
    process = start(root, small_disk)
    assert process.wait(300) == 0, process.stdout and process.stdout.read()
    assert outcome(small_disk) == expected
