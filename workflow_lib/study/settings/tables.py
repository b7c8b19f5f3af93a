"""Settings of `tables`."""

from typing import Any

from workflow_lib.study.sections.section import Section


class Settings(Section):
    """The tables of one dataset.

    Parameters
    ----------
    published : str or None
        Published numbers for the comparison: a folder of reports/published.
    protocol : dict
        All settings of the dataset that can be compared with a published protocol, including its losses.
    """

    dataset: str
    label: str
    published: str | None
    synthetic: bool
    protocol: dict[str, Any]
