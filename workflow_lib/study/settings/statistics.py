"""Settings of `statistics`."""

from typing import Literal

from workflow_lib.study.sections.section import Section
from workflow_lib.study.sections.statistics import Statistics


class Chosen(Statistics):
    """Tests and intervals, and whether the interval of a mean is over folds or, for one split, over cases."""

    interval_over: Literal["folds", "cases"]


class Settings(Section):
    """The statistics of one dataset."""

    dataset: str
    losses: list[str]
    statistics: Chosen
    seed: int
