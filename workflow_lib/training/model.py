"""The network of a training with its initial weights, its loss and its optimiser."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from workflow_lib.base.errors import UserError
from workflow_lib.base.seeds import derive
from workflow_lib.losses import registry
from workflow_lib.networks import runtime
from workflow_lib.networks.build import build_network
from workflow_lib.optimisers import registry as optimisers
from workflow_lib.training.request import TrainingRequest

if TYPE_CHECKING:
    import keras


def compile_model(request: TrainingRequest) -> "keras.Model":
    """Return the network with its initial weights, the loss and the optimiser.

    The initial weights depend on the seed of the request and the network, not on the loss.
    """
    settings = request.training
    with runtime.on_gpus(settings.gpus):
        model = build_network(
            request.network,
            request.n_classes,
            request.channels,
            settings.patch,
            seed=derive(request.seed, "initial weights"),
            precision=settings.precision,
        )
        model.compile(
            optimizer=optimisers.build(settings),
            loss=with_one_hot(registry.build(request.loss_type, request.parameters), request.n_classes, settings.gpus),
            # Set explicitly: by default, Keras uses XLA on a single GPU but not on a CPU.
            # On a CPU, XLA makes 3-D U-Nets several times slower.
            jit_compile=settings.xla,
            # The optimiser already has loss scaling where it is needed.
            auto_scale_loss=False,
        )
        model.optimizer.build(model.trainable_variables)
    if settings.xla and not model.jit_compile:
        raise UserError("Keras cannot compile this training with XLA here (docs/hpc.md). Set training.xla to false.")
    return model


def with_one_hot(loss: Callable[[Any, Any], Any], n_classes: int, gpus: int = 1) -> Callable[[Any, Any], Any]:
    """Return the loss for class indices (batch, *patch); voxels outside the volume (255) get an all-zero row.

    On several GPUs the value is a vector with one element: Keras averages such a vector over the GPUs, but
    would sum a scalar.
    """
    from keras import ops

    def on_classes(y_true: Any, y_pred: Any) -> Any:
        # Keras passes labels as float32, which represents the indices exactly.
        classes = ops.arange(n_classes, dtype="float32")
        one_hot = ops.cast(ops.equal(ops.cast(y_true, "float32")[..., None], classes), "float32")
        value = loss(one_hot, y_pred)
        return ops.reshape(value, (1,)) if gpus > 1 else value

    return on_classes
