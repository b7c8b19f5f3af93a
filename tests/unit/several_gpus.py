"""Two logical CPU devices that replace two GPUs. Must be imported in a separate process before TensorFlow computes anything."""

import tensorflow as tf

from workflow_lib.networks import runtime

DEVICES = ["CPU:0", "CPU:1"]

tf.config.set_logical_device_configuration(
    tf.config.list_physical_devices("CPU")[0], [tf.config.LogicalDeviceConfiguration() for _ in DEVICES]
)
runtime.import_keras()
runtime.gpu_devices = lambda: DEVICES
