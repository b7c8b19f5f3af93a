"""Settings of `figures_losses`."""

from typing import Any

from workflow_lib.study.sections.section import Section


class Settings(Section):
    """The figures of the losses.

    Parameters
    ----------
    trained : list of str
        Names of the losses that the study trains.
    losses : list of dict
        The family tree: name, label and family of each loss, and the losses from which it is built.
    curves : dict
        Loss -> label, the parameter that its curves vary, and the values of the parameter.
    """

    trained: list[str]
    losses: list[dict[str, Any]]
    curves: dict[str, list[Any]]
