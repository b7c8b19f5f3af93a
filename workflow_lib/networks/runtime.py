"""The runtime of the networks: how TensorFlow and Keras start, and threads, determinism and GPUs.

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
"""What Keras imports where it is installed, for data frames, galleries and scikit-learn's interface, which nobody uses here."""


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
