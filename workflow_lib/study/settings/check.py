"""Settings of `check`."""

from typing import Literal

from workflow_lib.study.sections.section import Section


class Settings(Section):
    """The choice of the cases of a study.

    Parameters
    ----------
    axes : int
        Number of axes of the training patches, 2 or 3.
    orientation : str or None
        Directions of the axes after preprocessing; None: those of the files.
    """

    dataset: str
    axes: int
    orientation: str | None
    exclude: dict[str, str]
    require: list[str]
    faulty: Literal["stop", "exclude"]
    field_of_view: bool
