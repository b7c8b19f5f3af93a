"""Settings of `obtain`."""

from typing import Any, Literal

from workflow_lib.study.sections._section import Section
from workflow_lib.study.sections.files import Files
from workflow_lib.study.sections.phantom import Phantom


class Settings(Section):
    """Where the files of a dataset are, and how they are read."""

    dataset: str
    format: str
    source: Literal["folder", "download", "phantom"]
    root: str
    url: str | None
    channels: list[str] | None
    files: Files | None
    phantom: Phantom | None

    @property
    def options(self) -> dict[str, Any]:
        """What the format reads of them."""
        return {"channels": self.channels, "files": None if self.files is None else self.files.model_dump(mode="json")}
