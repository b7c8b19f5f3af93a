"""The memory that a training step needs, and what to change if it does not fit on the device."""

from collections.abc import Callable

from workflow_lib.host import memory
from workflow_lib.networks import costs, processor
from workflow_lib.networks.precision import HALF
from workflow_lib.optimisers import registry as optimisers
from workflow_lib.study.sections.network import Network
from workflow_lib.study.sections.training import Training


def step_bytes(n_classes: int, channels: int, network: Network, training: Training, gpus: int) -> int:
    """Return the estimated memory of one step on each device, in bytes."""
    return costs.estimate_memory(
        network,
        n_classes,
        channels,
        training.patch,
        training.batch_size,
        training.precision,
        training.accumulation,
        max(1, gpus),
        columns=gpus == 0 and processor.convolves_by_columns(training.precision),
        optimiser_arrays=optimisers.state_arrays(training),
    )


def device_memory(device: str) -> memory.Memory | None:
    """Return the memory that the device has for a training, or None if it is unknown."""
    return memory.of_host() if device == "cpu" else memory.of_gpu()


def tell(needed: int, device: str, training: Training, say: Callable[[str], None]) -> None:
    """Report the required and the available memory, and what to change if it is not sufficient."""
    if slow_in_16_bits(device, training.precision):
        say(
            f"TensorFlow has no fast convolutions in {training.precision} on this processor{processor.onednn_is_off()}, so a "
            "step takes about ten times as long as in float32, and more memory. Set training.precision: float32, or use a GPU."
        )
    available = device_memory(device)
    text = f"a step needs about {memory.gibibytes(needed)} (estimate)"
    if available is None:
        say(text)
        return
    say(f"{text}; {available.name} has {memory.gibibytes(available.size)}")
    if needed > available.size:
        say(f"that is more than there is, so the training may run out of memory. {remedies(device, training)}")


def slow_in_16_bits(device: str, precision: str) -> bool:
    """Return whether 16-bit precision is slower on this device and takes more memory."""
    return device == "cpu" and precision in HALF and processor.convolves_by_columns(precision)


def exhausted(needed: int, device: str, training: Training) -> str:
    """Return the message for a training whose device is out of memory."""
    available = device_memory(device)
    where = "the CPU" if device == "cpu" else f"the GPU ({device})"
    has = "" if available is None else f"; {available.name} has {memory.gibibytes(available.size)}"
    return (
        f"The memory of {where} is used up. A step needs about {memory.gibibytes(needed)} (estimate){has}. "
        f"The last checkpoint stays as it is, nothing else was written. {remedies(device, training)}"
    )


def host_exhausted() -> str:
    """Return the message for a training on a GPU whose host is out of memory."""
    available = memory.of_host()
    has = "" if available is None else f" ({available.name} has {memory.gibibytes(available.size)} left)"
    return (
        f"The memory of the host, not of the GPU, is used up{has}. The last checkpoint stays as it is, nothing else was written. "
        "Ask for more (training.memory_mb), or lower training.batch_processes."
    )


def remedies(device: str, training: Training) -> str:
    """Return advice on the settings that reduce the memory of a step or request more memory."""
    smaller = ["lower training.patch or network.filters"]
    if training.batch_size > 1:
        smaller.append("lower training.batch_size")
    if training.batch_size > training.accumulation and training.gpus <= 1 and training.precision != "float16":
        smaller.append("raise training.accumulation, the passes that a batch is spread over")
    if training.precision in ("float32", "tf32") and not slow_in_16_bits(device, "bfloat16"):
        smaller.append("set training.precision: bfloat16")
    if device == "cpu":
        larger = "Or ask for more memory: training.memory_mb."
    else:
        larger = "Or ask for a GPU with more memory: gpu_model (docs/hpc.md)."
    return f"To need less, {'; or '.join(smaller)}. {larger}"
