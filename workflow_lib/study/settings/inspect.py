"""Settings of `inspect`."""

from workflow_lib.study.sections.section import Section


class Settings(Section):
    """All else follows from the list of files."""

    dataset: str
