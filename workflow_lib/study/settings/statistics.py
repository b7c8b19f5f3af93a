"""Settings of `statistics`."""

from typing import Literal

from workflow_lib.study.sections._section import Section
from workflow_lib.study.sections.statistics import Statistics


class Chosen(Statistics):
    """Tests and intervals, and what the interval of a mean is taken over: one split has no spread over folds."""

    interval_over: Literal["folds", "cases"]


class Settings(Section):
    """The statistics of one dataset."""

    dataset: str
    losses: list[str]
    statistics: Chosen
    seed: int
