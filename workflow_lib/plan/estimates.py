"""What trainings cost: hours of GPUs or CPUs and disk, from the records of earlier ones or from the size of the network.

The work of a training is counted in multiplications of its network. Earlier trainings give the number per second of a device,
all else included (batches, validation, checkpoints); the most similar ones count: of the same loss and data, else of the same
data, else of any. It is an estimate, to the factor, not to the minute.
"""

import math
import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from workflow_lib.base.errors import UserError
from workflow_lib.base.files import read_json
from workflow_lib.datasets.formats import registry as formats
from workflow_lib.networks import costs
from workflow_lib.optimisers import registry as optimisers
from workflow_lib.plan.faults import options
from workflow_lib.plan.jobs import JobId, Plan
from workflow_lib.provenance import layout
from workflow_lib.study.sections.network import Network
from workflow_lib.study.sections.training import Training

ASSUMED_GPU_RATE = 2e12
"""Assumed multiplications per second of a GPU if no training has been recorded. The message states that it is assumed."""

ASSUMED_THREAD_RATE = 2e10
"""The same of a thread on a CPU: 1.9e10 in docs/performance.md's training (8 filters, depth 3), on its machine."""

PASSES = 3
"""Forward, and backward to the inputs and to the weights: each costs about the same."""

ASSUMED_CASES = 100
"""Used while the data are missing; it only affects trainings whose epochs are passes over the cases."""

CLASSES = 3
"""Number of classes that is assumed before the data are known. The estimate hardly depends on it."""

FLOAT32_BYTES = 4
WEIGHTS_KEPT = 2
"""Arrays of the size of the weights in a kept state, in addition to the optimiser's: the weights and the best weights."""


@dataclass(frozen=True)
class Pace:
    """Multiplications per second of one recorded training, in steps of its training alone."""

    dataset: str
    loss: str
    on_gpu: bool
    rate: float


@dataclass(frozen=True)
class Cost:
    """Of some trainings: hours of all their GPUs, and of those that run on CPUs; where the pace comes from; bytes on the disk."""

    gpu_hours: float
    cpu_hours: float
    basis: str
    disk_bytes: int

    @property
    def device_hours(self) -> float:
        """Hours of all devices together."""
        return self.gpu_hours + self.cpu_hours

    @property
    def hours_text(self) -> str:
        """The hours as text: "about 7 GPU-hours"."""
        both = ((self.gpu_hours, "GPU"), (self.cpu_hours, "CPU"))
        parts = [f"{_hours(hours)} {device}-hours" for hours, device in both if hours]
        return f"about {' and '.join(parts or ['0.01 CPU-hours'])}"

    @property
    def text(self) -> str:
        """The cost as text."""
        return f"{self.hours_text} ({self.basis}), {_bytes(self.disk_bytes)} of disk"


def multiplications(classes: int, channels: int, network: Network, training: Training) -> float:
    """Return the multiplications of the convolutions in one training step: forward and backward, of the whole batch."""
    return PASSES * training.batch_size * float(costs.multiplications(network, classes, channels, training.patch))


def _steps(training: Training, cases: int, epochs: int) -> int:
    per_epoch = training.iterations or math.ceil(cases / training.batch_size)
    return per_epoch * epochs


def paces(plan: Plan) -> Iterator[Pace]:
    """Yield the pace of every training whose results and record exist."""
    results = Path(plan.results)
    for place in plan.jobs():
        if place.step != "train":
            continue
        training = results / layout.path("train.summary", place.dataset, place.loss, place.number)
        try:
            summary, record = read_json(training), read_json(results / place.record)
            found = _pace(place, summary, record["settings"])
        except (UserError, KeyError, TypeError, ValueError):
            continue
        if found is not None:
            yield found


def _pace(place: JobId, summary: Mapping[str, Any], settings: Mapping[str, Any]) -> Pace | None:
    training = Training.model_validate(settings["training"])
    work = multiplications(CLASSES, 1, Network.model_validate(settings["network"]), training)
    attempts = summary["attempts"]
    seconds, steps = sum(a["seconds"] for a in attempts), sum(a["steps"] for a in attempts)
    if not seconds or not steps:
        return None
    return Pace(place.dataset, place.loss, attempts[-1]["device"] != "cpu", work * steps / (seconds * max(1, training.gpus)))


def cost(plan: Plan, places: Sequence[JobId], known: Sequence[Pace], done: Mapping[JobId, int], gpus_usable: bool = True) -> Cost:
    """Return the cost of these trainings. `done`: epochs after which a training continues.

    `gpus_usable`: whether a training that asks for a GPU gets one. Without, it counts hours of CPUs.
    """
    seconds, bases = {True: 0.0, False: 0.0}, []
    datasets = {place.dataset for place in places}
    numbers = {name: _cases(plan, name) for name in datasets}
    sizes = {name: training_bytes(plan, name) for name in datasets}
    for place in places:
        dataset = plan.dataset(place.dataset)
        on_gpu = gpus_usable and dataset.training.gpus > 0
        rate, basis = _rate(place, dataset.training, known, on_gpu)
        cases = numbers[place.dataset]
        if cases is None and not dataset.training.iterations:
            basis += f", and for {ASSUMED_CASES} cases, as the data are not there yet"
        bases.append(basis)
        work = multiplications(CLASSES, len(dataset.channels or [0]), dataset.network, dataset.training)
        epochs = dataset.training.epochs - done.get(place, 0)
        seconds[on_gpu] += _steps(dataset.training, cases or ASSUMED_CASES, epochs) * work / rate
    basis = bases[0] if len(set(bases)) == 1 else "in part " + max(set(bases), key=bases.count)
    return Cost(seconds[True] / 3600, seconds[False] / 3600, basis, sum(sizes[place.dataset] for place in places))


def _rate(place: JobId, training: Training, known: Sequence[Pace], on_gpu: bool) -> tuple[float, str]:
    usable = [pace for pace in known if pace.on_gpu == on_gpu]
    alike = [
        ([p for p in usable if (p.dataset, p.loss) == (place.dataset, place.loss)], "by earlier trainings of the same loss"),
        ([p for p in usable if p.dataset == place.dataset], f"by earlier trainings on {place.dataset}"),
        (usable, "by earlier trainings on other data"),
    ]
    for found, basis in alike:
        if found:
            return statistics.median(pace.rate for pace in found), basis
    assumed = ASSUMED_GPU_RATE if on_gpu else ASSUMED_THREAD_RATE * training.threads
    return assumed, f"by the network's size, if its device multiplies {assumed:.0e} times a second"


def _cases(plan: Plan, name: str) -> int | None:
    """Return the number of a dataset's cases: those in use if that is decided, otherwise those that exist."""
    dataset = plan.dataset(name)
    try:
        return len(read_json(Path(plan.results) / layout.path("check.cases", name))["cases"])
    except (UserError, KeyError, TypeError):
        pass
    if dataset.phantom is not None:
        return dataset.phantom.cases
    try:
        return len(formats.find_cases(dataset.format, Path(dataset.root).expanduser(), options(dataset))) or None
    except (UserError, OSError, ValueError):
        return None


def training_bytes(plan: Plan, name: str) -> int:
    """Return the bytes that a finished training leaves: its weights, and its last state where that is kept."""
    dataset = plan.dataset(name)
    training, network = dataset.training, dataset.network
    try:
        classes = formats.label_map(dataset.format, Path(dataset.root).expanduser(), options(dataset)).n_classes
    except (UserError, OSError, ValueError):
        classes = CLASSES
    numbers = costs.count_parameters(network, classes, len(dataset.channels or [0]), training.patch)
    kept = 0
    if training.keep_state:
        # Where gradients are added up over passes, their sums are part of the state.
        kept = WEIGHTS_KEPT + optimisers.state_arrays(training) + (training.accumulation > 1)
    return FLOAT32_BYTES * numbers * (1 + kept)


def _hours(value: float) -> str:
    return f"{value:.0f}" if value >= 10 else f"{value:.2g}" if value >= 0.01 else "0.01"


def _bytes(value: int) -> str:
    return f"{value / 1e9:.1f} GB" if value >= 1e9 else f"{value / 1e6:.0f} MB" if value >= 1e6 else f"{value / 1e3:.0f} kB"
