"""The section `preprocessing`: from the original images to the input of the network."""

from itertools import permutations, product
from typing import Literal

from pydantic import Field, field_validator, model_validator

from workflow_lib.study.sections.section import Range, Section, ascending

DIRECTIONS = ("RL", "AP", "SI")
"""The two letters of each direction of the body: right and left, anterior and posterior, superior and inferior."""
ORIENTATIONS = tuple("".join(letters) for order in permutations(DIRECTIONS) for letters in product(*order))
"""The 48 orientations of three axes: each letter names the direction in which the indices of an axis increase."""


class Preprocessing(Section):
    """From the images as they are to what the network sees. In this order: reorient, clip, z-score, resample."""

    clip: Range | None = Field(
        None, description="Lowest and highest intensity kept, in the unit of the image (HU for CT); null: no clipping."
    )
    normalise: Literal["z-score", "z-score-channel", "none"] = Field(
        "z-score",
        description="z-score over the whole image, (x - mean + 1e-6) / (std + 1e-6), all channels together as in MIScnn; or each "
        "channel by its own mean and std.",
    )
    orientation: str | None = Field(
        None,
        description="Directions of the axes that all volumes are brought to before anything else, such as RAS, by exchanging and "
        "mirroring axes (exact); predictions are written in the axes of their image. null: the axes of the file, which must be "
        "in the same order in all cases.",
    )
    spacing: tuple[float, ...] | None = Field(
        None,
        min_length=2,
        max_length=3,
        description="Voxel size after resampling, in mm, in the axes of the file, or of `orientation`; null: the grid stays as "
        "it is.",
    )
    size: tuple[int, ...] | None = Field(
        None,
        min_length=2,
        max_length=3,
        description="Shape after resizing, in place of `spacing`; predictions go back to the original shape.",
    )
    resampling: Literal["batchgenerators-0.21", "batchgenerators-0.25"] = Field(
        "batchgenerators-0.21",
        description="Whose border and label rule: 0.21 (what the paper had: image border 0, last label with at least "
        "one half wins) or 0.25 (reflected border, argmax).",
    )

    @field_validator("clip")
    @classmethod
    def _clip_ascends(cls, value: Range | None) -> Range | None:
        return ascending(value)

    @field_validator("orientation")
    @classmethod
    def _orientation_has_three_axes(cls, value: str | None) -> str | None:
        if value is not None and value.upper() not in ORIENTATIONS:
            raise ValueError("must name the direction of three axes by one letter each of R or L, A or P, S or I, such as RAS")
        return None if value is None else value.upper()

    @field_validator("spacing")
    @classmethod
    def _spacing_is_positive(cls, value: tuple[float, ...] | None) -> tuple[float, ...] | None:
        if value is not None and min(value) <= 0:
            raise ValueError("every spacing must be above 0 mm")
        return value

    @field_validator("size")
    @classmethod
    def _size_is_positive(cls, value: tuple[int, ...] | None) -> tuple[int, ...] | None:
        if value is not None and not all(1 <= side <= 10000 for side in value):
            raise ValueError("every side must be between 1 and 10000")
        return value

    @model_validator(mode="after")
    def _one_target(self) -> "Preprocessing":
        if self.spacing is not None and self.size is not None:
            raise ValueError("spacing and size exclude each other; set one of them to null")
        return self
