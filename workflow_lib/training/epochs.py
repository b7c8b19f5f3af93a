"""The epochs of a training: steps, validation, the best weights, the learning rate.

The loss of a step is read after the next step is queued (`step.py`), so that the device does not wait
for the host. This module uses only the API of Keras, so that it runs on every backend of Keras.
"""

import concurrent.futures
import contextlib
import math
import time
from collections.abc import Callable
from typing import Any, NoReturn

import numpy as np

from workflow_lib.base.csv_text import csv_text
from workflow_lib.base.errors import UserError
from workflow_lib.base.files import write_text
from workflow_lib.training import attempts, batches, checkpoints, results, schedule, workers
from workflow_lib.training.clock import StepClock
from workflow_lib.training.events import EventLog
from workflow_lib.training.interruption import StopRequest
from workflow_lib.training.model import compile_model
from workflow_lib.training.prefetch import Prefetcher
from workflow_lib.training.progress import Progress
from workflow_lib.training.request import HISTORY, TrainingRequest, TrainingResult, steps_per_epoch
from workflow_lib.training.saving import Saving
from workflow_lib.training.step import Loss, Steps
from workflow_lib.training.underway import UnderWay

SIGNAL_SECONDS = 2.0
"""Time to wait for a scheduler's signal, which reaches the processes of a job one after the other."""


class Epochs:
    """The remaining epochs of a training.

    `state` is the state from which the training resumes, or None for a new training. `started` is called
    when the first step has begun, and `on_step(epoch, step)` after each training step.
    """

    def __init__(
        self,
        request: TrainingRequest,
        state: checkpoints.TrainingState | None,
        makers: workers.Workers,
        log: attempts.AttemptLog,
        progress: Progress,
        stop: StopRequest,
        on_step: Callable[[int, int], None] | None,
        started: Callable[[], None],
    ) -> None:
        self.request, self.workers, self.log, self.progress, self.stop = request, makers, log, progress, stop
        self.on_step, self.started = on_step, started
        self.settings = request.training
        self.per_epoch = steps_per_epoch(request)
        self.rule = schedule.PlateauRule(
            self.settings.plateau_factor,
            self.settings.plateau_patience,
            self.settings.minimum_learning_rate,
            self.settings.plateau_min_delta,
        )
        self.model = compile_model(request)
        self.steps = Steps(self.model, self.settings.accumulation)
        self.state = state or checkpoints.TrainingState(schedule.start(self.settings.learning_rate), [], [])
        self.events = EventLog(request.events, self.state.history)
        self.underway = UnderWay(request, self.model, self.state, progress)
        if state is not None:
            self.underway.restore()
            done = f"epoch {state.epoch}, {state.step} of {self.per_epoch} steps"
            self.progress.note(f"going on from a checkpoint: {done}; attempt {len(self.log.all())}")
        self.saving = Saving(self.underway, log, progress, stop)
        self.clock = StepClock()

    def to_the_end(self) -> None:
        """Run the remaining epochs."""
        with self.steps, self.events:
            try:
                self._epochs()
                if self.request.keep_state:
                    self.saving.save()
            except workers.WorkerDiedError as error:
                self._workers_died(error)

    def write_results(self, broken_off: dict[str, Any] | None = None) -> TrainingResult:
        """Write the files of a finished or diverged training.

        `broken_off` is the entry of training.json for a diverged training.
        """
        result = results.write(self.request, self.state, self.model, self.log, broken_off)
        self.progress.note(self.clock.summary(result.record["attempts"][-1]["seconds"]))
        return result

    def _epochs(self) -> None:
        state, per_epoch = self.state, self.per_epoch
        done = (state.epoch - 1) * per_epoch + state.step

        def begin(index: int) -> workers.Waiting:
            return self.workers.begin("training", index // per_epoch + 1, index % per_epoch)

        source = Prefetcher(begin, range(done, self.settings.epochs * per_epoch), self.workers.depth)
        while state.epoch <= self.settings.epochs and not self._stalled():
            while self.underway.steps_begun < per_epoch:
                self.saving.leave_if_asked()
                self._step(*self.clock.next(source))
                self.saving.save_if_due()
            self.underway.settle()
            self._finish_epoch()
            self.saving.save_if_due()

    def _stalled(self) -> bool:
        """Return whether the validation loss has had no new minimum for `early_stop` epochs."""
        patience, finished = self.settings.early_stop, self.state.epoch - 1
        return patience is not None and finished - self.state.best_epoch >= patience

    def _step(self, images: np.ndarray, classes: np.ndarray) -> None:
        """Begin a step, then read the loss of the previous step."""
        begin, slow = time.perf_counter(), self.clock.slow
        with self.saving.set_aside(slow):
            loss = self.clock.watch(self.steps.train(images, classes))
            self.started()
            self.clock.measure(loss, begin)
            if slow:
                concurrent.futures.wait([loss])
        self.stop.something_to_save()
        self.underway.settle()
        self.underway.queued = loss
        self.log.advance(self.state.epoch, self.underway.steps_begun, self.clock.waited)
        if self.on_step is not None:
            self.on_step(self.state.epoch, self.underway.steps_begun)

    def _validation_loss(self) -> float:
        """Return the mean loss of the validation batches.

        All batches have the same size. Batch normalisation uses its moving statistics.
        """
        epoch, cases = self.state.epoch, self.request.validation_cases
        count = batches.validation_steps(cases, self.settings.batch_size)
        source = Prefetcher(lambda step: self.workers.begin("validation", epoch, step), range(count), self.workers.depth)
        losses: list[Loss] = []
        with self.saving.set_aside(self.clock.slow):
            for _ in range(count):
                self.saving.leave_if_asked()
                losses.append(self.clock.watch(self.steps.validate(*self.clock.next(source))))
                # The length of the queue is limited because every queued batch takes memory.
                if len(losses) > 1:
                    losses[-2].result()
            values = [loss.result() for loss in losses]
            self.saving.leave_if_asked()
        total = 0.0
        for number, loss in enumerate(values, start=1):
            if not math.isfinite(loss):
                raise self.underway.diverged("validation", loss, number, self.request.validation_cases)
            total += loss
        return total / count

    def _finish_epoch(self) -> None:
        state = self.state
        training_loss, validation_loss = state.loss_sum / state.step, self._validation_loss()
        best = self._keep_if_best(validation_loss)
        row: checkpoints.HistoryRow = {
            "epoch": state.epoch,
            "training_loss": training_loss,
            "validation_loss": validation_loss,
            "learning_rate": state.plateau.rate,
            "best": int(best),
        }
        state.history.append(row)
        # For users who watch the running training. If writing fails, the training continues.
        with contextlib.suppress(UserError):
            write_text(self.request.checkpoints / HISTORY, csv_text(checkpoints.HISTORY_COLUMNS, state.history))
        self.events.epoch(row)
        self.progress.epoch(state.epoch, training_loss, validation_loss, state.plateau.rate, best)
        state.plateau = schedule.after_epoch(self.rule, state.plateau, validation_loss)
        self.model.optimizer.learning_rate = state.plateau.rate
        state.epoch, state.step, state.loss_sum = state.epoch + 1, 0, 0.0

    def _keep_if_best(self, validation_loss: float) -> bool:
        """Keep the weights if their validation loss is the lowest so far; return whether it is."""
        state = self.state
        if not (state.best_loss is None or validation_loss < state.best_loss):
            return False
        # A copy, because PyTorch's arrays are views of memory that the next step changes.
        weights = [np.array(weight) for weight in self.model.get_weights()]
        # A ReLU can turn NaN into 0, so the loss can be finite although weights are NaN.
        if not all(np.isfinite(weight).all() for weight in weights):
            raise self.underway.diverged("weights", math.nan, None, [])
        state.best_loss, state.best_epoch, state.best_weights = validation_loss, state.epoch, weights
        return True

    def _workers_died(self, error: workers.WorkerDiedError) -> NoReturn:
        """Exit regularly if this process receives the same signal; else save the state and raise UserError."""
        deadline = time.monotonic() + SIGNAL_SECONDS
        while time.monotonic() < deadline:
            self.saving.leave_if_asked()
            time.sleep(0.05)
        self.saving.save()
        raise UserError(
            "A process that prepares batches was killed, most often because the memory is used up. Run again, the training goes "
            "on from its last checkpoint. Raise training.memory_mb or lower training.batch_processes."
        ) from error
