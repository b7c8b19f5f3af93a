"""The keys that only control a run: memory, time limits, GPUs, checkpoints and numbers of jobs.

This module is in no fingerprint. In a study, these keys are in the sections `study`, `training` and
`preprocessing`, together with the keys that results depend on. The settings of a step contain only the latter
(`science`).
"""

from pydantic import Field

from workflow_lib.study.sections.preprocessing import Preprocessing
from workflow_lib.study.sections.section import Section
from workflow_lib.study.sections.training import Training


class TrainingSection(Training):
    """The section `training` of a study: one training, and what it asks of the machine."""

    checkpoint_minutes: float = Field(10, gt=0, description="Minutes of training that are lost at most when a job dies.")
    keep_state: bool = Field(
        True,
        description="Keep the last state of a finished training (with adam four times its weights), so that one of more epochs "
        "goes on from there.",
    )
    batch_processes: int | None = Field(
        None,
        ge=0,
        le=64,
        description="Processes that prepare batches; 0: threads of the training itself; null: `threads` of them with a "
        "GPU, none without.",
    )
    gpus: int = Field(
        1,
        ge=0,
        le=16,
        description="GPUs that a training asks the cluster for: 1; 0 for a study that runs on CPUs; more: one training on "
        "several GPUs of a node, which divide each batch and so change the result.",
    )
    memory_mb: int = Field(
        32000, ge=500, description="Memory to ask the cluster for, in MB; doubled after an attempt that ran out of it."
    )
    minutes: int = Field(
        1440, ge=1, description="Time limit to ask the cluster for; a training that meets it continues at its next attempt."
    )
    longest_minutes: int | None = Field(
        None,
        ge=1,
        description="An attempt that met its time limit is followed by one that asks for `minutes` more, up to this; null: "
        "always for `minutes`, since a partition has a limit of its own, above which a job waits for ever.",
    )

    @property
    def processes_for_batches(self) -> int:
        """The number of processes that prepare batches, 0 for none."""
        if self.batch_processes is not None:
            return self.batch_processes
        return self.threads if self.gpus else 0

    def science(self) -> Training:
        """Return the keys that the result depends on. One GPU and none are treated as equal."""
        values = {name: getattr(self, name) for name in Training.model_fields}
        return Training.model_validate(values | {"gpus": max(1, self.gpus)})


class PreprocessingSection(Preprocessing):
    """The section `preprocessing` of a study: what is done to the images, and by how many jobs."""

    shards: int = Field(
        1,
        ge=1,
        le=1000,
        description="Jobs that share the preprocessing. Results are the same, but changing it repeats a finished study.",
    )

    def science(self) -> Preprocessing:
        """Return the keys that the result depends on."""
        return Preprocessing.model_validate({name: getattr(self, name) for name in Preprocessing.model_fields})


class StudySteering(Section):
    """The keys of the section `study` that only control a run."""

    announce_hours: float = Field(
        8,
        ge=0,
        description="A run whose trainings are estimated to take this many hours of GPUs or CPUs, or more, prints the estimate "
        "before its first job, and how to stop it.",
    )
