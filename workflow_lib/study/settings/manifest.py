"""Settings of `manifest`."""

from workflow_lib.study.sections._section import Section


class Settings(Section):
    """The records that the manifest chains, as paths below the results."""

    records: list[str]
