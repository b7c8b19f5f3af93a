"""Find the images and masks of a study in the folders that the user gives, and identify them by SHA-256."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from workflow_lib.base.errors import UserError
from workflow_lib.base.files import sha256_file
from workflow_lib.images.pictures.reading import is_picture, picture_shape
from workflow_lib.images.volumes import read_header


class Images:
    """Find files by the end of their recorded path. Each file is hashed once."""

    def __init__(self, roots: Sequence[Path]) -> None:
        self._roots = [Path(root) for root in roots]
        self._known: dict[str, str] = {}

    def find(self, recorded: str, digest: str) -> Path:
        """Return the file of a recorded path. Raises UserError if no folder contains it, or if its digest differs."""
        candidates = [path for path in _candidates(recorded, self._roots) if path.is_file()]
        for path in candidates:
            if str(path) not in self._known:
                self._known[str(path)] = sha256_file(path)
            if self._known[str(path)] == digest:
                return path
        if candidates:
            raise UserError(f"{candidates[0]} is not the file that the study read: its SHA-256 is another one")
        raise UserError(f"{recorded} is not below {', '.join(map(str, self._roots))}")

    def located(self, cases: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, str]]:
        """Return the content of cases.json with the present paths, and for each unavailable case the reason."""
        found, gone = [], {}
        for entry in cases["cases"]:
            try:
                found.append(self._entry(entry))
            except UserError as error:
                gone[str(entry["id"])] = str(error)
        return {**cases, "cases": found}, gone

    def _entry(self, entry: Mapping[str, Any]) -> dict[str, Any]:
        where = {path: str(self.find(path, entry["sha256"].get(path, ""))) for path in _files(entry)}
        view = entry["field_of_view"]
        return {
            **entry,
            "images": [where[path] for path in entry["images"]],
            "masks": [where[path] for path in entry["masks"]],
            "field_of_view": None if view is None else where[view],
            **({"companions": [where[path] for path in entry["companions"]]} if entry.get("companions") else {}),
            "sha256": {where[path]: digest for path, digest in entry["sha256"].items() if path in where},
        }


def _files(entry: Mapping[str, Any]) -> Iterator[str]:
    yield from entry["images"]
    yield from entry["masks"]
    yield from entry.get("companions", ())
    if entry["field_of_view"] is not None:
        yield entry["field_of_view"]


def _candidates(recorded: str, roots: Sequence[Path]) -> Iterator[Path]:
    """Yield the possible places of a file: below each folder the whole recorded path, then ever shorter ends of it."""
    parts = [part for part in PurePosixPath(recorded).parts if part != "/"]
    if ".." in parts or "\0" in recorded:
        # A path from the results must not lead out of the folders that the user gives.
        parts = parts[len(parts) - parts[::-1].index("..") :] if ".." in parts and "\0" not in recorded else []
    for root in roots:
        for start in range(len(parts)):
            yield root.joinpath(*parts[start:])


def check_grid(prediction: Path, mask: Path) -> None:
    """Raise UserError unless, by its header, a prediction has the mask's shape and one byte per voxel.

    This prevents a small file from being decompressed into an array that is larger than the mask.
    """
    if is_picture(prediction) != is_picture(mask):
        raise UserError("the prediction is of another kind than the mask (picture, volume)")
    if is_picture(prediction):
        shape, expected = picture_shape(prediction), picture_shape(mask)
    else:
        header = read_header(prediction)
        if header.dtype.itemsize != 1:
            raise UserError(f"the prediction holds values of type {header.dtype}, and predictions are written with one byte each")
        shape, expected = header.shape, read_header(mask).shape  # type: ignore[assignment]
    if shape != expected:
        raise UserError(f"the prediction has shape {shape}, the mask {expected}")
