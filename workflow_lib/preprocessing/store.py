"""Preprocessed cases on disk, read through memory maps.

A shard's folder holds of every case `<case>.image.npy` (float32, C order, channels last) and `<case>.classes.npy` (uint8), and
an `index.json` with the properties that are needed without reading them: checksums, shapes, the original grid, the source files,
and the histogram of the intensities. Augmentation takes the statistics of the whole volume from the histogram.
"""

import base64
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NotRequired, TypedDict

import numpy as np

from workflow_lib.base.errors import UserError
from workflow_lib.base.files import atomic_path, canonical_json, read_json, sha256_file, write_text
from workflow_lib.images.cases import name_fault
from workflow_lib.preprocessing.normalise import mean_and_std

BINS = 4096
INDEX = "index.json"
_REMEDY = "Delete the folder and run the step `preprocess` again."


class Geometry(TypedDict):
    """The origin of a case: its shape and voxel size in mm before preprocessing, and its files (the first channel's image).

    `header`: that of the image's NIfTI file, byte by byte, which gives a prediction its position in space; empty for pictures.
    `orientation`: the directions of its axes, such as "LPS".
    """

    original_shape: Sequence[int]
    spacing: Sequence[float]
    image_source: str
    mask_source: str
    header: NotRequired[bytes]
    orientation: NotRequired[str]


@dataclass(frozen=True)
class StoredCase:
    """A preprocessed case; `image` and `classes` are memory maps, which are read on access.

    `image`: (*shape, channels) float32. `classes`: (*shape) uint8, class indices. `spacing`: mm, before preprocessing.
    `histogram`: per channel `counts` (channels, 4096) of equal bins over [minimum, maximum], and the exact `minimum`, `maximum`,
    `mean` and `std` (channels,). `header`: that of the image's NIfTI file; empty for pictures. `orientation`: the
    directions of the axes before preprocessing, such as "LPS"; empty for pictures.
    """

    id: str
    image: np.ndarray
    classes: np.ndarray
    original_shape: tuple[int, ...]
    spacing: tuple[float, ...]
    histogram: Mapping[str, np.ndarray]
    image_source: Path
    mask_source: Path
    header: bytes = b""
    orientation: str = ""


def write_case(folder: str | Path, case_id: str, image: np.ndarray, classes: np.ndarray, geometry: Geometry) -> None:
    """Write one case into a shard's folder; `write_index` completes the folder after the last one.

    `image` (*shape, channels) float32, finite; `classes` (*shape) uint8.
    Raises UserError when the case's name cannot be a file name, a voxel is not finite, or the disk is full.
    """
    folder = Path(folder)
    check_name(case_id)
    if image.dtype != np.float32 or classes.dtype != np.uint8 or image.shape[:-1] != classes.shape or not image.size:
        raise ValueError(f"{case_id}: image {image.dtype} {image.shape} and classes {classes.dtype} {classes.shape} do not fit")
    if not np.isfinite(image).all():
        raise UserError(f"The preprocessed image of {case_id} holds voxels that are not finite. Check the values in its file.")
    histogram = intensity_histogram(image)
    paths = {"image": _image_path(folder, case_id), "classes": _classes_path(folder, case_id)}
    for path, array in zip(paths.values(), (image, classes), strict=True):
        with atomic_path(path) as temporary, open(temporary, "wb") as stream:
            np.save(stream, np.ascontiguousarray(array))
    entry = {
        "sha256": {name: sha256_file(path) for name, path in paths.items()},
        "bytes": {name: path.stat().st_size for name, path in paths.items()},
        "shape": list(image.shape),
        "original_shape": [int(side) for side in geometry["original_shape"]],
        "spacing": [float(side) for side in geometry["spacing"]],
        "image_source": str(geometry["image_source"]),
        "mask_source": str(geometry["mask_source"]),
        "header": base64.b64encode(geometry.get("header", b"")).decode("ascii"),
        "orientation": geometry.get("orientation", ""),
        "histogram": {name: values.tolist() for name, values in histogram.items()},
    }
    write_text(_entry_path(folder, case_id), canonical_json({case_id: entry}) + "\n")


def write_index(folder: str | Path) -> None:
    """Write the index of the folder from the entries that `write_case` left for each case."""
    folder = Path(folder)
    notes = sorted(folder.glob("*.case.json"))
    lines = []
    for note in notes:
        ((case_id, entry),) = read_json(note).items()
        lines.append(f"{canonical_json(case_id)}:{canonical_json(entry)}")
    # One case per line: a histogram has 4096 numbers, and the other values can still be found with grep.
    write_text(folder / INDEX, "{\n" + ",\n".join(lines) + "\n}\n")
    for note in notes:
        note.unlink()


class Store:
    """The cases of one or more shards, by name.

    Opening reads the indexes only. Raises UserError if a folder has no index, or if a case is in two folders.
    """

    def __init__(self, folders: Sequence[Path]) -> None:
        self._given = [Path(folder) for folder in folders]
        self._folders: dict[str, Path] = {}
        self._entries: dict[str, dict[str, Any]] = {}
        for folder in self._given:
            for case_id, entry in read_json(folder / INDEX).items():
                if case_id in self._entries:
                    raise UserError(
                        f"Case {case_id} lies both in {self._folders[case_id]} and in {folder}. Delete one of the two."
                    )
                self._folders[case_id], self._entries[case_id] = folder, entry

    def __reduce__(self) -> tuple[type["Store"], tuple[list[Path]]]:
        """Pickle the store so that another process opens it again: all histograms together are megabytes."""
        return Store, (list(self._given),)

    @property
    def case_ids(self) -> list[str]:
        """Names of all cases, sorted."""
        return sorted(self._entries)

    def __iter__(self) -> Iterator[str]:
        """Iterate over the names of all cases, sorted."""
        return iter(self.case_ids)

    def __len__(self) -> int:
        """Return the number of cases."""
        return len(self._entries)

    def __contains__(self, case_id: object) -> bool:
        """Return whether there is a case of this name."""
        return case_id in self._entries

    def __getitem__(self, case_id: str) -> StoredCase:
        """Open a case. Raises UserError if it is unknown, or if a file is missing, truncated or differs from its index entry."""
        entry, folder = self._entry(case_id), self._folders[case_id]
        shape = tuple(entry["shape"])
        return StoredCase(
            id=case_id,
            image=_mapped(_image_path(folder, case_id), np.dtype(np.float32), shape, entry["bytes"]["image"]),
            classes=_mapped(_classes_path(folder, case_id), np.dtype(np.uint8), shape[:-1], entry["bytes"]["classes"]),
            original_shape=tuple(entry["original_shape"]),
            spacing=tuple(entry["spacing"]),
            histogram={name: np.asarray(values) for name, values in entry["histogram"].items()},
            image_source=Path(entry["image_source"]),
            mask_source=Path(entry["mask_source"]),
            header=base64.b64decode(entry.get("header", "")),
            orientation=entry.get("orientation", ""),
        )

    def verify(self, case_id: str) -> None:
        """Read a case's files whole and compare their checksums with the index. Raises UserError if they differ."""
        entry, folder = self._entry(case_id), self._folders[case_id]
        self[case_id]
        for name, path in (("image", _image_path(folder, case_id)), ("classes", _classes_path(folder, case_id))):
            if sha256_file(path) != entry["sha256"][name]:
                raise UserError(
                    f"{path} has changed since it was written: its SHA-256 is not the one in {folder / INDEX}. {_REMEDY}"
                )

    def _entry(self, case_id: str) -> dict[str, Any]:
        if case_id not in self._entries:
            folders = ", ".join(sorted({str(folder) for folder in self._folders.values()})) or "no folder"
            raise UserError(f"There is no preprocessed case {case_id!r} in {folders}. Run the step `preprocess` for it.")
        return self._entries[case_id]


def intensity_histogram(image: np.ndarray) -> dict[str, np.ndarray]:
    """Return the histogram of every channel of an image (…, channels), as `StoredCase` describes it."""
    channels = [image[..., channel].ravel() for channel in range(image.shape[-1])]
    low = np.array([channel.min() for channel in channels], dtype=np.float64)
    high = np.array([channel.max() for channel in channels], dtype=np.float64)
    moments = [mean_and_std(_pieces(channel)) for channel in channels]
    return {
        "counts": np.stack([_counts(*values) for values in zip(channels, low, high, strict=True)]),
        "minimum": low,
        "maximum": high,
        "mean": np.array([mean for mean, _ in moments]),
        "std": np.array([std for _, std in moments]),
    }


def _pieces(values: np.ndarray) -> Iterator[np.ndarray]:
    """Yield a line of voxels in pieces that fit the processor's cache, so that no second copy of the image is made."""
    for start in range(0, values.size, 1 << 18):
        yield values[start : start + (1 << 18)]


def _counts(values: np.ndarray, low: float, high: float) -> np.ndarray:
    """Return the counts of `BINS` equal bins over [low, high]; the last bin includes its end."""
    counts = np.zeros(BINS, dtype=np.int64)
    scale = BINS / (high - low) if high > low else 0.0
    for piece in _pieces(values):
        bins = ((piece.astype(np.float64) - low) * scale).astype(np.int64)
        counts += np.bincount(np.minimum(bins, BINS - 1), minlength=BINS)
    return counts


def check_name(case_id: str) -> None:
    """Raise UserError unless a case's name can be a file name on every system, without a path in it."""
    fault = name_fault(case_id)
    if fault:
        raise UserError(f"The case {case_id!r} cannot be stored: {fault}. Rename its files.")


def _image_path(folder: Path, case_id: str) -> Path:
    return folder / f"{case_id}.image.npy"


def _classes_path(folder: Path, case_id: str) -> Path:
    return folder / f"{case_id}.classes.npy"


def _entry_path(folder: Path, case_id: str) -> Path:
    return folder / f"{case_id}.case.json"


def _mapped(path: Path, dtype: np.dtype[Any], shape: tuple[int, ...], size: int) -> np.ndarray:
    """Return the memory map of an array file, after comparing its size and header with the index."""
    try:
        found = path.stat().st_size
        if found != size:
            raise UserError(f"{path} has {found} bytes, but {size} were written: it is cut short or was changed. {_REMEDY}")
        array: np.ndarray = np.load(path, mmap_mode="r", allow_pickle=False)
    except FileNotFoundError as error:
        raise UserError(f"{path} does not exist, though the index of its folder lists it. {_REMEDY}") from error
    except (ValueError, OSError) as error:
        raise UserError(f"{path} cannot be read as an array ({error}). {_REMEDY}") from error
    if array.dtype != dtype or array.shape != shape or not array.flags.c_contiguous:
        raise UserError(f"{path} holds {array.dtype} {array.shape}, but the index of its folder says {dtype} {shape}. {_REMEDY}")
    return array
