"""Settings of `evaluate`."""

from workflow_lib.study.sections._section import Section
from workflow_lib.study.sections.evaluation import Evaluation


class Settings(Section):
    """Scores of the cases of one fold, in these metrics."""

    dataset: str
    loss: str
    fold: int
    field_of_view: bool
    evaluation: Evaluation
    metrics: list[str]
