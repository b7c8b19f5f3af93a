"""Settings of `split`."""

from pydantic import Field

from workflow_lib.study.sections.cross_validation import CrossValidation
from workflow_lib.study.sections.section import Section


class Settings(Section):
    """The division of the cases.

    Parameters
    ----------
    division_files : dict of str to str
        The user's CSV files for the division, "groups" and "table" -> their SHA-256. Their paths are not part
        of the settings.
    """

    dataset: str
    cross_validation: CrossValidation
    seed: int
    division_files: dict[str, str] = Field(default_factory=dict)
