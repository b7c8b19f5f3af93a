"""The changes of the images of a study since their inspection."""

import datetime
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from workflow_lib.base.errors import UserError
from workflow_lib.base.files import read_json
from workflow_lib.datasets.comparison import Comparison, compare
from workflow_lib.datasets.formats import registry as formats
from workflow_lib.images.cases import Case
from workflow_lib.plan.faults import options
from workflow_lib.plan.parts import Planned
from workflow_lib.provenance import layout
from workflow_lib.provenance.contents import MEMORY, Contents
from workflow_lib.study.config import Dataset

NAMED = 3
"""Maximum number of changes that are named individually."""


@dataclass(frozen=True)
class Data:
    """The differences between the images of a dataset and their inspection, and its date."""

    dataset: str
    inspected: str
    comparison: Comparison

    @property
    def changes(self) -> list[str]:
        """The changes as text."""
        return [f"{change}" for change in self.comparison.changes]

    @property
    def sentence(self) -> str:
        """What changed, in one sentence."""
        more = f" and {len(self.changes) - NAMED} more cases" if len(self.changes) > NAMED else ""
        return f"{self.dataset}: changed since the inspection of {self.inspected}: {'; '.join(self.changes[:NAMED])}{more}"


def compared(plan: Planned, name: str) -> Data | None:
    """Compare the images of a dataset with its inspection; None if it has not been inspected or nothing differs."""
    folder, dataset = Path(plan.results), plan.dataset(name)
    try:
        inspection = read_json(folder / layout.path("inspect.inspection", name))
        record = read_json(folder / layout.record("inspect", name))
        started = datetime.datetime.fromisoformat(record["facts"]["started"])
        cases = [case for case in inspection["cases"] if case["id"] not in dataset.exclude]
        contents = Contents(Path(), MEMORY / f"{plan.config.study.name}_data.json")
        found = compare(cases, _present(dataset, cases), contents.digests)
    except (UserError, KeyError, TypeError, ValueError):
        return None
    contents.save()
    if not (found.changes or found.absent):
        return None
    return Data(name, f"{started.day} {started:%B %Y}", found)


def frozen(plan: Planned, name: str) -> list[str]:
    """Return the changes of a dataset that the study keeps its results in spite of, in words; none where it follows them."""
    data = compared(plan, name) if plan.dataset(name).changed_data == "freeze" else None
    return [] if data is None else [f"inspected on {data.inspected}", *data.changes]


def _present(dataset: Dataset, inspected: Iterable[Mapping[str, Any]]) -> list[Case]:
    """Return the cases that the format finds now; where it finds faults, those of the inspected ones that have a file."""
    try:
        found = formats.find_cases(dataset.format, Path(dataset.root).expanduser(), options(dataset))
        return [case for case in found if case.id not in dataset.exclude]
    except UserError:
        cases = [Case.from_json(entry) for entry in inspected]
        return [case for case in cases if any(path.exists() for path in case.files)]
