"""The identity of a job."""

from dataclasses import dataclass

from workflow_lib.provenance import layout


@dataclass(frozen=True)
class JobId:
    """Step, dataset, loss and number (fold, or shard of `preprocess`) of a job, as far as the step has them."""

    step: str
    dataset: str = ""
    loss: str = ""
    number: int = 0

    @property
    def record(self) -> str:
        """Path of the job's record below the results."""
        return layout.record(self.step, self.dataset, self.loss, self.number)
