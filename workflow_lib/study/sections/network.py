"""The section `network`."""

from typing import Any

from pydantic import Field

from workflow_lib.study.sections.section import Section


class Network(Section):
    """The network: its architecture and what it is built with; 2-D or 3-D follows from the patch."""

    architecture: str = Field(
        "standard", min_length=1, description="Name of the architecture (docs/networks.md): MIScnn's standard U-Net, or another."
    )
    filters: int = Field(32, ge=1, le=256, description="Filters of the first level; doubled on each level below.")
    depth: int = Field(4, ge=1, le=7, description="Number of poolings; every side of the patch must divide by 2**depth.")
    batch_normalisation: bool = Field(True, description="Batch normalisation (momentum 0.99) after each convolution.")
    parameters: dict[str, Any] = Field(
        default_factory=dict, description="Parameters that only this architecture has (docs/networks.md)."
    )
