"""The result files of a training: the network, its history, and training.json."""

import importlib.metadata
import platform
from typing import Any

from workflow_lib.base.csv_text import csv_text
from workflow_lib.base.files import write_json, write_text
from workflow_lib.host import memory
from workflow_lib.networks.weights import save_network
from workflow_lib.training import checkpoints
from workflow_lib.training.attempts import AttemptLog
from workflow_lib.training.model import compile_model
from workflow_lib.training.request import HISTORY, SUMMARY, WEIGHTS, TrainingRequest, TrainingResult


def write(
    request: TrainingRequest,
    state: checkpoints.TrainingState,
    model: Any,
    log: AttemptLog,
    diverged: dict[str, Any] | None,
) -> TrainingResult:
    """Write model.weights.h5, history.csv and, last, training.json.

    The weights are those of the best epoch, or the initial weights if there is none; they are also set in
    `model` (Keras). `diverged` is the entry of training.json for a diverged training, else None. Raises
    UserError if a file cannot be written.
    """
    result = TrainingResult(request.output / WEIGHTS, request.output / HISTORY, request.output / SUMMARY)
    model.set_weights(state.best_weights or compile_model(request).get_weights())
    save_network(model, result.weights)
    write_text(result.history, csv_text(checkpoints.HISTORY_COLUMNS, state.history))
    log.write("diverged" if diverged else "finished")
    result.record.update(_summary(request, state, log.all(), diverged) | {"parameters": int(model.count_params())})
    write_json(result.summary, result.record)
    return result


def _summary(
    request: TrainingRequest, state: checkpoints.TrainingState, attempts: list[dict[str, Any]], diverged: dict[str, Any] | None
) -> dict[str, Any]:
    return {
        "dataset": request.dataset,
        "loss": request.loss,
        "fold": request.fold,
        "label": request.label or request.loss,
        "epochs": len(state.history),
        "stopped_early": not diverged and len(state.history) < request.training.epochs,
        "diverged": diverged,
        "best_epoch": state.best_epoch,
        "best_validation_loss": state.best_loss,
        "fingerprint": request.fingerprint,
        "training_cases": sorted(request.training_cases),
        "validation_cases": sorted(request.validation_cases),
        "attempts": attempts,
        "seconds": round(sum(attempt["seconds"] for attempt in attempts), 3),
        "gpu_seconds": round(sum(attempt["seconds"] * attempt.get("gpus", 0) for attempt in attempts), 3),
        "waiting_seconds": round(sum(attempt["waiting_seconds"] for attempt in attempts), 3),
        "peak_memory_mib": memory.peak_mib(),
        "versions": _versions(),
    }


def _versions() -> dict[str, str]:
    """Return the versions of Python and the numerical packages, and the backend of Keras."""
    import keras

    packages = {name: importlib.metadata.version(name) for name in ("tensorflow", "keras", "numpy", "miscnn")}
    return packages | {"python": platform.python_version(), "backend": str(keras.backend.backend())}
