"""The registry of losses. A loss is a Python file in this folder with the name of the loss, or a user's file.

A file defines NAME, LABEL, CITATION, EQUATION (LaTeX), FAMILY, `Parameters`, and a function with the name of
the loss that builds it. Optional: BUILT_FROM (the losses that it generalises or combines), PRESETS, NOTES,
CURVES (a parameter and its values in the plot) and `components` (for a loss whose parameters name others).
To add a loss, add a file; no other file changes.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, Literal, Protocol, cast

from workflow_lib.base import families
from workflow_lib.base.errors import UserError
from workflow_lib.losses._files import read_module, source_of
from workflow_lib.losses._parameters import LossParameters, parameter_faults, per_class, read_parameters
from workflow_lib.losses._terms import LossFunction

MEMBERS = families.Family("losses", "loss", frozenset({"toolkit"}))
"""The losses of this folder, without the user's loss files."""

FAMILIES = {
    "distribution": "distribution-based",
    "region": "region-based",
    "boundary": "boundary-based",
    "compound": "compound",
}
"""Families of losses with their names in text: the three of the paper, and that of Kervadec et al."""

PRESETS = {
    "paper": "the paper's parameters, classes averaged as in the authors' code",
    "paper-literal": "the paper's parameters, classes summed as in the equations as printed",
}

NEEDED = ("NAME", "LABEL", "CITATION", "EQUATION", "FAMILY", "Parameters")


class LossModule(Protocol):
    """The attributes of a loss file."""

    NAME: str
    LABEL: str
    CITATION: str
    EQUATION: str
    FAMILY: Literal["distribution", "region", "boundary", "compound"]
    Parameters: type[LossParameters]


@dataclass(frozen=True)
class LossFile:
    """A user's loss file: its module, path and source."""

    module: ModuleType
    path: Path
    source: str


@dataclass(frozen=True)
class Node:
    """A loss in the family tree: its name, label and family, and the losses it generalises or combines."""

    name: str
    label: str
    family: str
    built_from: tuple[str, ...]


_FILES: dict[str, LossFile] = {}


def names() -> tuple[str, ...]:
    """Return the names of the losses of this folder without importing them.

    Returns
    -------
    tuple of str
        The names in alphabetical order.
    """
    return MEMBERS.names()


def load_file(path: str | Path) -> str:
    """Read a user's loss file and register its loss by name in this process.

    Parameters
    ----------
    path : str or pathlib.Path
        The Python file. A relative path is relative to the working directory.

    Returns
    -------
    str
        Name of the loss.

    Raises
    ------
    UserError
        If the file is missing, cannot be executed, is incomplete, or has the name of a loss of this folder.
    """
    path = Path(path).expanduser()
    source, name = source_of(path), path.stem
    known = _FILES.get(name)
    if known is not None and (known.path, known.source) == (path, source):
        return name
    if known is not None and known.path.resolve() != path.resolve() and known.path.exists():
        raise UserError(f"Two loss files have the same name: {known.path} and {path}. Rename one of them.")
    found = read_module(path, source)
    if name in {*names(), *MEMBERS.not_members, *families.OWN}:
        raise UserError(f"The loss file {path} has the name of a loss that is there already; give it another than {name!r}.")
    _complete(found, name, str(path))
    unknown = [base for base in getattr(found, "BUILT_FROM", ()) if base not in names()]
    if unknown:
        raise UserError(f"The loss file {path} has BUILT_FROM with {', '.join(map(repr, unknown))}; {_unknown(unknown[0])}")
    _FILES[name] = LossFile(found, path, source)
    return name


def resolve(loss: str) -> str:
    """Return the name of a loss that is given by its name or as a Python file. A file is read.

    Parameters
    ----------
    loss : str
        Name of a loss, or path of a Python file (`*.py`).

    Returns
    -------
    str
        Name of the loss.

    Raises
    ------
    UserError
        In the same cases as `load_file`.
    """
    return load_file(loss) if loss.endswith(".py") else loss


def file_of(name: str) -> Path | None:
    """Return the file of a user's loss.

    Parameters
    ----------
    name : str
        Name of the loss.

    Returns
    -------
    pathlib.Path or None
        The path as given by the user; None for a loss of this folder.
    """
    return _FILES[name].path if name in _FILES else None


def get(name: str) -> LossModule:
    """Return the module of a loss.

    Parameters
    ----------
    name : str
        Name of the loss.

    Returns
    -------
    LossModule
        The module with the attributes of a loss file.

    Raises
    ------
    UserError
        If there is no loss of that name (the message contains the closest name and all names), or its file
        is incomplete.

    Examples
    --------
    >>> get("dice").LABEL
    'Dice loss'
    """
    if name in _FILES:
        return cast(LossModule, _FILES[name].module)
    if name not in names():
        raise UserError(_unknown(name))
    return _complete(MEMBERS.get(name), name, f"workflow_lib/losses/{name}.py")


def _complete(found: ModuleType, name: str, where: str) -> LossModule:
    """Return the module as a loss. Raises UserError if an attribute is missing or invalid."""
    missing = [key for key in (*NEEDED, name) if not hasattr(found, key)]
    if missing:
        plain = not any(hasattr(found, key) for key in NEEDED)
        port = (
            " It looks like a function for Keras or PyTorch: put its body into `formula(ops, y, p, parameters)`, with `ops` in "
            "place of the library; docs/add-a-loss.md has a complete file to begin with."
        )
        raise UserError(f"The loss file {where} does not define {', '.join(missing)}.{port if plain else ''}")
    loss = cast(LossModule, found)
    texts = [key for key in NEEDED[:5] if not isinstance(getattr(found, key), str)]
    if texts:
        raise UserError(f"The loss file {where}: {', '.join(texts)} must be text.")
    lists = [key for key in ("BUILT_FROM", "NOTES") if not _is_list_of_texts(getattr(found, key, ()))]
    if lists:
        raise UserError(f'The loss file {where}: {", ".join(lists)} must be a tuple of texts, such as ("dice",).')
    if name != loss.NAME:
        raise UserError(f"The loss file {where} has NAME = {loss.NAME!r}; it must be {name!r}.")
    if loss.FAMILY not in FAMILIES:
        raise UserError(f"The loss file {where} has FAMILY = {loss.FAMILY!r}; use {', '.join(FAMILIES)}.")
    if not (isinstance(loss.Parameters, type) and issubclass(loss.Parameters, LossParameters)):
        raise UserError(f"The loss file {where}: Parameters must be a class made from LossParameters.")
    if not callable(getattr(found, name)):
        raise UserError(f"The loss file {where}: {name} must be a function that returns the loss.")
    return loss


def _is_list_of_texts(value: object) -> bool:
    return isinstance(value, (tuple, list)) and all(isinstance(item, str) for item in value)


def module(name: str) -> str:
    """Return the name of the Python module of a loss of this folder.

    Parameters
    ----------
    name : str
        Name of the loss.

    Returns
    -------
    str
        The dotted name of the module.
    """
    return MEMBERS.module(name)


def build(name: str, parameters: Mapping[str, Any] | None = None) -> LossFunction:
    """Build a loss with its parameters.

    Parameters
    ----------
    name : str
        Name of the loss.
    parameters : mapping, optional
        Parameters that differ from the defaults.

    Returns
    -------
    LossFunction
        `loss(y_true, y_pred)`, a scalar. The one-hot ground truth and the softmax output have the shape
        (batch, spatial axes, classes).

    Raises
    ------
    UserError
        If there is no loss of that name.
    Faults
        With all invalid parameters.

    Examples
    --------
    >>> loss = build("tversky", {"delta": 0.5})
    >>> round(loss.evaluate([[[1, 0], [0, 1]]], [[[0.75, 0.25], [0.25, 0.75]]]), 4)
    0.25
    """
    factory = getattr(get(name), name)
    return cast(LossFunction, factory(**resolved_parameters(name, parameters)))


def faults(name: str, parameters: Mapping[str, Any] | None = None, n_classes: int | None = None) -> list[str]:
    """Return messages about all faults of a loss and its parameters.

    Parameters
    ----------
    name : str
        Name of the loss.
    parameters : mapping, optional
        Parameters that differ from the defaults.
    n_classes : int, optional
        Number of classes including the background. If given, the number of values of each per-class
        parameter is checked.

    Returns
    -------
    list of str
        The messages; empty if there is no fault.

    Examples
    --------
    >>> faults("tversky", {"delta": 2})
    ["loss 'tversky': parameter 'delta' is 2; accepted: a number in [0, 1]"]
    """
    if name not in names() and name not in _FILES:
        return [_unknown(name)]
    given = dict(parameters or {})
    found = parameter_faults(name, get(name).Parameters, given)
    if not found and name in _FILES:
        found = _factory_faults(name, given)
    if found or n_classes is None:
        return found
    values = resolved_parameters(name, given)
    ask = "give one per class, background first"
    found = [
        f"loss {name!r}: parameter {key!r} has {len(values[key])} values for {n_classes} classes; {ask}"
        for key in per_class_parameters(name)
        if isinstance(values[key], list) and len(values[key]) != n_classes
    ]
    return found + [fault for part, own in components(name, given) for fault in faults(part, own, n_classes)]


def _factory_faults(name: str, given: Mapping[str, Any]) -> list[str]:
    """Return the faults of the function in a user's file that builds the loss.

    The check runs before the jobs, so that a fault is reported before hours of waiting in a queue.
    """
    path = _FILES[name].path
    try:
        loss = getattr(get(name), name)(**resolved_parameters(name, given))
    except UserError as error:
        return [str(error)]
    except Exception as error:
        return [f"the function {name} of the loss file {path} fails: {type(error).__name__}: {error}"]
    if not isinstance(loss, LossFunction):
        return [f"the function {name} of the loss file {path} must return the loss (loss_function(...)); it returns {loss!r}"]
    if loss.name != name:
        return [f"the function {name} of the loss file {path} returns a loss of the name {loss.name!r}; use NAME"]
    return []


def components(name: str, parameters: Mapping[str, Any] | None = None) -> list[tuple[str, dict[str, Any]]]:
    """Return the losses that are named in the parameters of a loss.

    Parameters
    ----------
    name : str
        Name of the loss.
    parameters : mapping, optional
        Parameters that differ from the defaults.

    Returns
    -------
    list of (str, dict)
        Name and parameters of each loss.
    """
    loss = get(name)
    if not hasattr(loss, "components"):
        return []
    return list(loss.components(read_parameters(name, loss.Parameters, dict(parameters or {}))))


def needed(name: str, parameters: Mapping[str, Any] | None = None) -> list[str]:
    """Return the losses whose code a loss uses.

    These are the loss itself and all losses that its parameters name, directly or indirectly.

    Parameters
    ----------
    name : str
        Name of the loss.
    parameters : mapping, optional
        Parameters that differ from the defaults.

    Returns
    -------
    list of str
        Each name once, the loss itself first.

    Examples
    --------
    >>> needed("weighted_sum", {"terms": [{"loss": "dice"}, {"loss": "boundary"}]})
    ['weighted_sum', 'dice', 'boundary']
    """
    found = [name]
    for part, own in components(name, parameters):
        found += [other for other in needed(part, own) if other not in found]
    return found


class SavedLoss(LossFunction):
    """The loss class for loading a saved Keras model; it rebuilds the loss from its name and parameters."""

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> LossFunction:
        """Return the loss for a configuration of `LossFunction.get_config`."""
        return build(config["name"], config["parameters"])


def keras_objects() -> dict[str, type[SavedLoss]]:
    """Return the custom objects that Keras needs to load a model that was saved with a loss.

    For a loss in a file of your own, call `load_file` first.

    Returns
    -------
    dict of str to type
        The `custom_objects` of `keras.saving.load_model`.
    """
    return {LossFunction.__name__: SavedLoss}


def resolved_parameters(name: str, parameters: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Return all parameters of a loss including the defaults.

    Equivalent notations of a value, such as '1e-6' and 0.000001, give the same result.

    Parameters
    ----------
    name : str
        Name of the loss.
    parameters : mapping, optional
        Parameters that differ from the defaults.

    Returns
    -------
    dict
        Plain data that can be written as JSON.

    Raises
    ------
    UserError, Faults
        In the same cases as `build`.

    Examples
    --------
    >>> resolved_parameters("focal", {"gamma": "3"})
    {'alpha': 0.25, 'gamma': 3.0, 'alpha_t': False}
    """
    return read_parameters(name, get(name).Parameters, dict(parameters or {})).model_dump(mode="json")


def per_class_parameters(name: str) -> list[str]:
    """Return the parameters of a loss that accept one value per class.

    Parameters
    ----------
    name : str
        Name of the loss.

    Returns
    -------
    list of str
        Names of the parameters.

    Examples
    --------
    >>> per_class_parameters("focal")
    ['alpha']
    """
    return per_class(get(name).Parameters)


def preset(name: str, which: str = "paper") -> dict[str, Any]:
    """Return the parameters of a preset for a loss of the paper.

    Parameters
    ----------
    name : str
        Name of the loss.
    which : str
        One of `PRESETS`.

    Returns
    -------
    dict
        The parameters that differ from the defaults. The defaults are the preset 'paper'.

    Raises
    ------
    UserError
        If the preset does not exist, or the loss has no presets.

    Examples
    --------
    >>> preset("dice", "paper-literal")
    {'class_reduction': 'sum'}
    """
    if which not in PRESETS:
        raise UserError(f"There is no preset {which!r} of losses; there are {', '.join(PRESETS)}.")
    presets: Mapping[str, Mapping[str, Any]] | None = getattr(get(name), "PRESETS", None)
    if presets is None:
        having = ", ".join(other for other in names() if hasattr(get(other), "PRESETS"))
        raise UserError(f"loss {name!r} has no preset {which!r}: it is not a loss of the Mixed Focal paper; those are {having}")
    return dict(presets.get(which, {}))


def built_from(name: str) -> tuple[str, ...]:
    """Return the losses that a loss generalises or combines.

    Parameters
    ----------
    name : str
        Name of the loss.

    Returns
    -------
    tuple of str
        The names of these losses.
    """
    return tuple(getattr(get(name), "BUILT_FROM", ()))


def with_components(members: Iterable[str]) -> list[str]:
    """Return the given losses and all losses from which they are built, directly or indirectly.

    Parameters
    ----------
    members : iterable of str
        Names of losses.

    Returns
    -------
    list of str
        Each name once, first the members in their order.

    Examples
    --------
    >>> with_components(["combo"])
    ['combo', 'cross_entropy', 'dice']
    """
    found = list(dict.fromkeys(members))
    for name in found:  # the list grows during the iteration
        found += [base for base in built_from(name) if base not in found]
    return found


def node(name: str) -> Node:
    """Return a loss as a node of the family tree.

    Parameters
    ----------
    name : str
        Name of the loss.

    Returns
    -------
    Node
        The node, which includes the losses that the loss is built from.
    """
    loss = get(name)
    return Node(name, loss.LABEL, loss.FAMILY, built_from(name))


def curves(name: str) -> tuple[str, tuple[Any, ...]]:
    """Return a parameter of a loss and its values in the plot.

    Parameters
    ----------
    name : str
        Name of the loss.

    Returns
    -------
    (str, tuple)
        Name and values; ("", (None,)) if the plot varies no parameter.
    """
    parameter, values = getattr(get(name), "CURVES", ("", (None,)))
    return str(parameter), tuple(values)


def notes(name: str) -> tuple[str, ...]:
    """Return notes on the implementation of a loss.

    Parameters
    ----------
    name : str
        Name of the loss.

    Returns
    -------
    tuple of str
        The notes as sentences.
    """
    return tuple(getattr(get(name), "NOTES", ()))


def _unknown(name: str) -> str:
    return f"{MEMBERS.unknown(name, _FILES)}; or give a Python file of your own (*.py)"
