"""Settings of `report_page`."""

from typing import Any

from pydantic import Field

from workflow_lib.study.sections.section import Section


class Reported(Section):
    """The settings of a dataset in the report.

    Parameters
    ----------
    losses : list of dict
        Name, label, registry name, parameters and loss files of each loss.
    folds : int
        Number of folds, 1 for a fixed split.
    sweep : bool
        Whether some losses differ only in the value of one parameter.
    protocol : dict
        As in the settings of `tables`.
    frozen : list of str
        The date of the inspection and the changes of the data since then, if the results are kept in spite of
        them; else empty.
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
        The whole validated study.
    fingerprints : dict
        Dataset, or "" for jobs without a dataset -> "step" or "step/loss" -> current short fingerprints of its
        jobs.
    captions : str
        Digest of the texts of tables and figures on the page.
    """

    name: str
    title: str
    datasets: list[Reported]
    config: dict[str, Any]
    fingerprints: dict[str, dict[str, list[str]]]
    captions: str
