"""A loss as a study names it."""

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from workflow_lib.losses import registry as losses
from workflow_lib.provenance.fingerprints import source_digest


@dataclass(frozen=True)
class LossEntry:
    """A loss of a study: its name there, its label, its name in the registry, and all its parameters."""

    name: str
    label: str
    loss: str
    parameters: dict[str, Any]

    @property
    def plain(self) -> dict[str, Any]:
        """The same as plain data."""
        return dataclasses.asdict(self)

    def needed(self) -> list[str]:
        """Return the losses whose code this loss needs."""
        return list(losses.needed(self.loss, self.parameters))

    def own_files(self) -> list[Path]:
        """Return the user's files that this loss needs."""
        return [file for file in map(losses.file_of, self.needed()) if file is not None]

    def own_code(self) -> dict[str, str]:
        """Return the digests of the code in these files. Their location is left out, so that moving a file causes no rerun."""
        return {file.stem: source_digest(file) for file in self.own_files()}
