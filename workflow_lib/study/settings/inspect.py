"""Settings of `inspect`."""

from workflow_lib.study.sections._section import Section


class Settings(Section):
    """All else follows from the list of files."""

    dataset: str
