"""The cases that a study uses, as written by the step `check`."""

from dataclasses import dataclass
from pathlib import Path

from workflow_lib.base.files import read_json
from workflow_lib.images.cases import Case, LabelMap, Reading


@dataclass(frozen=True)
class Cases:
    """The cases that the study uses, with digests, voxel sizes (mm per axis, 1 for pictures), classes and reading options.

    `similar`: groups of cases whose images are the same, or nearly.
    """

    cases: dict[str, Case]
    digests: dict[Path, str]
    spacing: dict[str, tuple[float, ...]]
    labels: LabelMap
    reading: Reading
    channels: int
    axes: int
    synthetic: bool
    similar: list[list[str]]


def read_cases(path: Path) -> Cases:
    """Read `cases.json`."""
    content = read_json(path)
    cases = {entry["id"]: Case.from_json(entry) for entry in content["cases"]}
    digests = {Path(path): digest for entry in content["cases"] for path, digest in entry["sha256"].items()}
    # Earlier versions wrote no voxel sizes; what needs them is made again with the file.
    spacing = {entry["id"]: tuple(entry["spacing"]) for entry in content["cases"] if "spacing" in entry}
    return Cases(
        cases,
        digests,
        spacing,
        LabelMap.from_json(content["label_map"]),
        Reading.from_json(content["reading"]),
        content["channels"],
        content["axes"],
        content["synthetic"],
        content.get("similar", []),
    )
