"""What a dataset format has to say about itself, and what the formats share."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from workflow_lib.base.errors import UserError
from workflow_lib.images.cases import Case, LabelMap, Reading

Options = Mapping[str, Any]
"""Keys of the study's dataset that a format may read: `channels`, a list of names or None, and `files`, the section of that name
as plain data or None (see `sections.files.Files`)."""


@dataclass(frozen=True)
class RemoteFile:
    """A file to download: its address, its place under the dataset's root, and about how many bytes it has."""

    url: str
    path: str
    about_bytes: int


@dataclass(frozen=True)
class RemoteArchive:
    """A tar archive to download: its address, the one folder in it that becomes the root, and its digest if published."""

    url: str
    folder: str
    digest: str | None


class Format(Protocol):
    """The interface of a format: a module of this package named like the format."""

    LABEL: str
    """Name of the dataset, for people."""
    LICENCE: str
    URL: str
    """Page of the dataset."""
    INSTRUCTIONS: str
    """How to get the files, under which terms, and which layout is looked for."""
    DOWNLOADABLE: bool
    """Whether `downloads` returns something: False where the data are given out after registration only."""
    PHANTOM: str | None
    """Kind of synthetic data that is written in this format, if any."""
    GROUP: str | None
    """What `Case.group` stands for ("sequence", "patient"), or None where the files do not tell."""

    def find_cases(self, root: Path, options: Options) -> list[Case]:
        """Return the labelled cases, sorted by identifier. Raises UserError where the layout is not found."""

    def label_map(self, root: Path, options: Options) -> LabelMap:
        """Return the classes and their values in the mask files."""

    def reading(self, root: Path, options: Options) -> Reading:
        """Return how the files are read. Raises UserError where a file that tells it is missing or unusable."""

    def option_faults(self, options: Options) -> list[str]:
        """Return what is wrong with the options, one sentence per fault."""

    def downloads(self, root: Path, url: str | None) -> list[RemoteFile] | RemoteArchive | None:
        """Return what to download (from the mirror `url`, if given), or None where it takes a registration."""

    def explain_labels(self, values: Collection[float]) -> str:
        """Return what a mask is that holds these values, some of them undeclared ("a copy that ..."), or an empty text."""


def layout_error(label: str, root: Path, looked_for: Sequence[str], instructions: str) -> UserError:
    """Return the error for a folder that does not hold the dataset: what was looked for, where, how to get it."""
    state = "does not exist" if not root.exists() else "is not a folder" if not root.is_dir() else "holds no labelled case"
    paths = "\n".join(f"  - {root / pattern}" for pattern in dict.fromkeys(looked_for))
    return UserError(f"{label}: {root} {state}. Looked for:\n{paths}\n{instructions}")


def single_channel_faults(label: str, options: Options) -> list[str]:
    """Return the fault of a `channels` key in a format whose cases have one image."""
    if options.get("channels") is None:
        return []
    return [f"channels: {label} has one image per case; remove the key"]


def no_downloads(root: Path, url: str | None) -> None:
    """Return None: nothing can be downloaded. The `downloads` of such a format."""
    return


def no_explanation(values: Collection[float]) -> str:
    """Return an empty text: no other set of values is known. The `explain_labels` of such a format."""
    return ""
