"""The error of a diverged training: where its loss or weights became NaN or infinite, and advice."""

from collections.abc import Sequence
from typing import Any

from workflow_lib.training.request import TrainingRequest


class DivergedError(Exception):
    """The loss or the weights became NaN or infinite; `where` is the entry for training.json."""

    def __init__(self, message: str, where: dict[str, Any]) -> None:
        super().__init__(message)
        self.where = where


def diverged(
    request: TrainingRequest, phase: str, value: float, epoch: int, step: int | None, cases: Sequence[str]
) -> DivergedError:
    """Return the error.

    `phase` is "training", "validation" or "weights". `value` is NaN or infinite. `cases` are the cases of
    the batch.
    """
    message = _fault(request, phase, value, epoch, step, cases)
    where = {"message": message, "phase": phase, "value": str(value), "epoch": epoch, "step": step, "cases": list(cases)}
    return DivergedError(message, where)


def _fault(request: TrainingRequest, phase: str, value: float, epoch: int, step: int | None, cases: Sequence[str]) -> str:
    what = "Weights" if phase == "weights" else f"The {phase} loss"
    where = f"epoch {epoch}" + (f", step {step}" if step else "") + (f", cases {', '.join(cases)}" if cases else "")
    half = request.training.precision == "float16"
    return (
        f"{what} became {value} with loss {request.loss!r} ({request.loss_type}), dataset {request.dataset!r}, "
        f"fold {request.fold}: {where}. The training has diverged: no predictions, no scores, and a gap in the report. "
        "Lower training.learning_rate, check the loss's parameters, or check for unusual intensities in these cases."
        + (" Or set training.precision to bfloat16, whose range is that of float32." if half else "")
    )
