"""The section `prediction`: prediction of whole cases."""

from typing import Literal

from pydantic import Field

from workflow_lib.study.sections.section import Section


class Prediction(Section):
    """Prediction of whole cases from a grid of patches."""

    overlap: tuple[int, ...] = Field(min_length=2, max_length=3, description="Overlap of neighbouring patches, in voxels.")
    batch_size: int = Field(2, ge=1, le=1024, description="Patches predicted at once.")
    blending: Literal["miscnn", "gaussian"] = Field(
        "miscnn", description="Weights where patches overlap: MIScnn's running pairwise mean (the paper), or Gaussian."
    )
