"""The section `files`: the file patterns and classes of a user's own dataset."""

from typing import Literal

from pydantic import Field, field_validator, model_validator

from workflow_lib.study.sections.ordered import Ordered
from workflow_lib.study.sections.section import Section

CASE, GROUP = "{case}", "{group}"


class Files(Section):
    """Where the files of `format: folders` lie, as patterns under `root`, and what the masks mean.

    In a pattern {case} stands for the name of a case, {group} for what it belongs to (a patient, a sequence), and * for anything.
    """

    images: list[str] = Field(
        default=["images/{case}.*"], min_length=1, max_length=64, description="A pattern per channel, such as images/{case}.png."
    )
    masks: str = Field("masks/{case}.*", description="Pattern of the masks; several masks of a case are joined.")
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

    @field_validator("masks", "field_of_view")
    @classmethod
    def _masks_name_the_case(cls, value: str | None) -> str | None:
        return None if value is None else _pattern(value)

    @field_validator("classes")
    @classmethod
    def _background_first(cls, value: dict[str, int | list[int]]) -> dict[str, int | list[int]]:
        return dict(sorted(value.items(), key=lambda entry: 0 not in _values(entry[1])))

    @model_validator(mode="after")
    def _classes_are_told_apart(self) -> "Files":
        values = [value for entry in self.classes.values() for value in _values(entry)]
        if len(self.classes) < 2 or 0 not in values:
            raise ValueError("classes must name the background, with the value 0, and at least one more class")
        if len(set(values)) != len(values) or not all(0 <= value <= 255 for value in values):
            raise ValueError("classes: every value must be between 0 and 255 and stand in one class only")
        if any(entry == [] for entry in self.classes.values()):
            raise ValueError("classes: every class needs a value")
        names = list(self.classes)
        for region, members in self.regions.items():
            if region in names or not members or any(member not in names[1:] for member in members):
                raise ValueError(f"regions.{region}: must join classes of {', '.join(names[1:])} under a name of its own")
        return self


def _values(entry: int | list[int]) -> list[int]:
    return [entry] if isinstance(entry, int) else entry


def _pattern(value: str) -> str:
    """Return a pattern. Raises ValueError unless it is below the root and contains {case} once."""
    if value.startswith(("/", "~")) or "\\" in value or ".." in value.split("/"):
        raise ValueError("must be a path below `root`, with forward slashes")
    if value.count(CASE) != 1 or value.count(GROUP) > 1:
        raise ValueError("must hold {case} once, and {group} at most once")
    return value
