"""The history of a training for TensorBoard: one event file per attempt, separate from the results."""

import contextlib
import os
import socket
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

from workflow_lib.training.checkpoints import HistoryRow

CURVES = {"training_loss": "loss/training", "validation_loss": "loss/validation", "learning_rate": "learning_rate"}
"""Columns of the history and the names of their curves.

TensorBoard groups curves whose names have the same first part.
"""

PATTERN = "events.out.tfevents.{}"
"""Pattern of the file names that TensorBoard finds; it reads the files in alphabetical order."""


class EventLog:
    """Context manager that writes the numbers of each epoch into `folder`.

    `history` contains the finished epochs. A new training removes existing event files, which belong to
    another training. A resumed training keeps them and makes TensorBoard discard the epochs that are
    repeated. If a file cannot be written (no folder, no TensorFlow, full disk), the curves have a gap and
    the training continues.
    """

    def __init__(self, folder: Path | None, history: Sequence[HistoryRow]) -> None:
        self._folder, self._begins = folder, not history
        self._writer: Any = None

    def __enter__(self) -> "EventLog":
        """Remove old files if the training is new. The file of this attempt starts with its first epoch."""
        if self._folder is not None and self._begins:
            with contextlib.suppress(OSError):
                for old in self._folder.glob(PATTERN.format("*")):
                    old.unlink(missing_ok=True)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Close the file."""
        self._close()

    def epoch(self, row: HistoryRow) -> None:
        """Add the numbers of an epoch that is done."""
        if self._folder is None:
            return
        try:
            self._add(self._folder, row)
        except (ImportError, OSError):
            self._close()
        except Exception as error:
            # TensorFlow raises its own exceptions for errors of the file system.
            if "OpError" not in {kind.__name__ for kind in type(error).__mro__}:
                raise
            self._close()

    def _add(self, folder: Path, row: HistoryRow) -> None:
        import tensorflow as tf

        if self._writer is None:
            folder.mkdir(parents=True, exist_ok=True)
            name = PATTERN.format(f"{time.time_ns()}.{socket.gethostname()}.{os.getpid()}")
            self._writer = tf.io.TFRecordWriter(str(folder / name))
            self._write(file_version="brain.Event:2")
            self._write(step=row["epoch"], session_log={"status": "START"})
        values = [{"tag": curve, "simple_value": row[column]} for column, curve in CURVES.items()]
        self._write(step=row["epoch"], summary={"value": values})

    def _write(self, **fields: Any) -> None:
        import tensorflow as tf

        self._writer.write(tf.compat.v1.Event(wall_time=time.time(), **fields).SerializeToString())
        self._writer.flush()

    def _close(self) -> None:
        """Close the file. The next epoch starts a new one."""
        writer, self._writer = self._writer, None
        # With a full disk, closing fails again.
        with contextlib.suppress(Exception):
            if writer is not None:
                writer.close()
