"""Settings of `split`."""

from pydantic import Field

from workflow_lib.study.sections._section import Section
from workflow_lib.study.sections.cross_validation import CrossValidation


class Settings(Section):
    """How the cases are divided.

    Parameters
    ----------
    division_files : dict of str to str
        The user's own CSV files that the division follows, "groups" and "table", by their SHA-256. Where they are counts nothing.
    """

    dataset: str
    cross_validation: CrossValidation
    seed: int
    division_files: dict[str, str] = Field(default_factory=dict)
