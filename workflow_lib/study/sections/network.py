"""The network."""

from pydantic import Field

from workflow_lib.study.sections._section import Section


class Network(Section):
    """MIScnn's standard U-Net; 2-D or 3-D follows from the patch."""

    filters: int = Field(32, ge=1, le=256, description="Filters of the first level; doubled on each level below.")
    depth: int = Field(4, ge=1, le=7, description="Number of poolings; every side of the patch must divide by 2**depth.")
    batch_normalisation: bool = Field(True, description="Batch normalisation (momentum 0.99) after each convolution.")
