"""The state of a running training: the finished steps, and the step that is queued on the device."""

import dataclasses
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from workflow_lib.training import batches
from workflow_lib.training.checkpoints import TrainingState
from workflow_lib.training.divergence import DivergedError, diverged
from workflow_lib.training.progress import Progress
from workflow_lib.training.request import TrainingRequest
from workflow_lib.training.step import Loss

if TYPE_CHECKING:
    import keras


class UnderWay:
    """A state, its model, and the queued step.

    `state` is the state after the last step whose loss was read. `queued` is the loss of the step after
    it, or None.
    """

    def __init__(self, request: TrainingRequest, model: "keras.Model", state: TrainingState, progress: Progress) -> None:
        self.request, self.model, self.state, self.progress = request, model, state, progress
        self.queued: Loss | None = None

    @property
    def steps_begun(self) -> int:
        """Steps of the epoch that are finished or queued."""
        return self.state.step + (self.queued is not None)

    def settle(self) -> None:
        """Wait for the queued step and add it to the state. Raises DivergedError if its loss is not finite."""
        if self.queued is None:
            return
        state = self.state
        loss, self.queued = self.queued.result(), None
        if not math.isfinite(loss):
            order = batches.case_order(self.request.training_cases, self.request.seed, state.epoch)
            cases = batches.cases_of_step(order, self.request.training.batch_size, state.step)
            raise self.diverged("training", loss, state.step + 1, cases)
        state.step += 1
        state.loss_sum += loss
        self.progress.step(state.epoch, state.step, state.loss_sum / state.step)

    def diverged(self, phase: str, value: float, step: int | None, cases: Sequence[str]) -> DivergedError:
        """Return the error for a non-finite number in the current epoch (see `divergence.diverged`)."""
        return diverged(self.request, phase, value, self.state.epoch, step, cases)

    def restore(self) -> None:
        """Move the weights and the optimiser's variables from the state to the model."""
        state = self.state
        self.model.set_weights(state.weights)
        for variable, value in zip(self.model.optimizer.variables, state.optimiser, strict=True):
            variable.assign(value)
        state.weights, state.optimiser = [], []

    def snapshot(self) -> TrainingState:
        """Return a copy of the state with the arrays of the model and optimiser. No step may be queued."""
        assert self.queued is None
        weights = [np.array(weight) for weight in self.model.get_weights()]
        optimiser = [np.array(_to_numpy(variable)) for variable in self.model.optimizer.variables]
        return dataclasses.replace(self.state, weights=weights, optimiser=optimiser, history=list(self.state.history))


def _to_numpy(variable: Any) -> np.ndarray:
    from keras import ops

    array: np.ndarray = ops.convert_to_numpy(variable)
    return array
