"""The registry of architectures and their parameters."""

from collections.abc import Sequence
from typing import Any, cast

from workflow_lib.base.families import Family
from workflow_lib.base.parameters import Parameters, parameter_faults, read_parameters
from workflow_lib.networks.architectures.interface import Architecture
from workflow_lib.study.sections.network import Network

FAMILY = Family("networks.architectures", "architecture")


def get(name: str) -> Architecture:
    """Return the module of an architecture. Raises UserError for an unknown name."""
    return cast(Architecture, FAMILY.get(name))


def refused(name: str) -> str:
    """Return why an architecture does not work with the current libraries, or an empty string."""
    return str(getattr(FAMILY.get(name), "REFUSED", ""))


def given(network: Network) -> dict[str, Any]:
    """Return all parameters of the architecture in the section."""
    return network.model_dump(exclude={"architecture", "parameters"}) | network.parameters


def parameters(network: Network) -> Parameters:
    """Return the parameters of the section's architecture. Raises Faults with all invalid parameters."""
    return read_parameters(f"architecture {network.architecture!r}", get(network.architecture).Parameters, given(network))


def faults(network: Network, patch: Sequence[int]) -> list[tuple[str, str]]:
    """Return the faults of a network for the given patch as pairs of key and message."""
    name = network.architecture
    if name not in FAMILY.names():
        return [("network.architecture", FAMILY.unknown(name))]
    if refused(name):
        usable = ", ".join(other for other in FAMILY.names() if not refused(other))
        return [("network.architecture", f"{name} of MIScnn 1.4.0 fails under Keras 3: {refused(name)}. Use one of: {usable}")]
    twice = sorted(set(network.parameters) & set(Network.model_fields))
    if twice:
        return [("network.parameters", f"{', '.join(twice)}: keys of `network` itself; move them there")]
    architecture = get(name)
    wrong = parameter_faults(f"architecture {name!r}", architecture.Parameters, given(network))
    if wrong:
        return [("network", fault) for fault in wrong]
    divisor = architecture.divisor(parameters(network))
    if any(side % divisor for side in patch):
        return [("training.patch", f"every side must divide by {divisor} for this network (network.depth); it is {list(patch)}")]
    return []
