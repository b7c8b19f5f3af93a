"""Which job of a study."""

from dataclasses import dataclass

from workflow_lib.provenance import layout


@dataclass(frozen=True)
class JobId:
    """Which job of the study: its step, dataset, loss and number (fold; shard of `preprocess`), as far as the step has them."""

    step: str
    dataset: str = ""
    loss: str = ""
    number: int = 0

    @property
    def record(self) -> str:
        """Where the job's record is below the results."""
        return layout.record(self.step, self.dataset, self.loss, self.number)
