"""Threads and processes that make the batches of a training."""

import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from tests.unit.augmentation_support import smooth_case
from workflow_lib.base.errors import Faults, UserError
from workflow_lib.preprocessing.store import Geometry, Store, write_case, write_index
from workflow_lib.study.sections.augmentation import Augmentation
from workflow_lib.training.batches import BatchMaker
from workflow_lib.training.prefetch import Prefetcher
from workflow_lib.training.workers import KEPT, Processes, Threads, WorkerDiedError, check_room

PATCH = (8, 10, 6)


@dataclass(frozen=True)
class Numbered:
    """Instead of a BatchMaker: batches that hold their own step. Step 13 has faults, step 14 kills its process."""

    patch: tuple[int, ...] = (4, 4)
    channels: int = 1
    batch_size: int = 2
    seconds: float = 0.0

    def __call__(self, kind, epoch, step):
        time.sleep(self.seconds)
        if step == 13:
            raise Faults("Cases are damaged:", ["case_7"])
        if step == 14:
            os.kill(os.getpid(), signal.SIGKILL)
        return np.full((2, 4, 4, 1), step, np.float32), np.full((2, 4, 4), epoch if kind == "training" else 100 + epoch, np.uint8)


def children():
    """Processes that were started by this one and have not ended."""
    listed = Path(f"/proc/self/task/{threading.main_thread().native_id}/children").read_text().split()
    return {int(pid) for pid in listed if "spawn_main" in Path(f"/proc/{pid}/cmdline").read_text(errors="replace")}


@pytest.fixture(scope="module")
def maker(tmp_path_factory):
    folder = tmp_path_factory.mktemp("store")
    geometry: Geometry = {"original_shape": (1, 1, 1), "spacing": (1, 1, 1), "image_source": "", "mask_source": ""}
    for n in range(5):
        case = smooth_case((14, 16 + n, 9), channels=2, seed=n)
        write_case(folder, f"case_{n}", case.image, case.classes, geometry)
    write_index(folder)
    store, always = Store([folder]), Augmentation(probability=1.0, scaling=(0.85, 1.25))
    return BatchMaker(store, ("case_0", "case_1", "case_2"), ("case_3", "case_4"), PATCH, 2, 2, always, "random", 5)


@pytest.mark.parametrize(("kind", "count"), [(Threads, 1), (Threads, 3), (Processes, 1), (Processes, 3)])
def test_batches_are_the_same_whoever_makes_them(maker, kind, count):
    with kind(maker, count, depth=3) as workers:
        training = Prefetcher(lambda step: workers.begin("training", 2, step), range(9), workers.depth)
        validation = Prefetcher(lambda step: workers.begin("validation", 3, step), range(5), workers.depth)
        # Both at a time, as in a training.
        for step in range(5):
            for name, epoch, source in (("training", 2, training), ("validation", 3, validation)):
                for made, expected in zip(next(source), maker(name, epoch, step), strict=True):
                    assert made.dtype == expected.dtype
                    np.testing.assert_array_equal(made, expected)


@pytest.mark.parametrize("kind", [Threads, Processes])
def test_a_batch_stays_while_the_next_ones_come(kind):
    with kind(Numbered(), 2, depth=3) as workers:
        source = Prefetcher(lambda step: workers.begin("training", 1, step), range(12), workers.depth)
        given = []
        for images, _ in source:
            given.append(images)
            time.sleep(0.02)
            for back, earlier in enumerate(reversed(given[-KEPT:])):
                assert set(earlier.ravel()) == {len(given) - 1 - back}


@pytest.mark.parametrize("kind", [Threads, Processes])
def test_an_error_comes_as_it_was_raised(kind):
    with kind(Numbered(), 2, depth=2) as workers:
        with pytest.raises(Faults, match="Cases are damaged:\n  - case_7") as raised:
            workers.begin("training", 1, 13)()
        assert raised.value.faults == ["case_7"]
        assert workers.begin("validation", 1, 3)()[1].max() == 101


@pytest.mark.parametrize("kind", [Threads, Processes])
def test_nothing_is_left_after_an_error_of_the_consumer(kind):
    def consume():
        with kind(Numbered(seconds=0.05), 2, depth=50) as workers:
            source = Prefetcher(lambda step: workers.begin("training", 1, 0), range(1000), workers.depth)
            next(source)
            raise KeyboardInterrupt

    before, begun = children(), time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        consume()
    assert time.monotonic() - begun < 20
    assert children() == before
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("batches")]


def test_a_killed_process_is_noticed():
    before = children()
    with Processes(Numbered(), 2, depth=2) as workers:
        waiting = [workers.begin("training", 1, step) for step in (14, 0)]
        with pytest.raises(WorkerDiedError):
            waiting[0]()
        with pytest.raises(WorkerDiedError):
            workers.begin("training", 1, 1)()
    assert children() == before


def test_signals_that_only_the_training_obeys_do_not_end_the_processes():
    before = children()
    with Processes(Numbered(), 2, depth=2) as workers:
        # At once, while they start, and again when they work.
        for _ in range(2):
            for number in (signal.SIGINT, signal.SIGUSR1):
                for process in children() - before:
                    os.kill(process, number)
            assert workers.begin("training", 1, 5)()[0].max() == 5
        assert len(children() - before) == 2


def test_processes_compute_with_one_thread_and_the_environment_stays(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    monkeypatch.delenv("OPENBLAS_NUM_THREADS", raising=False)
    before = children()
    with Processes(Numbered(), 1, depth=1) as workers:
        workers.begin("training", 1, 5)()
        (process,) = children() - before
        environment = Path(f"/proc/{process}/environ").read_bytes().split(b"\0")
    assert {b"OMP_NUM_THREADS=1", b"OPENBLAS_NUM_THREADS=1"} <= set(environment)
    assert os.environ["OMP_NUM_THREADS"] == "3"
    assert "OPENBLAS_NUM_THREADS" not in os.environ


KILLED = """
import os, signal
from tests.unit.test_training_workers import Numbered, children
from workflow_lib.training.workers import Processes
if __name__ == "__main__":
    workers = Processes(Numbered(), 2, depth=2)
    workers.begin("training", 1, 1)()
    print(*children(), flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_processes_go_with_a_training_that_is_killed(tmp_path):
    program = tmp_path / "killed.py"
    program.write_text(KILLED)
    shared = set(Path("/dev/shm").iterdir())
    done = subprocess.run(
        [sys.executable, program],
        capture_output=True,
        text=True,
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[2]), "TMPDIR": str(tmp_path)},
        timeout=120,
        check=False,
    )
    assert done.returncode == -signal.SIGKILL, done.stderr
    processes = [Path(f"/proc/{pid}") for pid in done.stdout.split()]
    assert len(processes) == 2
    deadline = time.monotonic() + 10
    while any(process.exists() for process in processes) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not any(process.exists() for process in processes)
    left = {path for path in set(Path("/dev/shm").iterdir()) - shared if path.name.startswith("pym-")}
    assert not left, "the memory of the batches has no name"


def test_faults_and_user_errors_pass_between_processes():
    import pickle

    error = pickle.loads(pickle.dumps(Faults("Two faults:", ["a", "b"])))
    assert (str(error), error.heading, error.faults) == ("Two faults:\n  - a\n  - b", "Two faults:", ["a", "b"])
    assert str(pickle.loads(pickle.dumps(UserError("what to do")))) == "what to do"


def test_no_room_for_shared_memory_is_told(tmp_path):
    check_room(1000, ["/no such folder", str(tmp_path)])
    with pytest.raises(UserError, match=rf"need 1048576 MiB of shared memory.*{tmp_path} has .*TMPDIR.*batch_processes"):
        check_room(2**40, [str(tmp_path)])
