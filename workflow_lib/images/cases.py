"""The basic types of a study: cases and classes."""

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np

from workflow_lib.base.errors import UserError

_SOMETIMES = ("faults", "mask_values", "remarks")
"""Fields of `Case` that are empty for most cases."""


@dataclass(frozen=True)
class Case:
    """One image with its ground truth.

    `images`: one file per channel, or one file with all channels. `masks`: usually one; if there are several, each marks a part
    of the same class, or, with `mask_values`, the class with this value in the label map. `field_of_view`: a mask of the region
    that counts, if the dataset has one. `group`: the group of the case (such as a sequence or a patient), or empty. `part`:
    "training" or "test" if the dataset has an official division, or empty. `faults`: why the case cannot be used, if its format
    already finds that, such as a missing mask. `remarks`: what its format ignored or added. `companions`: further files with
    the voxels of the others, such as the .raw of an .mhd.
    """

    id: str
    images: tuple[Path, ...]
    masks: tuple[Path, ...]
    field_of_view: Path | None = None
    group: str = ""
    part: str = ""
    faults: tuple[str, ...] = ()
    mask_values: tuple[int, ...] = ()
    remarks: tuple[str, ...] = ()
    companions: tuple[Path, ...] = ()

    @property
    def files(self) -> tuple[Path, ...]:
        """All files of the case without duplicates."""
        view = () if self.field_of_view is None else (self.field_of_view,)
        return tuple(dict.fromkeys((*self.images, *self.masks, *view, *self.companions)))

    def to_json(self) -> dict[str, Any]:
        """Return plain data for a JSON file, with forward slashes in paths."""
        return {
            "id": self.id,
            "images": [path.as_posix() for path in self.images],
            "masks": [path.as_posix() for path in self.masks],
            "field_of_view": None if self.field_of_view is None else self.field_of_view.as_posix(),
            "group": self.group,
            "part": self.part,
            # Only where there are some: a case without them is described as before.
            **{key: list(getattr(self, key)) for key in _SOMETIMES if getattr(self, key)},
            **({"companions": [path.as_posix() for path in self.companions]} if self.companions else {}),
        }

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> "Case":
        """Read the output of `to_json`. Unknown keys are ignored."""
        view = content["field_of_view"]
        return cls(
            content["id"],
            tuple(map(Path, content["images"])),
            tuple(map(Path, content["masks"])),
            None if view is None else Path(view),
            content["group"],
            content["part"],
            **{key: tuple(content.get(key, ())) for key in _SOMETIMES},
            companions=tuple(map(Path, content.get("companions", ()))),
        )


LONGEST_NAME = 150
"""Limit of the bytes of a case's name in UTF-8. With the suffixes of its files it stays below the 255 bytes of file systems."""


def name_fault(case_id: str) -> str:
    """Return why a case's name is not a valid file name on every system, or an empty text."""
    if len(case_id.encode("utf-8", "replace")) > LONGEST_NAME:
        return f"its name is longer than {LONGEST_NAME} bytes"
    categories = {unicodedata.category(character) for character in case_id}
    if not case_id or case_id[0] in ". -" or case_id[-1] in ". ":
        return "its name is empty, or begins or ends with a dot or a space, or begins with a hyphen"
    if categories & {"Cc", "Cs", "Cn", "Zl", "Zp"} or set(case_id) & set('/\\:*?"<>|'):
        return 'its name holds a character that file names cannot hold everywhere (/ \\ : * ? " < > | or a control character)'
    return ""


def alike(case_id: str) -> str:
    """Return a form of a name that is equal for names which some file systems do not distinguish (case, form of accents)."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", case_id).casefold())


Colour = Literal["rgb", "grey", "red", "green", "blue", "one"]


@dataclass(frozen=True)
class Reading:
    """How the files of a dataset are read. It is the same for all its cases.

    `channels`: the indices of the channels that are read, for files with several channels along a last axis; None: a file holds
    one channel. `colour`: all three colours of a picture (PNG, TIFF, ...), or one channel; "one": a picture must have
    only one. `threshold`: mask values above it
    count as 255 and the others as 0; None: values are used unchanged. `overlaps`: where masks of several classes mark a voxel,
    the last one counts. `colours`: the label value of each colour (0xrrggbb) in masks that are pictures; empty: their values
    are the labels. `flat`: the network is 2-D, so that a volume of one slice
    is read as an image with two axes.
    """

    channels: tuple[int, ...] | None = None
    colour: Colour = "grey"
    threshold: float | None = None
    flat: bool = False
    overlaps: bool = False
    colours: tuple[tuple[int, int], ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return plain data for a JSON file."""
        channels = None if self.channels is None else list(self.channels)
        content = {"channels": channels, "colour": self.colour, "threshold": self.threshold, "flat": self.flat}
        # Only where they are used: a dataset without them is described as before.
        content |= {"overlaps": True} if self.overlaps else {}
        return content | ({"colours": [list(pair) for pair in self.colours]} if self.colours else {})

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> "Reading":
        """Read the output of `to_json`, also of earlier versions with fewer keys."""
        channels = content["channels"]
        chosen = None if channels is None else tuple(channels)
        colours = tuple((int(colour), int(value)) for colour, value in content.get("colours", ()))
        flat, overlaps = content.get("flat", False), content.get("overlaps", False)
        return cls(chosen, content["colour"], content["threshold"], flat, overlaps, colours)


@dataclass(frozen=True)
class LabelMap:
    """The classes of a dataset, background first, and their values in its mask files.

    `values[c]` are the accepted raw values of class c; the first one is written to predictions.
    `regions` are unions of classes, by class index, that are scored in addition to the classes.
    """

    names: tuple[str, ...]
    values: tuple[tuple[int, ...], ...]
    regions: Mapping[str, tuple[int, ...]] = field(default_factory=dict)

    @property
    def n_classes(self) -> int:
        """Number of classes, including the background."""
        return len(self.names)

    def unknown_values(self, raw: np.ndarray) -> dict[float, int]:
        """Return the undeclared values in `raw` with their numbers of voxels."""
        present, counts = np.unique(raw, return_counts=True)
        known = {value for values in self.values for value in values}
        return {float(v): int(n) for v, n in zip(present, counts, strict=True) if float(v) not in known}

    def to_classes(self, raw: np.ndarray) -> np.ndarray:
        """Map raw mask values to class indices (uint8, same shape). Raises UserError if a value is undeclared."""
        classes = np.full(raw.shape, 255, dtype=np.uint8)
        for index, values in enumerate(self.values):
            for value in values:
                classes[raw == value] = index
        if np.any(classes == 255):
            unknown = ", ".join(f"{v:g} ({n} voxels)" for v, n in self.unknown_values(raw).items())
            declared = ", ".join(f"{'/'.join(map(str, v))} = {n}" for n, v in zip(self.names, self.values, strict=True))
            raise UserError(f"label values outside the declared set: {unknown}; declared: {declared}")
        return classes

    def to_raw(self, classes: np.ndarray) -> np.ndarray:
        """Map class indices to the raw values of the dataset's masks (uint8, same shape)."""
        raw = classes.astype(np.uint8)
        for index, values in enumerate(self.values):
            # In most datasets the raw values equal the class indices.
            if values[0] != index:
                raw[classes == index] = values[0]
        return raw

    def to_json(self) -> dict[str, object]:
        """Return plain data for a JSON file."""
        return {
            "names": list(self.names),
            "values": [list(values) for values in self.values],
            "regions": {name: list(classes) for name, classes in self.regions.items()},
        }

    @classmethod
    def from_json(cls, content: Mapping[str, object]) -> "LabelMap":
        """Read the output of `to_json`."""
        names, values, regions = content["names"], content["values"], content["regions"]
        assert isinstance(names, list)
        assert isinstance(values, list)
        assert isinstance(regions, dict)
        return cls(tuple(names), tuple(tuple(v) for v in values), {name: tuple(c) for name, c in regions.items()})
