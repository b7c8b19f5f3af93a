"""One training or validation step with as little waiting for the host as possible.

On TensorFlow a step is one call of Keras's compiled train function. Keras's `train_on_batch` resets the
metrics with separate operations and reads the loss before it returns. The device would then be idle until
the host has prepared the next step. Here the reset is part of the graph of the step, and a thread reads
the loss, so that the next step can already be queued. On Keras's other backends a step is
`train_on_batch`.
"""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import TYPE_CHECKING, Any

import numpy as np

from workflow_lib.base.errors import UserError

if TYPE_CHECKING:
    import keras

Loss = Future[float]
"""The loss of a queued step; `result()` waits for the device."""


class Steps:
    """The training and validation steps of one compiled model.

    with Steps(model) as steps:
        loss = steps.train(images, classes)     # returns once the step is queued
        loss.result()                           # the loss, as a Python float

    Images (batch, *patch, channels) float32, classes (batch, *patch) uint8. Every batch of a model has the same shape.
    With `passes` above 1, the batch is divided into this number of equal parts, which are processed one
    after the other. The weights change after the last part, because the optimiser of the model accumulates
    the gradients over `passes` parts. The loss is the mean over the parts. If the model was built for
    several GPUs, each part is divided over them.
    A batch must not be overwritten before its loss is available. An error of the device is raised when the
    step is queued, or by `result()`.
    """

    def __init__(self, model: "keras.Model", passes: int = 1) -> None:
        import keras

        self._model, self._passes = model, passes
        self._compiled = keras.backend.backend() == "tensorflow"
        if self._compiled:
            _complete_steps(model)
        # A thread reads the loss immediately. TensorFlow's copy of a number from a GPU waits for all work
        # that is already queued. A copy requested after the next step would also wait for that step.
        self._reader = ThreadPoolExecutor(1, thread_name_prefix="loss")

    def train(self, images: np.ndarray, classes: np.ndarray) -> Loss:
        """Queue a step that changes the weights, and return its future loss."""
        if not self._compiled:
            return self._in_passes(self._model.train_on_batch, images, classes)
        self._model.make_train_function()
        return self._in_passes(lambda *part: self._model.train_function(self._divided(*part))["loss"], images, classes)

    def validate(self, images: np.ndarray, classes: np.ndarray) -> Loss:
        """Queue a step that only computes the loss, with the moving statistics of batch normalisation."""
        if not self._compiled:
            return self._in_passes(self._model.test_on_batch, images, classes)
        self._model.make_test_function()
        return self._in_passes(lambda *part: self._model.test_function(self._divided(*part))["loss"], images, classes)

    def _in_passes(self, step: Callable[[np.ndarray, np.ndarray], Any], images: np.ndarray, classes: np.ndarray) -> Loss:
        parts = zip(np.split(images, self._passes), np.split(classes, self._passes), strict=True)
        return self._reader.submit(_mean, [step(*part) for part in parts])

    def _divided(self, images: np.ndarray, classes: np.ndarray) -> Iterator[Any]:
        """Return an iterator over one batch, divided over the GPUs if the model was built for several."""
        strategy = self._model.distribute_strategy
        gpus = strategy.num_replicas_in_sync
        if gpus > 1:
            batches = list(zip(np.split(images, gpus), np.split(classes, gpus), strict=True))
            return iter(
                [strategy.experimental_distribute_values_from_function(lambda gpu: batches[gpu.replica_id_in_sync_group])]
            )
        return iter([(images, classes)])

    def __enter__(self) -> "Steps":
        """Return the object itself; the thread ends with the block."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Wait for the queued steps."""
        self._reader.shutdown(wait=True)


def _complete_steps(model: "keras.Model") -> None:
    """Include the reset and the averaging in the model's steps, so that each is one compiled call.

    The metrics are reset first, so that the returned mean is that of this batch only. After a training step
    on several GPUs, the moving statistics of batch normalisation are averaged over the GPUs. By default in
    Keras, each GPU keeps its own statistics, and those of the first are saved.
    """
    training, validation = model.train_step, model.test_step
    several = model.distribute_strategy.num_replicas_in_sync > 1

    def train_step(data: Any) -> Any:
        model.reset_metrics()
        result = training(data)
        if several and model.non_trainable_weights:
            _average(model.non_trainable_weights)
        return result

    def test_step(data: Any) -> Any:
        model.reset_metrics()
        return validation(data)

    model.train_step, model.test_step = train_step, test_step


def _average(variables: Sequence[Any]) -> None:
    """Replace variables that differ between GPUs by their mean. Call it within a step of one GPU."""
    import tensorflow as tf

    context = tf.distribute.get_replica_context()
    means = context.all_reduce(tf.distribute.ReduceOp.MEAN, [tf.convert_to_tensor(variable.value) for variable in variables])
    for variable, mean in zip(variables, means, strict=True):
        variable.assign(mean)


@contextlib.contextmanager
def compiled_with_xla(loss: str, xla: bool) -> Iterator[None]:
    """Within the block, raise UserError if XLA is used and cannot compile the loss."""
    try:
        yield
    except Exception as error:
        if xla and type(error).__name__ in {"InvalidArgumentError", "UnimplementedError"} and "xla" in str(error).lower():
            raise UserError(
                f"XLA cannot compile the loss {loss!r}: it uses an operation that XLA does not know, or shapes that depend on "
                "values. Set training.xla to false."
            ) from error
        raise


def _mean(losses: Sequence[Any]) -> float:
    """Return the mean of losses that are still on the device."""
    return sum(float(loss) for loss in losses) / len(losses)
