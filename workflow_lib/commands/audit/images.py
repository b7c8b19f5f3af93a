"""Where the images and masks of a study lie now: looked for in folders that the user names, and known by their SHA-256."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from workflow_lib.base.errors import UserError
from workflow_lib.base.files import sha256_file
from workflow_lib.images.pictures.reading import is_picture, picture_shape
from workflow_lib.images.volumes import read_header


class Images:
    """Finds files by the end of the path that the results name; each is read once for its digest."""

    def __init__(self, roots: Sequence[Path]) -> None:
        self._roots = [Path(root) for root in roots]
        self._known: dict[str, str] = {}

    def find(self, recorded: str, digest: str) -> Path:
        """Return the file of a recorded path. Raises UserError when it is in no folder, or is another file than was read."""
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
        """Return what cases.json holds with the files as they lie here, and why cases are not available, by case."""
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
            "sha256": {where[path]: digest for path, digest in entry["sha256"].items() if path in where},
        }


def _files(entry: Mapping[str, Any]) -> Iterator[str]:
    yield from entry["images"]
    yield from entry["masks"]
    if entry["field_of_view"] is not None:
        yield entry["field_of_view"]


def _candidates(recorded: str, roots: Sequence[Path]) -> Iterator[Path]:
    """Yield where a file may lie: below each folder, by the whole recorded path first, then by ever shorter ends of it."""
    parts = [part for part in PurePosixPath(recorded).parts if part != "/"]
    if ".." in parts or "\0" in recorded:
        # What results name must not lead out of the folders that the user names.
        parts = parts[len(parts) - parts[::-1].index("..") :] if ".." in parts and "\0" not in recorded else []
    for root in roots:
        for start in range(len(parts)):
            yield root.joinpath(*parts[start:])


def check_grid(prediction: Path, mask: Path) -> None:
    """Raise UserError unless a prediction is, by its header, of the mask's shape and of one byte per voxel.

    So nothing is unpacked that is larger than the mask, whatever a file of a few bytes claims.
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
