"""Settings of `manifest`."""

from workflow_lib.study.sections.section import Section


class Settings(Section):
    """The records in the manifest, as paths below the results."""

    records: list[str]
