"""The checkpoints of a training: its state on disk, from which it resumes with bit-identical results.

A checkpoint is one file, `checkpoint-<epoch>-<step>.npz`. It contains the arrays and, as another array,
the rest of the state as JSON with a SHA-256 of everything. The last two checkpoints are kept. They are
outside the declared outputs of the workflow, because Snakemake deletes those when a job fails. They
contain no random state: every draw is a function of (seed, epoch, step, sample).

The last state of a finished training can be kept in the folder `kept`. A training that differs only in a
larger number of epochs resumes from there, because both trainings are identical up to that point.
"""

import contextlib
import hashlib
import importlib.metadata
import io
import json
import re
import shutil
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from workflow_lib.base.errors import UserError
from workflow_lib.base.files import atomic_path, canonical_json, read_json, write_json
from workflow_lib.training import attempts
from workflow_lib.training.schedule import PlateauState

FORMAT = 1
"""Version of the file layout, increased with each change; files of another version are not used."""

NAME = re.compile(r"checkpoint-(\d{6})-(\d{6})\.npz")

KEPT, ABOUT = "kept", "kept.json"

HISTORY_COLUMNS = ("epoch", "training_loss", "validation_loss", "learning_rate", "best")

GROUPS = ("weights", "optimiser", "best_weights")
PLAIN = ("epoch", "step", "loss_sum", "best_loss", "best_epoch", "history")
"""Fields of the state: GROUPS are lists of arrays, PLAIN are plain data."""

HistoryRow = dict[str, int | float]


@dataclass
class TrainingState:
    """The complete state from which a training resumes.

    `epoch` is the current epoch, from 1. `step` is the number of its finished steps; if all of them are
    finished, the validation comes next. `loss_sum` is the sum of the losses of these steps. Arrays are in
    the order of Keras's variables.
    """

    plateau: PlateauState
    weights: list[np.ndarray]
    optimiser: list[np.ndarray]
    epoch: int = 1
    step: int = 0
    loss_sum: float = 0.0
    best_loss: float | None = None
    best_epoch: int = 0
    best_weights: list[np.ndarray] = field(default_factory=list)
    history: list[HistoryRow] = field(default_factory=list)


def save(folder: Path, state: TrainingState, fingerprint: str) -> Path:
    """Write the state, keep the previous checkpoint, and remove older ones.

    Raises UserError if the disk is full; the existing checkpoints are then unchanged.
    """
    path = folder / f"checkpoint-{state.epoch:06d}-{state.step:06d}.npz"
    arrays = {f"{name}.{index:05d}": array for name in GROUPS for index, array in enumerate(getattr(state, name))}
    description = {
        "format": FORMAT,
        "fingerprint": fingerprint,
        "plateau": asdict(state.plateau),
        **{name: getattr(state, name) for name in PLAIN},
    }
    text = canonical_json(description | {"sha256": _digest(description, arrays)})
    before = [other for other in _newest_first(folder) if other != path][:1]
    with atomic_path(path) as temporary, open(temporary, "wb") as stream:
        # np.savez keeps the type of each array. Object arrays do not occur, and load refuses them.
        np.savez(stream, allow_pickle=False, description=np.frombuffer(text.encode(), dtype=np.uint8), **arrays)
    for old in folder.glob("checkpoint-*.npz"):
        if old != path and old not in before:
            old.unlink(missing_ok=True)
    return path


def load(folder: Path, fingerprint: str, say: Callable[[str], None] = print) -> TrainingState | None:
    """Return the newest valid state of this training, or None if it starts from the beginning.

    If a checkpoint is damaged, the previous one is used. A checkpoint with another fingerprint or format
    is never used. All these are reported through `say` and renamed to `<name>.unusable`. Incomplete files of a
    killed attempt are removed. Raises UserError if the file system cannot read a checkpoint. This can be
    a temporary fault, and the training must not restart from the beginning because of it.
    """
    for left in folder.glob(".writing-*"):
        left.unlink(missing_ok=True)
    for path in _newest_first(folder):
        try:
            return _read(path, fingerprint)
        except _UnusableError as error:
            say(f"checkpoint {path.name} is not used: {error}")
            with contextlib.suppress(OSError):
                path.rename(path.with_name(path.name + ".unusable"))
    return None


class _UnusableError(Exception):
    """Why a checkpoint cannot be used."""


def _read(path: Path, fingerprint: str) -> TrainingState:
    try:
        content = path.read_bytes()
    except OSError as error:
        message = f"{path}: the checkpoint cannot be read ({error.strerror}). Run again when the file system is back."
        raise UserError(message) from None
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
        description: dict[str, Any] = json.loads(arrays.pop("description").tobytes())
    except MemoryError:
        raise
    except Exception as error:  # a flipped bit makes zipfile and NumPy raise almost anything
        raise _UnusableError(f"it is damaged ({error})") from error
    if description.get("format") != FORMAT:
        raise _UnusableError(f"it has format {description.get('format')}, and this version reads {FORMAT}")
    digest = description.pop("sha256", None)
    if digest != _digest(description, arrays):
        raise _UnusableError("it is damaged (its checksum differs)")
    if description["fingerprint"] != fingerprint:
        raise _UnusableError(f"it belongs to another training (fingerprint {description['fingerprint']})")
    return TrainingState(
        plateau=PlateauState(**description["plateau"]),
        weights=_in_order(arrays, "weights"),
        optimiser=_in_order(arrays, "optimiser"),
        best_weights=_in_order(arrays, "best_weights"),
        **{name: description[name] for name in PLAIN},
    )


def _in_order(arrays: Mapping[str, np.ndarray], group: str) -> list[np.ndarray]:
    return [arrays[name] for name in sorted(arrays) if name.split(".")[0] == group]


def _digest(description: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> str:
    digest = hashlib.sha256(canonical_json(description).encode())
    for name in sorted(arrays):
        array = np.ascontiguousarray(arrays[name])
        digest.update(f"{name}:{array.dtype.str}:{arrays[name].shape}".encode())
        digest.update(array.reshape(-1).view(np.uint8).data)
    return digest.hexdigest()


def _newest_first(folder: Path) -> list[Path]:
    return sorted((path for path in folder.glob("checkpoint-*.npz") if NAME.fullmatch(path.name)), reverse=True)


def clear(folder: Path) -> None:
    """Remove the checkpoint folder. Call it when the training is finished."""
    shutil.rmtree(folder, ignore_errors=True)


def keep(folder: Path, epochs: int) -> None:
    """Move the last state of a finished training of `epochs` epochs to `kept`; remove all other files."""
    if _newest_first(folder):
        _set_aside(folder, epochs)
    for left in folder.iterdir():
        if left.name != KEPT:
            left.unlink(missing_ok=True)


def prepare(folder: Path, epochs: int) -> int:
    """Prepare the folder for a training of `epochs` epochs; return the finished epochs of a reused state.

    A state in `kept` is reused under three conditions: there is no checkpoint, `epochs` is larger than
    before, and the package versions are the same. With other versions, the result could differ from that
    of a training from the beginning. Without a reused state, the return value is 0. A checkpoint beyond
    the last epoch, from a training with more epochs, is moved to `kept`.
    """
    newest = _newest_first(folder)
    if newest and _position(newest[0]) > (epochs + 1, 0):
        _set_aside(folder, _position(newest[0])[0] - 1)
    done = 0 if _newest_first(folder) else kept_epochs(folder, epochs)
    if not done:
        return 0
    # The checkpoint is moved last: until then the state still counts as kept.
    for path in (folder / KEPT / attempts.FILE, *_newest_first(folder / KEPT)):
        if path.exists():
            path.replace(folder / path.name)
    return done


def kept_epochs(folder: Path, epochs: int) -> int:
    """Return the finished epochs of the kept state; 0 if a training of `epochs` cannot resume from it."""
    newest = _newest_first(folder / KEPT)
    if not newest:
        return 0
    try:
        about = read_json(folder / KEPT / ABOUT)
        usable = about["versions"] == _versions() and about["epochs"] < epochs
    except (UserError, KeyError, TypeError):
        return 0
    return _position(newest[0])[0] - 1 if usable else 0


def forget_kept(folder: Path) -> None:
    """Remove the kept states in the sibling folders, which belong to other settings or other code."""
    for other in folder.parent.iterdir() if folder.parent.is_dir() else ():
        if other != folder and (other / KEPT).is_dir():
            shutil.rmtree(other / KEPT, ignore_errors=True)
            with contextlib.suppress(OSError):
                other.rmdir()


def _set_aside(folder: Path, epochs: int) -> None:
    """Replace the content of `kept` by the newest state, its record of attempts and `epochs`."""
    kept = folder / KEPT
    shutil.rmtree(kept, ignore_errors=True)
    kept.mkdir(parents=True)
    write_json(kept / ABOUT, {"versions": _versions(), "epochs": epochs})
    newest, *older = _newest_first(folder)
    for path in (folder / attempts.FILE, newest):
        if path.exists():
            path.rename(kept / path.name)
    for path in older:
        path.unlink(missing_ok=True)


def _position(path: Path) -> tuple[int, int]:
    """Return epoch and step of a checkpoint."""
    found = NAME.fullmatch(path.name)
    assert found is not None
    return int(found[1]), int(found[2])


def _versions() -> dict[str, str]:
    return {name: importlib.metadata.version(name) for name in ("tensorflow", "keras", "numpy")}
