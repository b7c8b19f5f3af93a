"""Settings of `obtain`."""

from typing import Any, Literal

from workflow_lib.study.sections.files import Files
from workflow_lib.study.sections.phantom import Phantom
from workflow_lib.study.sections.section import Section


class Settings(Section):
    """The location and the format of the files of a dataset; `axes`: the number of axes of the training patches."""

    dataset: str
    format: str
    source: Literal["folder", "download", "phantom"]
    root: str
    url: str | None
    channels: list[str] | None
    files: Files | None
    phantom: Phantom | None
    axes: int

    @property
    def options(self) -> dict[str, Any]:
        """The settings that the reader of the format uses."""
        return {"channels": self.channels, "files": None if self.files is None else self.files.model_dump(mode="json")}
