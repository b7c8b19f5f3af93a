"""One training: one loss on one fold, from the initial weights to those of the lowest validation loss.

The validation loss is computed after every epoch. The learning rate is reduced on a plateau of this loss.
Early stopping is optional. All losses of a fold start with the same weights and use the same patches in
the same order, because the seed for both does not depend on the loss.
"""

import contextlib
import os
import sys
from collections.abc import Callable
from typing import NoReturn

from workflow_lib.base import imports
from workflow_lib.host import memory
from workflow_lib.training import attempts, batches, checkpoints, device, workers
from workflow_lib.training.divergence import DivergedError
from workflow_lib.training.epochs import Epochs
from workflow_lib.training.interruption import StopRequest
from workflow_lib.training.progress import Progress
from workflow_lib.training.request import TrainingRequest, TrainingResult, steps_per_epoch


def train(request: TrainingRequest, on_step: Callable[[int, int], None] | None = None) -> TrainingResult:
    """Run or resume a training, and write model.weights.h5, history.csv and training.json.

    After SIGTERM, SIGINT or SIGUSR1 the state is saved and SystemExit is raised with a code other than 0.
    A loss that is NaN or infinite ends the training. A repetition would not help: on a CPU the result is
    the same. `diverged` in training.json is then {message, phase, value, epoch, step, cases}, and
    otherwise null. The weights of a diverged training are those of the lowest validation loss before the
    divergence, or the initial weights.
    `on_step(epoch, step)` is called after each training step, before its loss is read. Remove the
    checkpoints (`checkpoints.clear`) once the files exist.
    """
    progress = Progress(
        f"{request.dataset} {request.loss} fold {request.fold}", request.training.epochs, steps_per_epoch(request)
    )
    # The batch processes start while the runtime is loaded, which takes some seconds.
    with StopRequest() as stop, _workers(request) as makers, contextlib.ExitStack() as start:
        start.enter_context(imports.uncollected())
        state = checkpoints.load(request.checkpoints, request.state_of, progress.note)
        log = attempts.AttemptLog(request.checkpoints, state.epoch if state else 1, state.step if state else 0)
        stop.nothing_to_save(lambda: _leave_at_once(log, progress, stop))
        try:
            with device.prepared(request, log.attempt, progress.note):
                epochs = Epochs(request, state, makers, log, progress, stop, on_step, started=start.close)
                try:
                    epochs.to_the_end()
                except DivergedError as error:
                    progress.note(str(error))
                    result = epochs.write_results(error.where)
                else:
                    result = epochs.write_results()
        except SystemExit:
            log.write("interrupted")
            raise
        except BaseException as error:
            log.write(attempts.OUT_OF_MEMORY if _lacked_memory(error, log.attempt.gpus > 0) else "failed")
            raise
    return result


def _leave_at_once(log: attempts.AttemptLog, progress: Progress, stop: StopRequest) -> NoReturn:
    """End the process immediately: no step is finished, and the checkpoints are unchanged."""
    try:
        log.write("interrupted")
        progress.note(f"stopped by signal {stop.signal_number} before its first step. Run again to go on.")
        sys.stdout.flush()
    finally:
        os._exit(stop.exit_code)


def _lacked_memory(error: BaseException, on_gpus: bool) -> bool:
    """Return whether a training ended because the memory of the host was exhausted.

    Exhausted GPU memory does not count: more memory on the host does not help there.
    """
    cause = error.__cause__ or error
    if isinstance(cause, workers.WorkerDiedError | MemoryError):
        return True
    return memory.ran_out(cause) and not on_gpus


def _workers(request: TrainingRequest) -> workers.Workers:
    """Return the workers that prepare the batches: processes if the request has some, else threads."""
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
