"""The section `phantom`: synthetic images."""

from typing import Literal

from pydantic import Field

from workflow_lib.study.sections.section import Section


class Phantom(Section):
    """Synthetic images that the project generates."""

    kind: Literal["ct", "mri"] = Field(
        description="ct: kidneys with tumours in KiTS19's layout; mri: T1-CE-like, BraTS20's layout."
    )
    cases: int = Field(ge=2, le=10000, description="Number of cases.")
    shape: tuple[int, int, int] = Field(description="Voxels of an image, in the axes of the file.")
    seed: int = Field(1, ge=0, description="Seed of the images.")
