"""Settings of `inspect`."""

from workflow_lib.study.sections.section import Section


class Settings(Section):
    """Only the name of the dataset; everything else is in the list of files."""

    dataset: str
