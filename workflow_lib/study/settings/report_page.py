"""Settings of `report_page`."""

from typing import Any

from workflow_lib.study.sections._section import Section


class Reported(Section):
    """A dataset as the report shows it.

    Parameters
    ----------
    losses : list of dict
        Name, label, registry name, parameters and loss files of each loss.
    folds : int
        Number of folds, 1 for a fixed split.
    sweep : bool
        Whether some losses differ in one number only.
    protocol : dict
        As in the settings of `tables`.
    """

    name: str
    label: str
    format: str
    synthetic: bool
    published: str | None
    losses: list[dict[str, Any]]
    folds: int
    sweep: bool
    protocol: dict[str, Any]


class Settings(Section):
    """The report of a study.

    Parameters
    ----------
    config : dict
        The whole study, as it was validated.
    fingerprints : dict
        Of each dataset, and of "" for jobs of none: "step" or "step/loss" -> the short fingerprints that its jobs have now.
    captions : str
        Digest of what tables and figures say of themselves on the page.
    """

    name: str
    title: str
    datasets: list[Reported]
    config: dict[str, Any]
    fingerprints: dict[str, dict[str, list[str]]]
    captions: str
