"""Settings of `report_page`."""

from typing import Any

from pydantic import Field

from workflow_lib.study.sections.section import Section


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
    frozen : list of str
        The date of the inspection and the changes since then, where the results stay in spite of them; else empty.
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
    frozen: list[str] = Field(default_factory=list)


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
