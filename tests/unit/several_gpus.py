"""Two logical CPU devices in the place of two GPUs. To be imported in a process of its own, before TensorFlow computes."""

import tensorflow as tf

from workflow_lib.networks import runtime

DEVICES = ["CPU:0", "CPU:1"]

tf.config.set_logical_device_configuration(
    tf.config.list_physical_devices("CPU")[0], [tf.config.LogicalDeviceConfiguration() for _ in DEVICES]
)
runtime.import_keras()
runtime.gpu_devices = lambda: DEVICES
