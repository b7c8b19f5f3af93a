"""The runtime of the networks: import of TensorFlow and Keras, threads, determinism and GPUs.

TensorFlow and Keras are imported inside functions.
"""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
import warnings
from collections.abc import Iterator
from typing import Any

from workflow_lib.base import imports
from workflow_lib.base.errors import UserError
from workflow_lib.host import memory

NOT_FOR_KERAS = ("matplotlib", "pandas", "sklearn")
"""Optional imports of Keras that are not used here.

Keras uses them for data frames, galleries and the scikit-learn interface.
"""


def import_keras() -> Any:
    """Import TensorFlow and Keras without the output of their C++ code, and return the module `keras`.

    The backend of Keras is KERAS_BACKEND, or TensorFlow if that is not set. The user's keras.json does not
    change the backend, the number format or the axis order. If the import fails, the output is shown.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    # By default TensorFlow uses oneDNN only on some CPUs. Without it, convolutions take three times as long
    # and twice the memory.
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
    if "keras" not in sys.modules:
        with _silent_native_output(), imports.lean(NOT_FOR_KERAS):
            import keras
            import tensorflow  # noqa: F401 -- MIScnn's networks use it with every backend
    import keras

    keras.config.set_floatx("float32")
    keras.config.set_image_data_format("channels_last")
    return keras


@contextlib.contextmanager
def _silent_native_output() -> Iterator[None]:
    """Redirect file descriptor 2 to a temporary file, and print its content only after an exception.

    TensorFlow 2.21 prints some lines before TF_CPP_MIN_LOG_LEVEL takes effect, and no setting disables them.
    """
    sys.stderr.flush()
    try:
        original, kept = os.dup(2), tempfile.TemporaryFile()  # noqa: SIM115 -- closed below
    except OSError:
        # Without standard error or a folder for temporary files, the lines are shown, which is harmless.
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
    """Configure the TensorFlow backend, and return the name of the device ("cpu", "NVIDIA A100").

    `threads`: size of the thread pools within and between operations. On a CPU, the sums in convolutions,
    and therefore the weights, depend on it.
    `deterministic`: use only deterministic operations, also on GPUs.
    `gpus`: number of GPUs, the first ones of the machine. 0 hides all GPUs. Memory is allocated as needed,
    instead of all at the start.
    `xla`: models will be compiled with XLA. Deterministic operations are then not enforced, because with
    them Keras does not use XLA.
    `tensor_float_32`: allow GPUs to round the factors of products to 10 fraction bits (NVIDIA's
    TensorFloat-32).

    Call the function before any computation; a setting that comes too late is reported as a warning. It has
    no effect on other backends. Raises UserError if `gpus` is above 1 and there are fewer GPUs or the
    backend is not TensorFlow, or if `gpus` is not 0 and TensorFlow cannot use the process's NVIDIA GPU.
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
        # Disabled by default, because the GPUs of the paper did not have TensorFloat-32.
        tf.config.experimental.enable_tensor_float_32_execution(tensor_float_32)
        if (deterministic or not devices) and not xla:
            # Has no cost on a CPU.
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
    """Raise UserError if a GPU is requested and present, but TensorFlow cannot use it.

    Otherwise the training would run on the CPU for days.
    """
    found = memory.of_gpu() if gpus else None
    if found is not None:
        raise UserError(
            f"This job has a GPU ({found.name}), but TensorFlow cannot use it: NVIDIA's libraries are not in this environment, "
            "or the driver is too old for them. Install them with `make venv GPU=1` (docs/hpc.md); to train on CPUs, set "
            "training.gpus to 0."
        )


def gpu_devices() -> list[str]:
    """Return TensorFlow's names of the GPUs that `configure_runtime` made visible."""
    import tensorflow as tf

    return [device.name for device in tf.config.list_logical_devices("GPU")]


@contextlib.contextmanager
def on_gpus(gpus: int) -> Iterator[None]:
    """Within the block, build models for a training on `gpus` GPUs of this machine (TensorFlow backend).

    Every GPU has all weights and processes a part of each batch, and the gradients are averaged. With 0 or
    1 the block has no effect.
    """
    if gpus < 2:
        yield
        return
    import tensorflow as tf

    with tf.distribute.MirroredStrategy(gpu_devices()[:gpus]).scope():
        yield
