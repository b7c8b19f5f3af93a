"""Settings of `evaluate`."""

from workflow_lib.study.sections.evaluation import Evaluation
from workflow_lib.study.sections.section import Section


class Settings(Section):
    """The scores of the cases of one fold in the given metrics."""

    dataset: str
    loss: str
    fold: int
    field_of_view: bool
    evaluation: Evaluation
    metrics: list[str]
