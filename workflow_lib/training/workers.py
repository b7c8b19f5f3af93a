"""The workers that prepare the batches: threads, or processes that write into shared memory.

The kind and number of workers do not change the batches. Each kind has a method
`begin(kind, epoch, step)`, which requests a batch and returns a function that waits for it, and a method
`close`.

Processes are spawned and not forked, because a process with TensorFlow's threads must not fork. They
write into shared memory, so that no batch is copied between processes. They end when the training closes
them, when the training process ends for any reason, and after the SIGTERM that a scheduler sends to all
processes of a job.
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
"""Number of last batches that are not overwritten, because the device may still use them."""

_ONE_THREAD = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")

Waiting = Callable[[], Batch]


class WorkerDiedError(Exception):
    """A process that prepares batches was killed or ran out of memory."""


class Maker(Protocol):
    """A function that makes the batches (`batches.BatchMaker`); for `Processes` it must be picklable."""

    @property
    def batch_size(self) -> int:
        """Number of patches in a batch."""

    @property
    def patch(self) -> tuple[int, ...]:
        """Shape of a patch."""

    @property
    def channels(self) -> int:
        """Number of channels of the images."""

    def __call__(self, kind: Kind, epoch: int, step: int) -> Batch:
        """Make a batch."""


class Workers(Protocol):
    """Threads or processes that prepare the batches of a training."""

    depth: int
    """Number of batches to request ahead, so that all workers are busy."""

    def begin(self, kind: Kind, epoch: int, step: int) -> Waiting:
        """Request a batch. The returned function waits for it, and raises an error of its preparation."""

    def close(self) -> None:
        """Cancel pending requests, wait for running ones, and end the workers. Safe to call twice."""

    def __enter__(self) -> "Workers":
        """Return the object itself; it is closed at the end of the block."""

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Close the workers, also after an error."""


class _Closing(abc.ABC):
    """Base class that makes an object with `close` a context manager."""

    @abc.abstractmethod
    def close(self) -> None: ...

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()


class Threads(_Closing):
    """Threads of this process. NumPy and the compiled loops release the interpreter's lock while they compute."""

    def __init__(self, maker: Maker, count: int, depth: int) -> None:
        """Create the pool; the threads start with the first batches. `depth`: see `Workers`."""
        self.depth = depth
        self._maker = maker
        self._pool = ThreadPoolExecutor(count, thread_name_prefix="batches")

    def begin(self, kind: Kind, epoch: int, step: int) -> Waiting:
        """Request a batch (see `Workers`)."""
        return self._pool.submit(self._maker, kind, epoch, step).result

    def close(self) -> None:
        """End the threads (see `Workers`)."""
        self._pool.shutdown(wait=True, cancel_futures=True)


class Processes(_Closing):
    """Separate processes, for a GPU that is faster than threads of one Python interpreter.

    The memory of a batch is reused. With `depth` batches requested ahead, a batch is unchanged until the
    `KEPT`-th batch after it has been waited for. If a process was killed, `begin` and the function that
    waits raise WorkerDiedError.
    """

    def __init__(self, maker: Maker, count: int, depth: int) -> None:
        """Start the processes and return immediately. `depth`: see `Workers`.

        The memory for 2 * (depth + KEPT) batches is allocated in /dev/shm, or in the folder for temporary
        files if /dev/shm is too small. It has no file name there, so that no file remains if this process
        is killed.
        """
        self.depth = depth
        self._places = _Places(maker, depth + KEPT)
        self._asked = dict.fromkeys(KINDS, 0)
        context = multiprocessing.get_context("spawn")
        check_room(self._places.bytes)
        self._memory = context.RawArray(ctypes.c_byte, self._places.bytes)
        self._pool = ProcessPoolExecutor(count, context, _start, (maker, self._places, self._memory))
        with _signals_blocked(), _one_thread_each():
            # Processes inherit both settings. The pool starts a process for each task without an idle
            # process, so these tasks start all of them now.
            for _ in range(count):
                self._pool.submit(_ready)

    def begin(self, kind: Kind, epoch: int, step: int) -> Waiting:
        """Request a batch (see `Workers`)."""
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
    """Raise UserError if neither /dev/shm nor the folder for temporary files has `size` free bytes."""
    folders = ["/dev/shm", tempfile.gettempdir()] if folders is None else folders
    free = {folder: shutil.disk_usage(folder).free for folder in folders if Path(folder).is_dir()}
    if all(amount < size for amount in free.values()):
        space = ", ".join(f"{folder} has {amount // 2**20} MiB" for folder, amount in free.items())
        raise UserError(
            f"The batches need {size // 2**20} MiB of shared memory, and there is no room for it: {space}. Make room, set TMPDIR "
            "to a folder that has it, lower training.batch_processes, or set it to 0 to prepare batches in threads."
        )


class _Places:
    """The layout of the shared memory: a ring buffer of `ring` batches for each kind."""

    def __init__(self, maker: Maker, ring: int) -> None:
        self.ring = ring
        self.image_shape = (maker.batch_size, *maker.patch, maker.channels)
        self.classes_shape = self.image_shape[:-1]
        self._image_bytes = 4 * math.prod(self.image_shape)
        # Rounded up to 64 bytes, so that every image is aligned for vector instructions.
        self._place_bytes = -(-(self._image_bytes + math.prod(self.classes_shape)) // 64) * 64

    @property
    def bytes(self) -> int:
        """Size of the whole memory in bytes."""
        return len(KINDS) * self.ring * self._place_bytes

    def number(self, kind: Kind, count: int) -> int:
        """Return the place of the `count`-th batch of a kind."""
        return KINDS.index(kind) * self.ring + count % self.ring

    def batch(self, memory: "ctypes.Array[ctypes.c_byte]", place: int) -> Batch:
        """Return the arrays of a place as views of the memory."""
        start = place * self._place_bytes
        pixels, voxels = math.prod(self.image_shape), math.prod(self.classes_shape)
        images = np.frombuffer(memoryview(memory), np.float32, pixels, start)
        classes = np.frombuffer(memoryview(memory), np.uint8, voxels, start + self._image_bytes)
        return images.reshape(self.image_shape), classes.reshape(self.classes_shape)


@contextlib.contextmanager
def _signals_blocked() -> Iterator[None]:
    """Block the signals that only the training process handles.

    SIGTERM is not blocked: it can end a process that prepares batches without any loss.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGUSR1})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextlib.contextmanager
def _one_thread_each() -> Iterator[None]:
    """Limit the libraries of new processes to one thread, because each core already has a process."""
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


# The code below runs in the worker processes.

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
