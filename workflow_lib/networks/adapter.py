"""MIScnn's standard U-Nets, through one adapter to MIScnn 1.4.0, and the runtime they need.

Everything that knows about TensorFlow's start-up, MIScnn's import and Keras's global state stands here and nowhere else.
TensorFlow, Keras and MIScnn are imported inside functions.
"""

from __future__ import annotations

import contextlib
import functools
import os
import re
import sys
import tempfile
import warnings
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from workflow_lib.base import imports
from workflow_lib.base.errors import UserError
from workflow_lib.base.files import atomic_path
from workflow_lib.host import memory

if TYPE_CHECKING:
    import keras

NOT_FOR_KERAS = ("matplotlib", "pandas", "sklearn")
"""What Keras imports where it is installed, for data frames, galleries and scikit-learn's interface, which nobody uses here."""

HALF = ("bfloat16", "float16")
"""Number formats of 16 bits that a network's layers can compute in."""


def import_keras() -> Any:
    """Import TensorFlow and Keras without the lines their C++ code prints at that moment, and return the module `keras`.

    Keras runs on the backend named by KERAS_BACKEND, else on TensorFlow; a user's own keras.json changes neither the backend
    nor number format nor axis order. When the import fails, what was printed is shown after all.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    # TensorFlow turns oneDNN on for some CPUs only. Without it convolutions take three times as long and twice the memory.
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
    if "keras" not in sys.modules:
        with _silent_native_output(), imports.lean(NOT_FOR_KERAS):
            import keras
            import tensorflow  # noqa: F401 -- MIScnn's networks are written with it, whatever the backend
    import keras

    keras.config.set_floatx("float32")
    keras.config.set_image_data_format("channels_last")
    return keras


@contextlib.contextmanager
def _silent_native_output() -> Iterator[None]:
    """Keep what the process writes to file descriptor 2 in a file, and give it back only after an exception.

    TensorFlow 2.21 prints banner lines before its logging obeys TF_CPP_MIN_LOG_LEVEL; no setting turns them off.
    """
    sys.stderr.flush()
    try:
        original, kept = os.dup(2), tempfile.TemporaryFile()  # noqa: SIM115 -- closed below
    except OSError:
        # No standard error, or no place for temporary files: the lines are shown, which hurts nobody.
        yield
        return
    os.dup2(kept.fileno(), 2)
    try:
        yield
    except BaseException:
        _restore_stderr(original)
        kept.seek(0)
        os.write(2, kept.read())
        raise
    else:
        _restore_stderr(original)
    finally:
        kept.close()


def _restore_stderr(original: int) -> None:
    sys.stderr.flush()
    os.dup2(original, 2)
    os.close(original)


def configure_runtime(threads: int, deterministic: bool, gpus: int, tensor_float_32: bool = False, xla: bool = False) -> str:
    """Set threads, determinism and visible GPUs of the TensorFlow backend, and return the device in words ("cpu", "NVIDIA A100").

    `threads`: size of the thread pool inside an operation and of the one between operations; on a CPU the sums inside
    convolutions, and so the weights, depend on it. `deterministic`: on GPUs too, only operations that always give the same bits.
    `gpus`: 0 hides all GPUs; otherwise the first so many are used, and memory is taken as it is needed instead of all at once.
    `xla`: models will be compiled with it; Keras does not where TensorFlow is bound to deterministic operations, so it is not.
    `tensor_float_32`: GPUs that have it may round the factors of products to 10 bits of fraction (NVIDIA's TensorFloat-32).
    To be called before anything is computed; a setting that comes too late is reported as a warning. Other backends: no effect.
    Raises UserError when `gpus` is more than 1 and there are fewer, or the backend is another, or when the machine has an NVIDIA
    GPU for this process that TensorFlow cannot use.
    """
    keras = import_keras()
    if keras.backend.backend() != "tensorflow":
        if gpus > 1:
            raise UserError(
                f"training.gpus is {gpus}, but a training on several GPUs needs Keras's TensorFlow backend, and KERAS_BACKEND is "
                f"{keras.backend.backend()}. Unset KERAS_BACKEND or set training.gpus to 1."
            )
        return str(keras.backend.backend())
    import tensorflow as tf

    with _silent_native_output():
        try:
            tf.config.threading.set_intra_op_parallelism_threads(threads)
            tf.config.threading.set_inter_op_parallelism_threads(threads)
        except RuntimeError:
            if tf.config.threading.get_intra_op_parallelism_threads() != threads:
                warnings.warn(f"TensorFlow runs already; it does not change to {threads} thread(s) any more", stacklevel=2)
        devices = tf.config.list_physical_devices("GPU")[:gpus]
        try:
            tf.config.set_visible_devices(devices, "GPU")
            for device in devices:
                tf.config.experimental.set_memory_growth(device, True)
        except RuntimeError:
            warnings.warn("TensorFlow runs already; its GPUs stay as they are", stacklevel=2)
        # Off unless asked for: the GPUs of the paper knew no TensorFloat-32.
        tf.config.experimental.enable_tensor_float_32_execution(tensor_float_32)
        if (deterministic or not devices) and not xla:
            # Costs nothing on a CPU.
            tf.config.experimental.enable_op_determinism()
        if gpus > 1 and len(gpu_devices()) < gpus:
            raise UserError(
                f"training.gpus is {gpus}, but this job sees {len(gpu_devices())} GPU(s). Ask for {gpus} GPUs of one machine, or "
                "set training.gpus to what there is; the result depends on it."
            )
        if not devices:
            _require_no_gpu_left_unused(gpus)
            return "cpu"
        name = str(tf.config.experimental.get_device_details(devices[0]).get("device_name", "gpu"))
        return name if gpus == 1 else f"{gpus} x {name}"


def _require_no_gpu_left_unused(gpus: int) -> None:
    """Raise UserError where a GPU was asked for and is there, but not for TensorFlow: for days a CPU would train in its place."""
    found = memory.of_gpu() if gpus else None
    if found is not None:
        raise UserError(
            f"This job has a GPU ({found.name}), but TensorFlow cannot use it: NVIDIA's libraries are not in this environment, "
            "or the driver is too old for them. Install them with `make venv GPU=1` (docs/hpc.md); to train on CPUs, set "
            "training.gpus to 0."
        )


def gpu_devices() -> list[str]:
    """Return TensorFlow's names of the GPUs that it uses, as `configure_runtime` left them."""
    import tensorflow as tf

    return [device.name for device in tf.config.list_logical_devices("GPU")]


@contextlib.contextmanager
def on_gpus(gpus: int) -> Iterator[None]:
    """Within the block models are built so that one training runs on so many GPUs of this machine (TensorFlow backend).

    Every GPU holds all weights and takes its part of each batch; gradients are averaged. With 0 or 1 nothing is different.
    """
    if gpus < 2:
        yield
        return
    import tensorflow as tf

    with tf.distribute.MirroredStrategy(gpu_devices()[:gpus]).scope():
        yield


@contextlib.contextmanager
def _layers_in(precision: str) -> Iterator[None]:
    """Within the block new layers compute in this number format; their weights are float32 all the same."""
    keras = import_keras()
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(f"mixed_{precision}" if precision in HALF else "float32")
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


def build_unet(
    n_classes: int,
    channels: int,
    patch: Sequence[int],
    filters: int,
    depth: int,
    batch_normalisation: bool,
    seed: int | None = None,
    precision: str = "float32",
) -> keras.Model:
    """Build MIScnn's standard U-Net: images (batch, *patch, channels) float32 to softmax (batch, *patch, n_classes) float32.

    A patch of two sides gives the 2-D network, of three the 3-D one. `filters` is the width of the first level, doubled on each
    of the `depth` levels below. `precision` bfloat16 or float16: all layers but the last compute in that format, from the same
    float32 weights; float32 and tf32 build the same network. With `seed` the initial weights are a function of the seed and the
    arguments; Python's, NumPy's and the backend's global seeds are set on the way.
    Raises UserError when a side does not divide by 2**depth.
    """
    if len(patch) not in (2, 3):
        raise UserError(f"A patch has two or three sides, but {list(patch)} has {len(patch)}. Mend training.patch.")
    if any(side % 2**depth for side in patch):
        raise UserError(
            f"The sides of the patch {list(patch)} must divide by 2**depth = {2**depth}, so that {depth} poolings give whole "
            "voxels. Change training.patch or network.depth."
        )
    keras = import_keras()
    architecture = _miscnn_architecture()(n_filters=filters, depth=depth, batch_normalization=batch_normalisation)
    create = architecture.create_model_2D if len(patch) == 2 else architecture.create_model_3D
    if seed is not None:
        keras.utils.set_random_seed(seed)
    with _layers_in(precision):
        network = create((*patch, channels), n_classes)
    output = network.outputs[0]
    if precision in HALF:
        # The softmax is part of the last convolution; probabilities near 0 and 1 need more digits than 16 bits have.
        last = network.layers[-1]
        last.dtype_policy = keras.dtype_policies.DTypePolicy("float32")
        output = last(network.layers[-2].output)
    # MIScnn wraps its tensors in lists, which Keras 3 warns about at every call with a plain array.
    model = keras.Model(network.inputs[0], output, name="unet")
    _name_layers(model)
    return model


@functools.cache
def _miscnn_architecture() -> Any:
    """Return MIScnn's standard U-Net.

    The package imports scikit-learn, matplotlib and more for what is not used here, and a network that needs tensorflow_addons,
    which no longer exists for Keras 3; so this one module is imported alone.
    """
    return imports.module_alone("miscnn.neural_network.architecture.unet.standard").Architecture


def _name_layers(model: keras.Model) -> None:
    """Name the layers by kind and position.

    Keras counts names through the process; they are written into weights files, whose bytes shall depend on the network alone.
    """
    counter: Counter[str] = Counter()
    for layer in model.layers:
        kind = re.sub(r"(?<!^)(?=[A-Z][a-z])", "_", type(layer).__name__).lower()
        counter[kind] += 1
        layer.name = f"{kind}_{counter[kind]}"


def save_network(model: keras.Model, path: Path) -> None:
    """Write the weights, and nothing else, to a file `*.weights.h5`, whole or not at all; equal weights give equal bytes.

    Keras adds the optimiser's state of a compiled model; so the same layers are saved as a model that is not compiled.
    """
    keras = import_keras()
    plain = keras.Model(model.inputs[0], model.outputs[0], name="unet")
    with atomic_path(path) as temporary:
        plain.save_weights(temporary)


def load_network(
    weights: Path,
    n_classes: int,
    channels: int,
    patch: Sequence[int],
    filters: int,
    depth: int,
    batch_normalisation: bool,
) -> keras.Model:
    """Build a U-Net and fill it from a weights file. Raises UserError when the file is missing, damaged or of another network."""
    if not weights.is_file():
        raise UserError(f"{weights} does not exist. Run the training that makes it first.")
    model = build_unet(n_classes, channels, patch, filters, depth, batch_normalisation)
    try:
        # Keras passes over arrays that a file has too many of.
        held = _numbers_in(weights)
        if held != model.count_params():
            raise ValueError(f"it holds {held} numbers, the network has {model.count_params()} weights.")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            model.load_weights(weights)
    except (OSError, ValueError, KeyError) as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise UserError(
            f"{weights} does not fit the network of {filters} filters, depth {depth}, {channels} channel(s) and {n_classes} "
            f"classes, or is damaged: {reason} Delete it and run the training again."
        ) from error
    return model


def _numbers_in(weights: Path) -> int:
    import h5py

    sizes: list[int] = []

    def count(name: str, item: Any) -> None:
        if isinstance(item, h5py.Dataset):
            sizes.append(item.size)

    with h5py.File(weights, "r") as file:
        file.visititems(count)
    return sum(sizes)
