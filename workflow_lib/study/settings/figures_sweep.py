"""Settings of `figures_sweep`."""

from typing import Any

from workflow_lib.study.sections.section import Section


class Settings(Section):
    """The figures of the sweeps of a dataset.

    Parameters
    ----------
    losses : list of dict
        Name, label, registry name and all parameters of each loss.
    titles : dict of str to str
        Registry name of a loss -> label.
    colours : dict of str to int
        Loss -> number of its style.
    """

    dataset: str
    label: str
    losses: list[dict[str, Any]]
    titles: dict[str, str]
    colours: dict[str, int]
