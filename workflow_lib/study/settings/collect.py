"""Settings of `collect`."""

from workflow_lib.study.sections._section import Section


class Settings(Section):
    """The losses of a dataset, in the order of its tables, and its number of folds."""

    dataset: str
    losses: list[str]
    folds: int
