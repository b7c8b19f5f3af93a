"""Reading what earlier steps wrote."""

from dataclasses import dataclass
from pathlib import Path

from workflow_lib.cases import Case, LabelMap
from workflow_lib.files import read_json


@dataclass(frozen=True)
class Cases:
    """The cases that the study uses, as `check` found them."""

    cases: dict[str, Case]
    digests: dict[Path, str]
    labels: LabelMap
    channels: int
    synthetic: bool


def read_cases(path: Path) -> Cases:
    """Read `cases.json`."""
    content = read_json(path)
    cases = {entry["id"]: Case(entry["id"], tuple(map(Path, entry["images"])), Path(entry["mask"])) for entry in content["cases"]}
    digests = {Path(path): digest for entry in content["cases"] for path, digest in entry["sha256"].items()}
    return Cases(cases, digests, LabelMap.from_json(content["label_map"]), content["channels"], content["synthetic"])
