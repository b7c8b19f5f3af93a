"""Losses of a study that differ only in the value of one parameter.

An example is the radius of the dilated balanced cross entropy.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

FEWEST = 3
"""Minimum number of values of a sweep."""


@dataclass(frozen=True)
class Sweep:
    """Losses of a study that differ only in the value of one parameter.

    `loss` is the name in the registry. `values` maps the names of the losses to the values of `parameter`, in
    ascending order.
    """

    loss: str
    parameter: str
    values: Mapping[str, float]


def find_sweeps(entries: Sequence[Mapping[str, Any]]) -> list[Sweep]:
    """Return the sweeps of a dataset: at least three losses that differ only in the value of one parameter.

    Parameters
    ----------
    entries : sequence of mapping
        The losses, each with `name`, `loss` (of the registry) and all its `parameters`.

    Returns
    -------
    list of Sweep
        The sweeps, with names and values in ascending order of the values.

    Examples
    --------
    >>> entries = [{"name": f"r{radius}", "loss": "boundary", "parameters": {"radius": radius}} for radius in (3, 1, 2)]
    >>> find_sweeps(entries)
    [Sweep(loss='boundary', parameter='radius', values={'r1': 1.0, 'r2': 2.0, 'r3': 3.0})]
    """
    sweeps = []
    for loss in dict.fromkeys(str(entry["loss"]) for entry in entries):
        of_loss = [entry for entry in entries if entry["loss"] == loss]
        for parameter in dict.fromkeys(key for entry in of_loss for key in entry["parameters"]):
            sweeps += [Sweep(loss, parameter, values) for values in _groups(of_loss, parameter) if len(values) >= FEWEST]
    return sweeps


def _groups(entries: Sequence[Mapping[str, Any]], parameter: str) -> list[dict[str, float]]:
    """Return name -> value of the parameter for every set of entries with equal other parameters.

    Each value occurs only once in a set.
    """
    groups: list[tuple[dict[str, Any], dict[str, float]]] = []
    for entry in entries:
        rest = {key: value for key, value in entry["parameters"].items() if key != parameter}
        value = entry["parameters"].get(parameter)
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            continue
        values = next((found for others, found in groups if others == rest), None)
        if values is None:
            values = {}
            groups.append((rest, values))
        if value not in values.values():
            values[str(entry["name"])] = float(value)
    return [dict(sorted(values.items(), key=lambda item: item[1])) for _, values in groups]
