"""The convolution algorithms of TensorFlow for the processor of this machine."""

import os

from workflow_lib.networks.precision import HALF
from workflow_lib.networks.runtime import import_keras


def convolves_by_columns(precision: str) -> bool:
    """Return whether TensorFlow convolves on this CPU by columns (im2col) in the given precision.

    Each column contains the neighbourhood of one voxel. TensorFlow uses this algorithm where oneDNN does not
    support the convolution: in bfloat16 on processors without AVX-512 or AVX-NE-CONVERT, in float16 on
    processors without AVX512-FP16 or similar, in builds without oneDNN, and if TF_ENABLE_ONEDNN_OPTS
    disables it. A step in bfloat16 then takes about ten times as long as in float32 (measured: 10 and 20
    times, 48³ voxels, one thread), and more memory.
    """
    if import_keras().backend.backend() != "tensorflow":
        return False
    if onednn_is_off():
        return True
    import tensorflow as tf

    try:
        from tensorflow.python.util import _pywrap_utils

        supported = _pywrap_utils.IsDataTypeSupportedByOneDNNOnThisCPU
    except (ImportError, AttributeError):
        # The query is a private function of TensorFlow. For a release without it, assume the common case.
        return precision in HALF
    return not supported(tf.as_dtype(precision if precision in HALF else "float32").as_datatype_enum)


def onednn_is_off() -> str:
    """Return a phrase if the user's environment disables oneDNN, else an empty string."""
    return " while TF_ENABLE_ONEDNN_OPTS is 0" if os.environ.get("TF_ENABLE_ONEDNN_OPTS") == "0" else ""
