"""The cases that a study uses, as written by the step `check`."""

from dataclasses import dataclass
from pathlib import Path

from workflow_lib.base.files import read_json
from workflow_lib.images.cases import Case, LabelMap, Reading


@dataclass(frozen=True)
class Cases:
    """The cases that the study uses, with their digests, classes and reading options."""

    cases: dict[str, Case]
    digests: dict[Path, str]
    labels: LabelMap
    reading: Reading
    channels: int
    axes: int
    synthetic: bool


def read_cases(path: Path) -> Cases:
    """Read `cases.json`."""
    content = read_json(path)
    cases = {entry["id"]: Case.from_json(entry) for entry in content["cases"]}
    digests = {Path(path): digest for entry in content["cases"] for path, digest in entry["sha256"].items()}
    return Cases(
        cases,
        digests,
        LabelMap.from_json(content["label_map"]),
        Reading.from_json(content["reading"]),
        content["channels"],
        content["axes"],
        content["synthetic"],
    )
