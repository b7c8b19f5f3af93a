"""The section `evaluation`: additional scores."""

from pydantic import Field

from workflow_lib.study.sections.section import Section


class Evaluation(Section):
    """Scores beside DSC, precision and recall, which the paper has not."""

    surface: bool = Field(True, description="Distances between the surfaces: HD95, NSD and ASSD of every case.")
    tolerance: float = Field(
        2.0, gt=0, description="Distance up to which surfaces count as the same in NSD, in mm (of pictures: pixels)."
    )
