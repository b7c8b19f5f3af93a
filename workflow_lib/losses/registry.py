"""The losses by name: a loss is a Python file of this folder with the name of the loss.

A file holds NAME, LABEL, CITATION, EQUATION (LaTeX), FAMILY, `Parameters`, and a function of the loss's own name that
builds it; and, if they say something, BUILT_FROM (the losses it generalises or combines), PRESETS and NOTES.
Adding a loss adds a file; nothing else changes.
"""

import difflib
import importlib
import pkgutil
from collections.abc import Iterable, Mapping
from typing import Any, Literal, Protocol, cast

import workflow_lib.losses
from workflow_lib.errors import UserError
from workflow_lib.losses._parameters import LossParameters, parameter_faults, read_parameters
from workflow_lib.losses._terms import LossFunction

NOT_LOSSES = ("registry", "documentation")

FAMILIES = {
    "distribution": "distribution-based",
    "region": "region-based",
    "compound": "compound",
}
"""Families of losses with their names in text, in the paper's order."""

PRESETS = {
    "paper": "the paper's parameters, classes averaged as in the authors' code",
    "paper-literal": "the paper's parameters, classes summed as in the equations as printed",
}


class LossModule(Protocol):
    """What a loss file holds."""

    NAME: str
    LABEL: str
    CITATION: str
    EQUATION: str
    FAMILY: Literal["distribution", "region", "compound"]
    Parameters: type[LossParameters]


def names() -> tuple[str, ...]:
    """Return the names of all losses, sorted. No loss is imported."""
    files = (file.name for file in pkgutil.iter_modules(workflow_lib.losses.__path__))
    return tuple(sorted(name for name in files if not name.startswith("_") and name not in NOT_LOSSES))


def get(name: str) -> LossModule:
    """Return the module of a loss. Raises UserError with the nearest name and the whole list when there is none."""
    if name not in names():
        raise UserError(_unknown(name))
    found = importlib.import_module(module(name))
    needed = ("NAME", "LABEL", "CITATION", "EQUATION", "FAMILY", "Parameters", name)
    missing = [key for key in needed if not hasattr(found, key)]
    if missing:
        raise UserError(f"The loss file workflow_lib/losses/{name}.py does not define {', '.join(missing)}.")
    loss = cast(LossModule, found)
    if name != loss.NAME:
        raise UserError(f"The loss file workflow_lib/losses/{name}.py has NAME = {loss.NAME!r}; it must be {name!r}.")
    if loss.FAMILY not in FAMILIES:
        raise UserError(f"The loss file workflow_lib/losses/{name}.py has FAMILY = {loss.FAMILY!r}; use {', '.join(FAMILIES)}.")
    return loss


def module(name: str) -> str:
    """Return the name of the Python module that holds the loss."""
    return f"{workflow_lib.losses.__name__}.{name}"


def build(name: str, parameters: Mapping[str, Any] | None = None) -> LossFunction:
    """Return the loss `name` with `parameters` over its defaults.

    Raises UserError for an unknown loss, and Faults that names every parameter that is wrong.
    """
    factory = getattr(get(name), name)
    return cast(LossFunction, factory(**resolved_parameters(name, parameters)))


def faults(name: str, parameters: Mapping[str, Any] | None = None, n_classes: int | None = None) -> list[str]:
    """Return everything that is wrong with a choice of loss and parameters, in words; empty when all is well.

    With `n_classes` (background included) parameters with a value per class are counted too.
    """
    if name not in names():
        return [_unknown(name)]
    given = dict(parameters or {})
    found = parameter_faults(name, get(name).Parameters, given)
    if found or n_classes is None:
        return found
    values = resolved_parameters(name, given)
    return [
        f"loss {name!r}: parameter {key!r} has {len(value)} values for {n_classes} classes; give one per class, background first"
        for key, value in values.items()
        if isinstance(value, list) and len(value) != n_classes
    ]


def keras_objects() -> dict[str, type]:
    """Return what `keras.saving.load_model(path, custom_objects=...)` needs to load a model that was saved with a loss."""
    return {LossFunction.__name__: LossFunction}


def resolved_parameters(name: str, parameters: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Return all parameters of the loss, the defaults filled in, as plain data for JSON.

    Two ways to write the same choice ('1e-6' and 0.000001) resolve to the same. Raises as `build` does.
    """
    return read_parameters(name, get(name).Parameters, dict(parameters or {})).model_dump(mode="json")


def preset(name: str, which: str = "paper") -> dict[str, Any]:
    """Return the parameters that the preset sets for the loss (those that differ from the defaults, which are `paper`)."""
    if which not in PRESETS:
        raise UserError(f"There is no preset {which!r} of losses; there are {', '.join(PRESETS)}.")
    presets: Mapping[str, Mapping[str, Any]] = getattr(get(name), "PRESETS", {})
    return dict(presets.get(which, {}))


def built_from(name: str) -> tuple[str, ...]:
    """Return the losses that the loss generalises or combines."""
    return tuple(getattr(get(name), "BUILT_FROM", ()))


def with_components(members: Iterable[str]) -> list[str]:
    """Return `members` and every loss that one of them is built from, directly or not: the members first, in their order."""
    found = list(dict.fromkeys(members))
    for name in found:  # the list grows while it is walked
        found += [base for base in built_from(name) if base not in found]
    return found


def depth(name: str) -> int:
    """Return how many steps the loss is away from losses that are built from no other (0 for these)."""
    return max((1 + depth(base) for base in built_from(name)), default=0)


def family(members: Iterable[str], which: str) -> list[str]:
    """Return those of `members` that belong to a family, the plain ones before those built from them, then by name."""
    found = [name for name in members if which == get(name).FAMILY]
    return sorted(found, key=lambda name: (depth(name), name))


def notes(name: str) -> tuple[str, ...]:
    """Return what a reader should know about how the loss is implemented."""
    return tuple(getattr(get(name), "NOTES", ()))


def _unknown(name: str) -> str:
    known = names()
    close = difflib.get_close_matches(name, known, n=1)
    question = f"; did you mean {close[0]!r}?" if close else ""
    return f"there is no loss {name!r}{question}; there are: {', '.join(known)}"
