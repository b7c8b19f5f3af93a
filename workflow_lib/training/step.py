"""What one training step is: a batch in, the weights changed, the loss out, and the host no longer in it than it must be.

On TensorFlow a step is one call of Keras's own compiled train function. Keras's `train_on_batch` would reset the metrics by
operations of their own and read the loss back before it returns, so that the device stood idle until the host had prepared the
next step. Here the reset is part of the step's graph, and the loss is read in a thread, so that the next step can be queued
behind this one. On Keras's other backends a step is `train_on_batch`.
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
"""The loss of a step that was begun; `result()` waits for the device."""


class Steps:
    """The training and validation steps of one compiled model.

    with Steps(model) as steps:
        loss = steps.train(images, classes)     # returns once the step is queued
        loss.result()                           # the loss, as a Python float

    Images (batch, *patch, channels) float32, classes (batch, *patch) uint8. Every batch of a model has the same shape.
    With `passes` above 1 the batch goes through the network in so many equal parts, one after the other, the weights change after
    the last (the model's optimiser accumulates the gradients over as many), and the loss is the mean over the parts.
    A model built for several GPUs gets a part of each such part on every one of them.
    A batch may not be overwritten before its loss is there.
    An error of the device is raised where the step is begun, or by `result()`.
    """

    def __init__(self, model: "keras.Model", passes: int = 1) -> None:
        import keras

        self._model, self._passes = model, passes
        self._compiled = keras.backend.backend() == "tensorflow"
        if self._compiled:
            _complete_steps(model)
        # A thread, because TensorFlow's copy of a number from a GPU waits for all work that is queued when it is asked for:
        # asked for after the next step, it would wait for that one too.
        self._reader = ThreadPoolExecutor(1, thread_name_prefix="loss")

    def train(self, images: np.ndarray, classes: np.ndarray) -> Loss:
        """Begin a step that changes the weights, and return its loss to come."""
        if not self._compiled:
            return self._in_passes(self._model.train_on_batch, images, classes)
        self._model.make_train_function()
        return self._in_passes(lambda *part: self._model.train_function(self._divided(*part))["loss"], images, classes)

    def validate(self, images: np.ndarray, classes: np.ndarray) -> Loss:
        """Begin a step that changes nothing: the loss with the moving statistics of batch normalisation."""
        if not self._compiled:
            return self._in_passes(self._model.test_on_batch, images, classes)
        self._model.make_test_function()
        return self._in_passes(lambda *part: self._model.test_function(self._divided(*part))["loss"], images, classes)

    def _in_passes(self, step: Callable[[np.ndarray, np.ndarray], Any], images: np.ndarray, classes: np.ndarray) -> Loss:
        parts = zip(np.split(images, self._passes), np.split(classes, self._passes), strict=True)
        return self._reader.submit(_mean, [step(*part) for part in parts])

    def _divided(self, images: np.ndarray, classes: np.ndarray) -> Iterator[Any]:
        """Return an iterator over one batch, divided over the model's GPUs where it was built for several."""
        strategy = self._model.distribute_strategy
        gpus = strategy.num_replicas_in_sync
        if gpus > 1:
            batches = list(zip(np.split(images, gpus), np.split(classes, gpus), strict=True))
            return iter(
                [strategy.experimental_distribute_values_from_function(lambda gpu: batches[gpu.replica_id_in_sync_group])]
            )
        return iter([(images, classes)])

    def __enter__(self) -> "Steps":
        """Return itself; leaving the block ends the thread."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Wait for what was begun."""
        self._reader.shutdown(wait=True)


def _complete_steps(model: "keras.Model") -> None:
    """Let the model's steps do what stands around them: so they are one call of a compiled function.

    The metrics are reset first, so that the mean they give back is that of this batch alone. After a training step on several
    GPUs the moving statistics of batch normalisation are averaged over them; Keras would let each GPU keep its own and save the
    first one's.
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
    """Give the variables, which differ from GPU to GPU, their mean. To be called within a step of one GPU."""
    import tensorflow as tf

    context = tf.distribute.get_replica_context()
    means = context.all_reduce(tf.distribute.ReduceOp.MEAN, [tf.convert_to_tensor(variable.value) for variable in variables])
    for variable, mean in zip(variables, means, strict=True):
        variable.assign(mean)


@contextlib.contextmanager
def compiled_with_xla(loss: str, xla: bool) -> Iterator[None]:
    """Within the block, a loss that XLA cannot compile raises UserError where it was asked to."""
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
    """Return the mean of numbers that are still on the device."""
    return sum(float(loss) for loss in losses) / len(losses)
