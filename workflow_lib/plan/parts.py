"""The common parts of the settings of all jobs."""

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from workflow_lib.base.families import Listed
from workflow_lib.base.files import canonical_json, sha256_text
from workflow_lib.base.seeds import derive
from workflow_lib.figures import registry as figures
from workflow_lib.plan.job_id import JobId
from workflow_lib.plan.loss_entry import LossEntry
from workflow_lib.study.config import Config, Dataset
from workflow_lib.study.sections.section import Section

Code = str | Path
"""A module of the package, a user's loss file, or a file below `reports/`, that a step's result depends on."""


class Planned(Protocol):
    """The parts of a plan (`jobs.Plan`) that settings depend on."""

    @property
    def config(self) -> Config: ...  # noqa: D102

    @property
    def results(self) -> str: ...  # noqa: D102

    @property
    def datasets(self) -> Mapping[str, Dataset]: ...  # noqa: D102

    def dataset(self, name: str) -> Dataset: ...  # noqa: D102

    def losses(self, dataset: str) -> list[str]: ...  # noqa: D102

    def all_losses(self) -> list[str]: ...  # noqa: D102

    def loss_entry(self, name: str) -> LossEntry: ...  # noqa: D102

    def folds(self, dataset: str) -> list[int]: ...  # noqa: D102

    def division(self, dataset: str) -> dict[str, str]: ...  # noqa: D102

    def has_sweep(self, name: str) -> bool: ...  # noqa: D102

    def records(self) -> list[str]: ...  # noqa: D102

    def fingerprints(self, dataset: str) -> dict[str, list[str]]: ...  # noqa: D102


@dataclass(frozen=True)
class Part:
    """The settings of a job, and the code of its step."""

    settings: Section
    code: Sequence[Code]

    @property
    def plain(self) -> dict[str, Any]:
        """The settings as plain data."""
        return self.settings.model_dump(mode="json")


def code_of(job: JobId, *further: Code) -> list[Code]:
    """Return the code of a job: its step, and `further`."""
    return [f"workflow_lib.steps.{job.step}", *further]


def seed_of(plan: Planned, *parts: str | int) -> int:
    """Return the seed of one random draw, derived from the study's seed."""
    return derive(plan.config.study.seed, *parts)


def digest_of(said: Sequence[figures.Figure | Listed]) -> str:
    """Return the digest of the descriptions of members of families."""
    return sha256_text(canonical_json([dataclasses.asdict(item) for item in said]))


def plain(section: Section) -> dict[str, Any]:
    """Return a section as plain data."""
    return section.model_dump(mode="json")
