"""The registry of optimisers and their parameters."""

from typing import Any, cast

from workflow_lib.base.families import Family
from workflow_lib.base.parameters import Parameters, parameter_faults, read_parameters
from workflow_lib.networks.runtime import import_keras
from workflow_lib.optimisers.interface import Optimiser
from workflow_lib.study.sections.training import Training

FAMILY = Family("optimisers", "optimiser")

KEYS = ("momentum", "nesterov")
"""Parameters that are keys of the section `training` itself."""


def get(name: str) -> Optimiser:
    """Return the module of an optimiser. Raises UserError for an unknown name."""
    return cast(Optimiser, FAMILY.get(name))


def given(training: Training) -> dict[str, Any]:
    """Return the parameters of the optimiser in the section: `KEYS` with nonzero values, and the others."""
    return {key: getattr(training, key) for key in KEYS if getattr(training, key)} | training.optimiser_parameters


def parameters(training: Training) -> Parameters:
    """Return the parameters of the section's optimiser. Raises Faults with all invalid parameters."""
    return read_parameters(f"optimiser {training.optimiser!r}", get(training.optimiser).Parameters, given(training))


def faults(training: Training) -> list[tuple[str, str]]:
    """Return the faults of the choice of an optimiser as pairs of key and message."""
    name = training.optimiser
    if name not in FAMILY.names():
        return [("training.optimiser", FAMILY.unknown(name))]
    twice = [key for key in KEYS if getattr(training, key) and key in training.optimiser_parameters]
    if twice:
        return [("training.optimiser_parameters", f"{' and '.join(twice)}: also a key of `training`; give it once")]
    return [("training", fault) for fault in parameter_faults(f"optimiser {name!r}", get(name).Parameters, given(training))]


def build(training: Training) -> Any:
    """Return the Keras optimiser of the settings."""
    passes = training.accumulation if training.accumulation > 1 else None
    optimiser = get(training.optimiser).build(training.learning_rate, parameters(training), passes)
    # Small gradients would underflow to 0 in float16. The scale is one of the optimiser's variables.
    return import_keras().optimizers.LossScaleOptimizer(optimiser) if training.precision == "float16" else optimiser


def state_arrays(training: Training) -> int:
    """Return the number of arrays in the optimiser's state with the size of the weights.

    Accumulated gradients are not included.
    """
    return get(training.optimiser).state_arrays(parameters(training))
