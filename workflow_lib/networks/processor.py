"""Which convolutions TensorFlow has for the processor of this machine."""

import os

from workflow_lib.networks.precision import HALF
from workflow_lib.networks.runtime import import_keras


def convolves_by_columns(precision: str) -> bool:
    """Say whether TensorFlow convolves such numbers on this CPU by writing out the neighbourhood of every voxel as a column.

    It does so where oneDNN does not do it: in bfloat16 on processors without AVX-512 or AVX-NE-CONVERT, in float16 on those
    without AVX512-FP16 and the like, in builds without oneDNN, and where TF_ENABLE_ONEDNN_OPTS turns it off. A step in bfloat16
    then takes about ten times as long as one in float32 (measured: 10 and 20 times, 48³ voxels, one thread), and more memory.
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
        # TensorFlow's own question to the processor. Of a release without it, the common case is expected.
        return precision in HALF
    return not supported(tf.as_dtype(precision if precision in HALF else "float32").as_datatype_enum)


def onednn_is_off() -> str:
    """Return in words that the user's environment turns oneDNN off, or an empty text."""
    return " while TF_ENABLE_ONEDNN_OPTS is 0" if os.environ.get("TF_ENABLE_ONEDNN_OPTS") == "0" else ""
