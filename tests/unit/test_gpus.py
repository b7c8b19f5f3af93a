"""The GPUs that a job reserves if no scheduler has assigned them."""

import subprocess
import sys

import pytest

from workflow_lib.host import gpus

TAKE = """
import pathlib, sys
from workflow_lib.host import gpus
environment = {"CUDA_VISIBLE_DEVICES": sys.argv[2]}
print(gpus.take(int(sys.argv[3]), environment, folder=pathlib.Path(sys.argv[1])), environment["CUDA_VISIBLE_DEVICES"], flush=True)
sys.stdin.read()
"""


class Job:
    """A process that reserves GPUs until it ends."""

    def __init__(self, folder, visible, count):
        command = [sys.executable, "-c", TAKE, str(folder), visible, str(count)]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.stdin = self.process.stdin
        self.said = self.process.stdout.readline().strip()

    def end(self, kill=False):
        self.process.kill() if kill else self.stdin.close()
        self.process.wait(30)


def test_jobs_side_by_side_take_different_gpus_and_give_them_back(tmp_path):
    one = Job(tmp_path, "0,1,2", 1)
    two = Job(tmp_path, "0,1,2", 2)
    none = Job(tmp_path, "0,1,2", 1)
    assert [job.said for job in (one, two, none)] == ["['0'] 0", "['1', '2'] 1,2", "[] 0,1,2"]
    one.end(kill=True)
    two.end()
    again = Job(tmp_path, "0,1,2", 2)
    assert again.said == "['0', '1'] 0,1"
    for job in (none, again):
        job.end()


@pytest.mark.parametrize(("given", "count"), [("3", 1), ("GPU-aa,GPU-bb", 2), ("-1", 1), ("", 1), ("0,1", 0), ("0", 2)])
def test_what_a_scheduler_gave_stays(tmp_path, given, count):
    environment = {gpus.VISIBLE: given}
    assert gpus.take(count, environment, folder=tmp_path / "locks") == []
    assert environment == {gpus.VISIBLE: given}


def test_the_gpus_of_the_machine_are_counted_where_nothing_is_said(tmp_path):
    for name in ("nvidia1", "nvidia3", "nvidiactl", "nvidia-uvm", "null"):
        (tmp_path / name).touch()
    assert gpus.visible({}, tmp_path) == ["0", "1"]
    assert gpus.visible({gpus.VISIBLE: "5,-1,6"}, tmp_path) == ["5"]
    environment: dict[str, str] = {}
    assert gpus.take(1, environment, tmp_path, tmp_path / "locks") == ["0"]
    assert environment == {gpus.VISIBLE: "0"}
