"""Who makes the batches of a training: threads of its own process, or other processes, which write them into shared memory.

Which of them, and how many, changes no batch. Each kind of workers has a method `begin(kind, epoch, step)` that asks for a batch
and returns a function that waits for it, and is left with `close`.

Processes are started anew and not forked, because a process with TensorFlow's threads must not fork. They answer in memory that
all of them map, so that no batch is copied from one to the other. They go when the training closes them, when it dies of whatever
cause, and at the SIGTERM that a scheduler sends to all processes of a job.
"""

import abc
import contextlib
import ctypes
import math
import multiprocessing
import multiprocessing.connection
import os
import shutil
import signal
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

import numpy as np

from workflow_lib.base.errors import UserError
from workflow_lib.training.batches import KINDS, Batch, Kind

KEPT = 2
"""Batches that stay as they are after later ones were asked for: the device may still work on the last one."""

_ONE_THREAD = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")

Waiting = Callable[[], Batch]


class WorkerDiedError(Exception):
    """A process that makes batches is gone: killed, or out of memory."""


class Maker(Protocol):
    """What makes the batches (`batches.BatchMaker`); for `Processes` something that can be pickled."""

    @property
    def batch_size(self) -> int:
        """Patches of a batch."""

    @property
    def patch(self) -> tuple[int, ...]:
        """Their shape."""

    @property
    def channels(self) -> int:
        """Channels of their images."""

    def __call__(self, kind: Kind, epoch: int, step: int) -> Batch:
        """Make a batch."""


class Workers(Protocol):
    """Threads or processes that make the batches of a training."""

    depth: int
    """Batches that should be asked for ahead: enough to keep all of them busy."""

    def begin(self, kind: Kind, epoch: int, step: int) -> Waiting:
        """Ask for a batch; the function that is returned waits for it, and raises what went wrong."""

    def close(self) -> None:
        """Drop what was not begun, wait for what is in the making, and end the workers. Safe to call twice."""

    def __enter__(self) -> "Workers":
        """Return itself; leaving the block closes it."""

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Close, whatever happened."""


class _Closing(abc.ABC):
    """What is left with `close` can stand in a `with` block."""

    @abc.abstractmethod
    def close(self) -> None: ...

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()


class Threads(_Closing):
    """Threads of this process. NumPy and the compiled loops release the interpreter's lock while they compute."""

    def __init__(self, maker: Maker, count: int, depth: int) -> None:
        """Make the threads; they start with their first batch. `depth`: see `Workers`."""
        self.depth = depth
        self._maker = maker
        self._pool = ThreadPoolExecutor(count, thread_name_prefix="batches")

    def begin(self, kind: Kind, epoch: int, step: int) -> Waiting:
        """Ask for a batch (see `Workers`)."""
        return self._pool.submit(self._maker, kind, epoch, step).result

    def close(self) -> None:
        """End the threads (see `Workers`)."""
        self._pool.shutdown(wait=True, cancel_futures=True)


class Processes(_Closing):
    """Processes of their own, for a GPU that would wait for threads that share one interpreter.

    A batch lies in memory that is used again: with `depth` asked for ahead, it stays as it is until the `KEPT`-th one after it
    has been waited for. `begin` raises WorkerDiedError, and so does waiting, when a process is gone.
    """

    def __init__(self, maker: Maker, count: int, depth: int) -> None:
        """Start the processes and return at once. `depth`: see `Workers`.

        The memory for 2 * (depth + KEPT) batches is taken from /dev/shm, or from the folder for temporary files where that is too
        small; it has no name there, so that nothing is left of it when this process is killed.
        """
        self.depth = depth
        self._places = _Places(maker, depth + KEPT)
        self._asked = dict.fromkeys(KINDS, 0)
        context = multiprocessing.get_context("spawn")
        check_room(self._places.bytes)
        self._memory = context.RawArray(ctypes.c_byte, self._places.bytes)
        self._pool = ProcessPoolExecutor(count, context, _start, (maker, self._places, self._memory))
        with _signals_blocked(), _one_thread_each():
            # Processes inherit both. One is started for each task that finds none idle, so now all of them.
            for _ in range(count):
                self._pool.submit(_ready)

    def begin(self, kind: Kind, epoch: int, step: int) -> Waiting:
        """Ask for a batch (see `Workers`)."""
        place = self._places.number(kind, self._asked[kind])
        self._asked[kind] += 1
        try:
            future = self._pool.submit(_make, place, kind, epoch, step)
        except BrokenProcessPool as error:
            raise WorkerDiedError from error

        def wait() -> Batch:
            try:
                future.result()
            except BrokenProcessPool as error:
                raise WorkerDiedError from error
            return self._places.batch(self._memory, place)

        return wait

    def close(self) -> None:
        """End the processes (see `Workers`)."""
        self._pool.shutdown(wait=True, cancel_futures=True)


def check_room(size: int, folders: Sequence[str] | None = None) -> None:
    """Raise UserError unless a folder for shared memory, /dev/shm or that of temporary files, has `size` bytes free."""
    folders = ["/dev/shm", tempfile.gettempdir()] if folders is None else folders
    free = {folder: shutil.disk_usage(folder).free for folder in folders if Path(folder).is_dir()}
    if all(amount < size for amount in free.values()):
        there = ", ".join(f"{folder} has {amount // 2**20} MiB" for folder, amount in free.items())
        raise UserError(
            f"The batches need {size // 2**20} MiB of shared memory, and there is no room for it: {there}. Make room, set TMPDIR "
            "to a folder that has it, lower training.batch_processes, or set it to 0 to prepare batches in threads."
        )


class _Places:
    """Where the batches lie in the shared memory: a ring of `ring` places for each kind."""

    def __init__(self, maker: Maker, ring: int) -> None:
        self.ring = ring
        self.image_shape = (maker.batch_size, *maker.patch, maker.channels)
        self.classes_shape = self.image_shape[:-1]
        self._image_bytes = 4 * math.prod(self.image_shape)
        # Rounded up, so that every image begins where vector instructions like it.
        self._place_bytes = -(-(self._image_bytes + math.prod(self.classes_shape)) // 64) * 64

    @property
    def bytes(self) -> int:
        """Size of all places."""
        return len(KINDS) * self.ring * self._place_bytes

    def number(self, kind: Kind, count: int) -> int:
        """Return the place of the `count`-th batch of a kind."""
        return KINDS.index(kind) * self.ring + count % self.ring

    def batch(self, memory: "ctypes.Array[ctypes.c_byte]", place: int) -> Batch:
        """Return the arrays of a place, which are the memory itself."""
        start = place * self._place_bytes
        pixels, voxels = math.prod(self.image_shape), math.prod(self.classes_shape)
        images = np.frombuffer(memoryview(memory), np.float32, pixels, start)
        classes = np.frombuffer(memoryview(memory), np.uint8, voxels, start + self._image_bytes)
        return images.reshape(self.image_shape), classes.reshape(self.classes_shape)


@contextlib.contextmanager
def _signals_blocked() -> Iterator[None]:
    """Block the signals that only the training itself obeys. SIGTERM ends a process that makes batches, which costs nothing."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGUSR1})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextlib.contextmanager
def _one_thread_each() -> Iterator[None]:
    """Let the libraries of new processes compute with one thread: there is a process for every core already."""
    before = {name: os.environ.get(name) for name in _ONE_THREAD}
    os.environ.update(dict.fromkeys(_ONE_THREAD, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


# What follows runs in the processes.

_given: tuple[Maker, _Places, "ctypes.Array[ctypes.c_byte]"]


def _start(maker: Maker, places: _Places, memory: "ctypes.Array[ctypes.c_byte]") -> None:
    global _given
    _given = (maker, places, memory)
    threading.Thread(target=_leave_with_parent, daemon=True).start()


def _leave_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        multiprocessing.connection.wait([parent.sentinel])
        os._exit(1)


def _ready() -> None:
    """Do nothing."""


def _make(place: int, kind: Kind, epoch: int, step: int) -> None:
    maker, places, memory = _given
    images, classes = places.batch(memory, place)
    images[...], classes[...] = maker(kind, epoch, step)
