"""Settings of `figures_sweep`."""

from typing import Any

from workflow_lib.study.sections._section import Section


class Settings(Section):
    """The figures of a parameter that some losses of a dataset vary.

    Parameters
    ----------
    losses : list of dict
        Name, label, registry name and all parameters of each loss.
    titles : dict of str to str
        Registry name of a loss -> its own label.
    colours : dict of str to int
        Loss -> number of its colour and line.
    """

    dataset: str
    label: str
    losses: list[dict[str, Any]]
    titles: dict[str, str]
    colours: dict[str, int]
