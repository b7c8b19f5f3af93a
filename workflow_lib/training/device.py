"""The device of a training: configuration of the runtime, and messages about missing resources."""

import contextlib
from collections.abc import Callable, Iterator

from workflow_lib.base.errors import UserError
from workflow_lib.host import memory
from workflow_lib.networks import runtime
from workflow_lib.training import attempts, budget
from workflow_lib.training.request import TrainingRequest, gpus_of
from workflow_lib.training.step import compiled_with_xla


@contextlib.contextmanager
def prepared(request: TrainingRequest, attempt: attempts.Attempt, say: Callable[[str], None]) -> Iterator[None]:
    """Configure TensorFlow for the training, and explain some errors of the block.

    These are errors from exhausted memory and from a loss that XLA cannot compile. The device and the
    number of GPUs are stored in `attempt`. Raises UserError if the device does not support the precision.
    """
    settings, gpus = request.training, gpus_of(request)
    device = runtime.configure_runtime(
        settings.threads, settings.deterministic, gpus, tensor_float_32=settings.precision == "tf32", xla=settings.xla
    )
    attempt.device, attempt.gpus = device, 0 if device == "cpu" else gpus
    if request.gpus and device == "cpu":
        say("no GPU was found; training on the CPU")
    if settings.precision == "float16" and device == "cpu" and len(settings.patch) == 3:
        raise UserError(
            "TensorFlow has no 3-D pooling in float16 on a CPU. Set training.precision to bfloat16 or float32, or train "
            "on a GPU (training.gpus)."
        )
    needed = budget.step_bytes(request.n_classes, request.channels, request.network, settings, attempt.gpus)
    budget.tell(needed, device, settings, say)
    out_of_memory = memory.explained(
        lambda: budget.exhausted(needed, device, settings), None if device == "cpu" else budget.host_exhausted
    )
    with out_of_memory, compiled_with_xla(request.loss, settings.xla):
        yield
