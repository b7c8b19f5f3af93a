"""Settings of `tables`."""

from typing import Any

from workflow_lib.study.sections._section import Section


class Settings(Section):
    """The tables of one dataset.

    Parameters
    ----------
    published : str or None
        Published numbers to compare with: a folder of reports/published.
    protocol : dict
        Everything about the dataset that a published protocol can be compared with, its losses included.
    """

    dataset: str
    label: str
    published: str | None
    synthetic: bool
    protocol: dict[str, Any]
