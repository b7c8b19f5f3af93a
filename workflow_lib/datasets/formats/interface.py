"""The interface of a dataset format, and parts that several formats share."""

import os
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from workflow_lib.base.errors import UserError
from workflow_lib.images.cases import Case, LabelMap, Reading

Options = Mapping[str, Any]
"""Keys of the study's dataset that a format may read: `channels`, a list of names or None, and `files`, the section of that
name
as plain data or None (see `sections.files.Files`).
"""


@dataclass(frozen=True)
class RemoteFile:
    """A file to download: its address, its path in the dataset's root, and its approximate size in bytes."""

    url: str
    path: str
    about_bytes: int


@dataclass(frozen=True)
class RemoteArchive:
    """A tar archive to download: its address, the folder in it that becomes the root, and its digest if one is published."""

    url: str
    folder: str
    digest: str | None


class Format(Protocol):
    """The interface of a format: a module of this package named like the format."""

    LABEL: str
    """Name of the dataset for display."""
    LICENCE: str
    URL: str
    """Web page of the dataset."""
    INSTRUCTIONS: str
    """How to get the files, under which terms, and in which layout."""
    DOWNLOADABLE: bool
    """Whether `downloads` returns files; False if the data require registration."""
    PHANTOM: str | None
    """Kind of synthetic data in this format, if any."""
    GROUP: str | None
    """Meaning of `Case.group` ("sequence", "patient"), or None if the files contain no groups."""

    def find_cases(self, root: Path, options: Options) -> list[Case]:
        """Return the labelled cases, sorted by identifier. Raises UserError if the layout is not found."""

    def label_map(self, root: Path, options: Options) -> LabelMap:
        """Return the classes and their values in the mask files."""

    def reading(self, root: Path, options: Options) -> Reading:
        """Return how the files are read. Raises UserError if a file with this information is missing or invalid."""

    def option_faults(self, options: Options) -> list[str]:
        """Return the faults of the options, one sentence per fault."""

    def downloads(self, root: Path, url: str | None) -> list[RemoteFile] | RemoteArchive | None:
        """Return the files to download (from the mirror `url`, if given), or None if registration is required."""

    def explain_labels(self, values: Collection[float]) -> str:
        """Return the probable kind of a mask with these values ("a copy that ..."), some of them undeclared, or ""."""


def layout_error(label: str, root: Path, looked_for: Sequence[str], instructions: str) -> UserError:
    """Return the error for a folder without the dataset: the expected files and how to get them."""
    state = "does not exist" if not root.exists() else "is not a folder" if not root.is_dir() else "holds no labelled case"
    paths = "\n".join(f"  - {root / pattern}" for pattern in dict.fromkeys(looked_for))
    return UserError(f"{label}: {root} {state}. Looked for:\n{paths}\n{_there(root)}{instructions}")


_MOST_ENTRIES, _MOST_KINDS = 5000, 8
"""Limits of the entries of a folder that are looked at, and of the kinds of files that are named."""


def _there(root: Path) -> str:
    """Return what lies in a folder without a dataset: the kinds of its files with examples, and the likely cause."""
    kinds: dict[str, list[str]] = {}
    looked_at = 0
    for folder, folders, files in os.walk(root):
        folders.sort()
        for name in sorted(files):
            # Without the part before the first dot, in which names differ: .nii.gz
            kind = "".join(Path(name).suffixes[-2:]).lower() if name.lower().endswith(".gz") else Path(name).suffix.lower()
            kinds.setdefault(kind or "without an ending", []).append(Path(folder, name).relative_to(root).as_posix())
        looked_at += len(folders) + len(files)
        if looked_at > _MOST_ENTRIES:
            break
    if not kinds:
        return ""
    most = sorted(kinds.items(), key=lambda item: -len(item[1]))[:_MOST_KINDS]
    lines = [
        f"  - {len(names)} {kind}: {ascii_safe(', '.join(names[:2]))}{', ...' if len(names) > 2 else ''}" for kind, names in most
    ]
    cause = ""
    if any("\\" in name for names in kinds.values() for name in names):
        cause = (
            "Names with backslashes come from an archive that was packed on Windows: unpack it again with a program that makes "
            "folders of them (7-Zip, Python's zipfile), or rename the files.\n"
        )
    return "There are" + (" (the first ones)" if looked_at > _MOST_ENTRIES else "") + ":\n" + "\n".join(lines) + f"\n{cause}"


def ascii_safe(text: str) -> str:
    """Return a text with bytes that are not UTF-8 escaped, so that it can be printed."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def single_channel_faults(label: str, options: Options) -> list[str]:
    """Return the fault of a `channels` key in a format with one image per case."""
    if options.get("channels") is None:
        return []
    return [f"channels: {label} has one image per case; remove the key"]


def no_downloads(root: Path, url: str | None) -> None:
    """Return None: the `downloads` of a format without downloads."""
    return


def no_explanation(values: Collection[float]) -> str:
    """Return an empty text: the `explain_labels` of a format without known variants."""
    return ""
