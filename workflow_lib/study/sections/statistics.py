"""The section `statistics`: tests and intervals."""

from pydantic import Field

from workflow_lib.study.sections.section import Section


class Statistics(Section):
    """Tests and intervals."""

    bootstrap: int = Field(10000, ge=100, le=1000000, description="Bootstrap samples of the cases.")
    confidence: float = Field(0.95, gt=0.5, lt=1, description="Level of all intervals.")
