"""The inspection of a dataset with the decisions of the study."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from workflow_lib.base.files import read_json
from workflow_lib.datasets.check import CaseRow, decide
from workflow_lib.datasets.inspection import Finding
from workflow_lib.images.cases import Case, LabelMap
from workflow_lib.study.settings.check import Settings


@dataclass(frozen=True)
class Inspection:
    """The content of `inspection.json`, its cases, and a row with the decision for each."""

    content: Mapping[str, Any]
    cases: list[Case]
    labels: LabelMap
    rows: list[CaseRow]


def read_inspection(path: Path, settings: Settings) -> Inspection:
    """Read the output of `inspect` and decide on every case with the settings of `check`."""
    content = read_json(path)
    cases = [Case.from_json(entry) for entry in content["cases"]]
    labels = LabelMap.from_json(content["label_map"])
    rows = decide(
        cases,
        [Finding.from_json(entry["found"]) for entry in content["cases"]],
        labels,
        excluded=settings.exclude,
        required=settings.require,
        exclude_faulty=settings.faulty == "exclude",
        axes=settings.axes,
        orientation=settings.orientation,
        needs_view=settings.field_of_view,
    )
    return Inspection(content, cases, labels, rows)
