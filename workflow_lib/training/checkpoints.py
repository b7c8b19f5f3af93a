"""The state of an unfinished training on disk, from which it goes on bit for bit as if it had never stopped.

A checkpoint is one file, `checkpoint-<epoch>-<step>.npz`: the arrays and, as one more array, the rest of the state as JSON with a
SHA-256 over all of it. The last two are kept. They lie outside the workflow's declared outputs, which Snakemake deletes when a
job dies. No random state is among them: every draw is a function of (seed, epoch, step, sample).

The last state of a training that is finished may stay, in a folder `kept`. A training of more epochs, that is the same in all
else, goes on from there: up to that point it would have done the very same.
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
"""Raised when the layout of a checkpoint changes; files of another number are not used."""

NAME = re.compile(r"checkpoint-(\d{6})-(\d{6})\.npz")

KEPT, ABOUT = "kept", "kept.json"

HISTORY_COLUMNS = ("epoch", "training_loss", "validation_loss", "learning_rate", "best")

GROUPS = ("weights", "optimiser", "best_weights")
PLAIN = ("epoch", "step", "loss_sum", "best_loss", "best_epoch", "history")
"""Fields of the state that are lists of arrays, and those that are plain data."""

HistoryRow = dict[str, int | float]


@dataclass
class TrainingState:
    """All that decides how a training goes on.

    `epoch` is the epoch under way, from 1, and `step` the number of its steps that are done; with all steps done the validation
    is still to come. `loss_sum` is the sum of their losses. Arrays are in the order of Keras's variables.
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
    """Write the state and keep the checkpoint before it; older ones are removed.

    Raises UserError when the disk is full; the checkpoints that were there are then still there.
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
        # An array's own type is kept; np.savez is given no object arrays, and load refuses them.
        np.savez(stream, allow_pickle=False, description=np.frombuffer(text.encode(), dtype=np.uint8), **arrays)
    for old in folder.glob("checkpoint-*.npz"):
        if old != path and old not in before:
            old.unlink(missing_ok=True)
    return path


def load(folder: Path, fingerprint: str, say: Callable[[str], None] = print) -> TrainingState | None:
    """Return the newest whole state of this very training, or None to start from the beginning.

    A damaged checkpoint falls back to the one before; one of another fingerprint is never used. Both are told through `say`, and
    set aside as `<name>.unusable`. What a killed attempt left half-written is removed. Raises UserError where a checkpoint cannot
    be read at all (a fault of the file system, which may pass): the training must not begin anew because of it.
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
        told = f"{path}: the checkpoint cannot be read ({error.strerror}). Run again when the file system is back."
        raise UserError(told) from None
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
    """Remove the checkpoint folder. To be called when the model is finished."""
    shutil.rmtree(folder, ignore_errors=True)


def keep(folder: Path, epochs: int) -> None:
    """Keep the last state of a finished training of so many epochs, in `kept`. To be called when the model is finished."""
    if _newest_first(folder):
        _set_aside(folder, epochs)
    for left in folder.iterdir():
        if left.name != KEPT:
            left.unlink(missing_ok=True)


def prepare(folder: Path, epochs: int) -> int:
    """Make ready for a training of so many epochs; return how many are done in a state that is taken up from `kept`, or 0.

    A kept state is taken up where no checkpoint is, more epochs are asked for than then, and the same packages compute: with
    others the training would not come to the same as one from the start. A checkpoint beyond the last epoch, of a time when
    more epochs were asked for, is set aside.
    """
    newest = _newest_first(folder)
    if newest and _position(newest[0]) > (epochs + 1, 0):
        _set_aside(folder, _position(newest[0])[0] - 1)
    done = 0 if _newest_first(folder) else kept_epochs(folder, epochs)
    if not done:
        return 0
    # The checkpoint comes last: until it is there, the state still counts as kept.
    for path in (folder / KEPT / attempts.FILE, *_newest_first(folder / KEPT)):
        if path.exists():
            path.replace(folder / path.name)
    return done


def kept_epochs(folder: Path, epochs: int) -> int:
    """Return the epochs that are done in the kept state; 0 where a training of `epochs` cannot go on from it."""
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
    """Remove what finished trainings kept in the folders beside this one: their settings or code are no longer the study's."""
    for other in folder.parent.iterdir() if folder.parent.is_dir() else ():
        if other != folder and (other / KEPT).is_dir():
            shutil.rmtree(other / KEPT, ignore_errors=True)
            with contextlib.suppress(OSError):
                other.rmdir()


def _set_aside(folder: Path, epochs: int) -> None:
    """Move the newest state and the record of its attempts to `kept`, in place of what is there, for more than `epochs`."""
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
