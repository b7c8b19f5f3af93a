"""The history of a training for TensorBoard: one file of events for each attempt, beside the results and no part of them."""

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
"""Columns of the history, and the names of their curves; TensorBoard shows those with the same first part together."""

PATTERN = "events.out.tfevents.{}"
"""File names that TensorBoard looks for, and reads in their order."""


class EventLog:
    """Writes the numbers of each epoch into `folder`, while its block runs.

    `history` is what the training has done so far. One that begins removes the events that lie there: they are another
    training's. One that goes on leaves them, and tells TensorBoard to forget the epochs that are done again. Where nothing can be
    written (no folder, no TensorFlow, a full disk) the curves have a gap, and the training goes on.
    """

    def __init__(self, folder: Path | None, history: Sequence[HistoryRow]) -> None:
        self._folder, self._begins = folder, not history
        self._writer: Any = None

    def __enter__(self) -> "EventLog":
        """Make room for this attempt; its file is begun with its first epoch."""
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
            # TensorFlow has its own exceptions for what the file system refuses.
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
        """Close the file; after a record that was cut off, the next epoch begins another one."""
        writer, self._writer = self._writer, None
        # What a full disk refused, it refuses again.
        with contextlib.suppress(Exception):
            if writer is not None:
                writer.close()
