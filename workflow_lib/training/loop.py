"""One training: one loss on one fold, from the initial weights to those of the lowest validation loss.

Adam or stochastic gradient descent, the learning rate lowered on a plateau of the validation loss, which is taken after every
epoch, and an early end, if asked for, when that loss has stalled for long. All losses of a fold begin with the same weights and
see the same patches in the same order, because both follow from a seed that does not know the loss.
A step is looked at once the next one is queued (`step.py`), so that the device need not wait for the host.
The loop speaks to Keras only, so that it runs on every backend Keras has.
"""

import concurrent.futures
import contextlib
import dataclasses
import math
import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NoReturn

import numpy as np

from workflow_lib.base import imports
from workflow_lib.base.csv_text import csv_text
from workflow_lib.base.errors import UserError
from workflow_lib.base.files import write_text
from workflow_lib.host import memory
from workflow_lib.networks import runtime
from workflow_lib.training import attempts, batches, budget, checkpoints, results, schedule, workers
from workflow_lib.training.divergence import DivergedError, diverged
from workflow_lib.training.events import EventLog
from workflow_lib.training.interruption import StopRequest
from workflow_lib.training.model import compile_model
from workflow_lib.training.prefetch import Prefetcher
from workflow_lib.training.progress import Progress
from workflow_lib.training.request import HISTORY, TrainingRequest, TrainingResult, gpus_of, steps_per_epoch
from workflow_lib.training.step import Loss, Steps, compiled_with_xla

RETRY_SECONDS = 60.0
"""A checkpoint that could not be written (full disk) is tried again after so many seconds; the training goes on."""

WAITING_WORTH_TELLING = 0.1
"""Share of the time for which the network waits for batches from which on something should be done about it."""

SLOW_STEP = 4.0
"""Seconds of a step from which on the state before it is kept ready, to be saved when a signal cannot wait for the step."""

SIGNAL_SECONDS = 2.0
"""A scheduler's signal reaches the processes of a job one after the other; that long they wait for each other."""


def train(request: TrainingRequest, on_step: Callable[[int, int], None] | None = None) -> TrainingResult:
    """Train, or go on with a training that was stopped, and write model.weights.h5, history.csv and training.json.

    After SIGTERM, SIGINT or SIGUSR1 the state is saved and SystemExit raised with a code other than 0. A loss that is NaN or Inf
    ends the training; on a CPU it would come to the same again. Its results say so: `diverged` in training.json is {message,
    phase, value, epoch, step, cases} then, and null otherwise; the weights are those of the lowest validation loss before it, or
    the initial ones.
    `on_step(epoch, step)` is called after each training step, before its loss is looked at. Remove the checkpoints
    (`checkpoints.clear`) once the files exist.
    """
    progress = Progress(
        f"{request.dataset} {request.loss} fold {request.fold}", request.training.epochs, steps_per_epoch(request)
    )
    # Processes for batches start while the runtime is loaded, which takes some seconds.
    with StopRequest() as stop, _workers(request) as makers, contextlib.ExitStack() as start:
        start.enter_context(imports.uncollected())
        state = checkpoints.load(request.checkpoints, request.state_of, progress.note)
        log = attempts.AttemptLog(request.checkpoints, state.epoch if state else 1, state.step if state else 0)
        stop.nothing_to_save(lambda: _leave_at_once(log, progress, stop))
        try:
            settings, gpus = request.training, gpus_of(request)
            device = runtime.configure_runtime(
                settings.threads, settings.deterministic, gpus, tensor_float_32=settings.precision == "tf32", xla=settings.xla
            )
            log.attempt.device, log.attempt.gpus = device, 0 if device == "cpu" else gpus
            if request.gpus and log.attempt.device == "cpu":
                progress.note("no GPU was found; training on the CPU")
            if settings.precision == "float16" and device == "cpu" and len(settings.patch) == 3:
                raise UserError(
                    "TensorFlow has no 3-D pooling in float16 on a CPU. Set training.precision to bfloat16 or float32, or train "
                    "on a GPU (training.gpus)."
                )
            needed = budget.step_bytes(request.n_classes, request.channels, request.network, settings, log.attempt.gpus)
            budget.tell(needed, device, settings, progress.note)
            out_of_memory = memory.explained(
                lambda: budget.exhausted(needed, device, settings), None if device == "cpu" else budget.host_exhausted
            )
            with out_of_memory, compiled_with_xla(request.loss, settings.xla):
                run = _Run(request, state, makers, log, progress, stop, on_step, started=start.close)
                try:
                    run.to_the_end()
                except DivergedError as error:
                    progress.note(str(error))
                    result = run.write_results(error.where)
                else:
                    result = run.write_results()
        except SystemExit:
            log.write("interrupted")
            raise
        except BaseException as error:
            log.write(attempts.OUT_OF_MEMORY if _lacked_memory(error, log.attempt.gpus > 0) else "failed")
            raise
    return result


def _leave_at_once(log: attempts.AttemptLog, progress: Progress, stop: StopRequest) -> NoReturn:
    """End the process, whatever it does: it has done no step yet, and its checkpoints are as it found them."""
    try:
        log.write("interrupted")
        progress.note(f"stopped by signal {stop.signal_number} before its first step. Run again to go on.")
        sys.stdout.flush()
    finally:
        os._exit(stop.exit_code)


def _lacked_memory(error: BaseException, on_gpus: bool) -> bool:
    """Say whether a training ended because the host's memory was used up; more of it does not help a GPU."""
    cause = error.__cause__ or error
    if isinstance(cause, workers.WorkerDiedError | MemoryError):
        return True
    return memory.ran_out(cause) and not on_gpus


def _workers(request: TrainingRequest) -> workers.Workers:
    training = request.training
    maker = batches.BatchMaker(
        request.store,
        tuple(request.training_cases),
        tuple(request.validation_cases),
        training.patch,
        request.channels,
        training.batch_size,
        request.augmentation,
        training.validation,
        request.seed,
    )
    if request.batch_processes:
        return workers.Processes(maker, request.batch_processes, depth=request.batch_processes + 2)
    return workers.Threads(maker, request.workers, depth=max(4, request.workers))


class _Run:
    """A training under way."""

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
        self.started = started
        """To be called once the first step is begun."""
        self.request, self.log, self.progress, self.stop, self.on_step = request, log, progress, stop, on_step
        self.workers = makers
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
        self.begun: Loss | None = None
        """The loss of the step that is queued and not yet part of the state."""
        self.state = state or checkpoints.TrainingState(schedule.start(self.settings.learning_rate), [], [])
        self.events = EventLog(request.events, self.state.history)
        if state is not None:
            self._restore()
        self.saved = time.monotonic()
        self.waited = 0.0
        self.latest: Loss | None = None
        self.idle_since = 0.0
        """When the last step ended."""
        self.step_seconds = 0.0
        """How long the last training step took."""

    def to_the_end(self) -> None:
        """Do the epochs that are left."""
        with self.steps, self.events:
            try:
                self._epochs()
                if self.request.keep_state:
                    self._save()
            except workers.WorkerDiedError as error:
                self._workers_died(error)

    def _epochs(self) -> None:
        state, per_epoch = self.state, self.per_epoch
        done = (state.epoch - 1) * per_epoch + state.step

        def begin(index: int) -> workers.Waiting:
            return self.workers.begin("training", index // per_epoch + 1, index % per_epoch)

        source = Prefetcher(begin, range(done, self.settings.epochs * per_epoch), self.workers.depth)
        while state.epoch <= self.settings.epochs and not self._stalled():
            while self._steps_begun() < per_epoch:
                self._leave_if_asked()
                self._step(*self._next(source))
                self._save_if_due()
            self._look_at_loss()
            self._finish_epoch()
            self._save_if_due()

    def _steps_begun(self) -> int:
        return self.state.step + (self.begun is not None)

    def _next(self, source: Prefetcher[batches.Batch]) -> batches.Batch:
        """Return the next batch, and count how long it was waited for."""
        begin = time.perf_counter()
        batch = next(source)
        # While a step is under way the network does not wait, whatever the host does.
        if self.latest is None or self.latest.done():
            self.waited += max(0.0, time.perf_counter() - max(begin, self.idle_since))
        return batch

    def _watch(self, loss: Loss) -> Loss:
        """Note when the step of a loss ends."""

        def ended(_: Loss) -> None:
            self.idle_since = time.perf_counter()

        self.latest = loss
        loss.add_done_callback(ended)
        return loss

    def _workers_died(self, error: workers.WorkerDiedError) -> NoReturn:
        """Leave in order when the signal that ended them comes here too; else save the state and raise UserError."""
        deadline = time.monotonic() + SIGNAL_SECONDS
        while time.monotonic() < deadline:
            self._leave_if_asked()
            time.sleep(0.05)
        self._save()
        raise UserError(
            "A process that prepares batches was killed, most often because the memory is used up. Run again, the training goes "
            "on from its last checkpoint. Raise training.memory_mb or lower training.batch_processes."
        ) from error

    def _stalled(self) -> bool:
        """Say whether the validation loss has had no new lowest value for as many epochs as end the training early."""
        patience, finished = self.settings.early_stop, self.state.epoch - 1
        return patience is not None and finished - self.state.best_epoch >= patience

    def _step(self, images: np.ndarray, classes: np.ndarray) -> None:
        """Begin a step, then look at the one before it."""
        begin, slow = time.perf_counter(), self._slow()

        def ended(_: Loss) -> None:
            self.step_seconds = time.perf_counter() - begin

        with self._state_aside():
            loss = self._watch(self.steps.train(images, classes))
            self.started()
            loss.add_done_callback(ended)
            if slow:
                concurrent.futures.wait([loss])
        self.stop.something_to_save()
        self._look_at_loss()
        self.begun = loss
        self.log.advance(self.state.epoch, self._steps_begun(), self.waited)
        if self.on_step is not None:
            self.on_step(self.state.epoch, self._steps_begun())

    def _slow(self) -> bool:
        return self.step_seconds >= SLOW_STEP

    @contextlib.contextmanager
    def _state_aside(self) -> Iterator[None]:
        """Where steps are slow, as the full network's on a CPU, a signal within the block saves the state before the block.

        Python runs a handler only after the step. A fast step is waited for, and spared the copy.
        """
        if not self._slow():
            yield
            return
        self._look_at_loss()
        state = self._snapshot()
        with self.stop.saved_aside(lambda: self._leave_with(state)):
            yield

    def _leave_with(self, state: checkpoints.TrainingState) -> NoReturn:
        """Save a state and end the process, whatever it does."""
        try:
            self._save_to_leave(state)
            self.log.write("interrupted")
            sys.stdout.flush()
        finally:
            os._exit(self.stop.exit_code)

    def _look_at_loss(self) -> None:
        """Take the step that was begun into the state. Raises UserError when its loss is no finite number."""
        if self.begun is None:
            return
        state = self.state
        loss, self.begun = self.begun.result(), None
        if not math.isfinite(loss):
            order = batches.case_order(self.request.training_cases, self.request.seed, state.epoch)
            cases = batches.cases_of_step(order, self.settings.batch_size, state.step)
            raise self._diverged("training", loss, state.step + 1, cases)
        state.step += 1
        state.loss_sum += loss
        self.progress.step(state.epoch, state.step, state.loss_sum / state.step)

    def _validation_loss(self) -> float:
        """Return the mean loss of the validation batches, all of one size, with the moving statistics of batch normalisation."""
        epoch, cases = self.state.epoch, self.request.validation_cases
        count = batches.validation_steps(cases, self.settings.batch_size)
        source = Prefetcher(lambda step: self.workers.begin("validation", epoch, step), range(count), self.workers.depth)
        losses: list[Loss] = []
        with self._state_aside():
            for _ in range(count):
                self._leave_if_asked()
                losses.append(self._watch(self.steps.validate(*self._next(source))))
                # The queue must not grow: every batch on it holds memory.
                if len(losses) > 1:
                    losses[-2].result()
            values = [loss.result() for loss in losses]
            self._leave_if_asked()
        total = 0.0
        for number, loss in enumerate(values, start=1):
            if not math.isfinite(loss):
                raise self._diverged("validation", loss, number, self.request.validation_cases)
            total += loss
        return total / count

    def _finish_epoch(self) -> None:
        state = self.state
        training_loss, validation_loss = state.loss_sum / state.step, self._validation_loss()
        best = state.best_loss is None or validation_loss < state.best_loss
        if best:
            # A copy: PyTorch's arrays are views of what the next step changes.
            weights = [np.array(weight) for weight in self.model.get_weights()]
            # A rectifier can turn NaN into 0, so that the loss alone does not show it.
            if not all(np.isfinite(weight).all() for weight in weights):
                raise self._diverged("weights", math.nan, None, [])
            state.best_loss, state.best_epoch, state.best_weights = validation_loss, state.epoch, weights
        row: checkpoints.HistoryRow = {
            "epoch": state.epoch,
            "training_loss": training_loss,
            "validation_loss": validation_loss,
            "learning_rate": state.plateau.rate,
            "best": int(best),
        }
        state.history.append(row)
        # For who looks at a training under way; without it the training goes on all the same.
        with contextlib.suppress(UserError):
            write_text(self.request.checkpoints / HISTORY, csv_text(checkpoints.HISTORY_COLUMNS, state.history))
        self.events.epoch(row)
        self.progress.epoch(state.epoch, training_loss, validation_loss, state.plateau.rate, best)
        state.plateau = schedule.after_epoch(self.rule, state.plateau, validation_loss)
        self.model.optimizer.learning_rate = state.plateau.rate
        state.epoch, state.step, state.loss_sum = state.epoch + 1, 0, 0.0

    def _diverged(self, phase: str, value: float, step: int | None, cases: Sequence[str]) -> DivergedError:
        return diverged(self.request, phase, value, self.state.epoch, step, cases)

    def _restore(self) -> None:
        state = self.state
        self.model.set_weights(state.weights)
        for variable, value in zip(self.model.optimizer.variables, state.optimiser, strict=True):
            variable.assign(value)
        state.weights, state.optimiser = [], []
        done = f"epoch {state.epoch}, {state.step} of {self.per_epoch} steps"
        self.progress.note(f"going on from a checkpoint: {done}; attempt {len(self.log.all())}")

    def _snapshot(self) -> checkpoints.TrainingState:
        """Return a copy of the state, the network's and the optimiser's arrays included. No step may be under way."""
        assert self.begun is None
        weights = [np.array(weight) for weight in self.model.get_weights()]
        optimiser = [np.array(_to_numpy(variable)) for variable in self.model.optimizer.variables]
        return dataclasses.replace(self.state, weights=weights, optimiser=optimiser, history=list(self.state.history))

    def _save_if_due(self) -> None:
        """Save when it is time. A full disk is told and tried again later: losing time is better than losing the training."""
        if time.monotonic() - self.saved < self.request.checkpoint_minutes * 60:
            return
        self._save()

    def _save(self) -> None:
        self._look_at_loss()
        self.saved = time.monotonic()
        try:
            checkpoints.save(self.request.checkpoints, self._snapshot(), self.request.state_of)
        except UserError as error:
            self.progress.note(f"no checkpoint at epoch {self.state.epoch}, step {self.state.step}: {error}")
            self.saved += RETRY_SECONDS - self.request.checkpoint_minutes * 60

    def _leave_if_asked(self) -> None:
        if not self.stop:
            return
        self.stop.something_to_save()
        self._look_at_loss()
        self._save_to_leave(self._snapshot())
        sys.exit(self.stop.exit_code)

    def _save_to_leave(self, state: checkpoints.TrainingState) -> None:
        try:
            path = checkpoints.save(self.request.checkpoints, state, self.request.state_of)
            self.progress.note(f"stopped by signal {self.stop.signal_number}; state saved in {path}. Run again to go on.")
        except UserError as error:
            self.progress.note(f"stopped by signal {self.stop.signal_number}; the state could not be saved: {error}")

    def _tell_waiting(self, attempt: Mapping[str, Any]) -> None:
        share = self.waited / max(attempt["seconds"], 1e-9)
        advice = " Raise training.batch_processes to make it faster." if share > WAITING_WORTH_TELLING else ""
        self.progress.note(f"the network waited for its batches {share:.1%} of the time.{advice}")

    def write_results(self, broken_off: dict[str, Any] | None = None) -> TrainingResult:
        """Write the files of the training that is finished, or has diverged (`broken_off` is what training.json says of it)."""
        result = results.write(self.request, self.state, self.model, self.log, broken_off)
        self._tell_waiting(result.record["attempts"][-1])
        return result


def _to_numpy(variable: Any) -> np.ndarray:
    from keras import ops

    array: np.ndarray = ops.convert_to_numpy(variable)
    return array
