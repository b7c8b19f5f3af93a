"""Settings of `figures_losses`."""

from typing import Any

from workflow_lib.study.sections._section import Section


class Settings(Section):
    """The figures that show the losses themselves.

    Parameters
    ----------
    trained : list of str
        Names of the losses that the study trains.
    losses : list of dict
        The tree of losses: name, label, family, and the losses that each is built from.
    curves : dict
        Loss -> its label, the parameter that its curves vary, and the values of it.
    """

    trained: list[str]
    losses: list[dict[str, Any]]
    curves: dict[str, list[Any]]
