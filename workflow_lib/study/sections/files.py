"""The section `files`: the file patterns and classes of a user's own dataset."""

import re
from typing import Literal

from pydantic import Field, field_validator, model_validator

from workflow_lib.study.sections.ordered import Ordered
from workflow_lib.study.sections.section import Section

CASE, GROUP, CLASS = "{case}", "{group}", "{class}"
_COLOUR = re.compile(r"#[0-9a-fA-F]{6}")


class Files(Section):
    """Where the files of `format: folders` lie, as patterns under `root`, and what the masks mean.

    In a pattern {case} stands for the name of a case, {group} for what it belongs to (a patient, a sequence), and * for anything.
    In that of the masks, {class} stands for the name of a class: there is a file for each.
    """

    images: list[str] = Field(
        default=["images/{case}.*"], min_length=1, max_length=64, description="A pattern per channel, such as images/{case}.png."
    )
    masks: str = Field(
        "masks/{case}.*",
        description="Pattern of the masks. With {class} in it, each class has a file; voxels that are not 0 there belong to it.",
    )
    several_masks: Literal["fault", "join"] = Field(
        "fault", description="When several masks of a case fit the pattern: a fault of the case (fault), or their union (join)."
    )
    overlaps: Literal["fault", "last"] = Field(
        "fault",
        description="When the masks of several classes ({class}) overlap: a fault of the case (fault), or the class that is "
        "listed last in `classes` counts (last).",
    )
    field_of_view: str | None = Field(
        None, description="Pattern of masks of the part of the image that counts; null: all counts."
    )
    classes: Ordered[int | list[int]] = Field(
        description="Name and value (or values) in the masks of every class: {background: 0, lesion: 255}. The class with the "
        "value 0 is the background; tables show the others in the order given here."
    )
    regions: Ordered[list[str]] = Field(
        default_factory=dict, description="Unions of classes that are scored too: {whole: [core, rim]}."
    )
    colours: dict[str, str] = Field(
        default_factory=dict,
        description="Colour of every class in masks whose classes are colours: {background: '#000000', lesion: '#ff0000'}.",
    )
    threshold: float | None = Field(
        None, description="Mask values above it count as 255, the others as 0, as in masks stored with grey edges; null: none."
    )
    colour: Literal["rgb", "grey", "red", "green", "blue"] = Field("grey", description="What is read of a picture.")

    @field_validator("images")
    @classmethod
    def _images_name_the_case(cls, value: list[str]) -> list[str]:
        if CASE + "*" in value[0].removesuffix(".*"):
            raise ValueError("* must not follow {case}: where the name of a case ends would be unclear")
        return [_pattern(pattern) for pattern in value]

    @field_validator("masks")
    @classmethod
    def _masks_name_the_case(cls, value: str) -> str:
        return _pattern(value, (CLASS,))

    @field_validator("field_of_view")
    @classmethod
    def _views_name_the_case(cls, value: str | None) -> str | None:
        return None if value is None else _pattern(value)

    @field_validator("colours")
    @classmethod
    def _colours_are_codes(cls, value: dict[str, str]) -> dict[str, str]:
        wrong = [code for code in value.values() if _COLOUR.fullmatch(code) is None]
        if wrong:
            raise ValueError(f"a colour is written as '#rrggbb', in quotes; not {wrong[0]!r}")
        lower = {name: code.lower() for name, code in value.items()}
        if len(set(lower.values())) != len(lower):
            raise ValueError("two classes have the same colour")
        return lower

    @field_validator("classes")
    @classmethod
    def _background_first(cls, value: dict[str, int | list[int]]) -> dict[str, int | list[int]]:
        return dict(sorted(value.items(), key=lambda entry: 0 not in _values(entry[1])))

    @model_validator(mode="after")
    def _classes_are_distinct(self) -> "Files":
        values = [value for entry in self.classes.values() for value in _values(entry)]
        if len(self.classes) < 2 or 0 not in values:
            raise ValueError("classes must name the background, with the value 0, and at least one more class")
        if len(set(values)) != len(values) or not all(0 <= value <= 255 for value in values):
            raise ValueError("classes: every value must be between 0 and 255 and belong to one class only")
        if any(entry == [] for entry in self.classes.values()):
            raise ValueError("classes: every class needs a value")
        names = list(self.classes)
        for region, members in self.regions.items():
            if region in names or not members or any(member not in names[1:] for member in members):
                raise ValueError(f"regions.{region}: must join classes of {', '.join(names[1:])} under a different name")
        self._check_masks(names)
        return self

    def _check_masks(self, names: list[str]) -> None:
        """Raise ValueError if the ways in which masks are read do not go together."""
        if self.colours and (set(self.colours) != set(names) or self.threshold is not None or CLASS in self.masks):
            raise ValueError(
                "colours: must give one for every class, including the background, and go neither with `threshold` nor {class}"
            )
        if self.overlaps == "last" and CLASS not in self.masks:
            raise ValueError("overlaps: last needs {class} in the pattern of the masks")
        if self.several_masks == "join" and CLASS in self.masks:
            raise ValueError("several_masks: join does not go with {class} in the pattern of the masks")


def _values(entry: int | list[int]) -> list[int]:
    return [entry] if isinstance(entry, int) else entry


def _pattern(value: str, more: tuple[str, ...] = ()) -> str:
    """Return a pattern. Raises ValueError unless it is below the root, contains {case}, and no marks but {group} and `more`."""
    if value.startswith(("/", "~")) or "\\" in value or ".." in value.split("/"):
        raise ValueError("must be a path below `root`, with forward slashes")
    unknown = set(re.findall(r"\{[^}]*\}?", value)) - {CASE, GROUP, *more}
    if CASE not in value or unknown:
        also = ", ".join(("{group}", *more))
        raise ValueError(f"must hold {{case}}, and may hold {also} and *" + (f", but not {min(unknown)}" if unknown else ""))
    return value
