"""The section `training`: one training of one loss on one fold."""

from collections.abc import Iterator
from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from workflow_lib.study.sections.section import Section


class Training(Section):
    """One training: one loss on one fold. What only steers a run stands in `study/resources.py`."""

    patch: tuple[int, ...] = Field(
        min_length=2, max_length=3, description="Shape of the training patches, in voxels, in the axes of the file."
    )
    batch_size: int = Field(2, ge=1, le=1024, description="Patches of a step, each of another case.")
    epochs: int = Field(ge=1, description="Number of epochs, at most.")
    iterations: int | None = Field(ge=1, description="Steps of an epoch; null: as many as show every training case once.")
    early_stop: int | None = Field(
        None, ge=1, description="End after this many epochs without a lower validation loss; null: train all epochs."
    )
    optimiser: str = Field("adam", min_length=1, description="Name of the optimiser (docs/optimisers.md).")
    optimiser_parameters: dict[str, Any] = Field(
        default_factory=dict, description="Parameters that differ from the optimiser's defaults (docs/optimisers.md)."
    )
    momentum: float = Field(0.0, ge=0, lt=1, description="Momentum, of optimisers that have one.")
    nesterov: bool = Field(False, description="Nesterov's form of the momentum.")
    learning_rate: float = Field(3e-4, gt=0, description="Initial learning rate.")
    minimum_learning_rate: float = Field(1e-6, gt=0, description="The plateau schedule does not go below it.")
    plateau_factor: float = Field(0.1, gt=0, lt=1, description="Factor on the rate when the validation loss stalls.")
    plateau_patience: int = Field(20, ge=1, description="Epochs without a lower validation loss before the rate falls.")
    plateau_min_delta: float = Field(
        1e-4,
        ge=0,
        description="A validation loss counts as lower when it is lower by more than this; Keras's default, as in MIScnn.",
    )
    validation: Literal["fixed", "random"] = Field(
        "fixed",
        description="Validation patches: fixed (one set per fold, the same for every loss and epoch) or random "
        "(new crops each epoch, as MIScnn).",
    )
    precision: Literal["float32", "tf32", "bfloat16", "float16"] = Field(
        "float32",
        description="Number format of the layers: float32 (as the paper); tf32: float32, products in NVIDIA's TensorFloat-32; "
        "bfloat16 or float16: mixed precision (weights, softmax and loss stay float32), float16 with loss scaling.",
    )
    xla: bool = Field(False, description="Compile the step with XLA.")
    accumulation: int = Field(
        1,
        ge=1,
        le=1024,
        description="Passes that the batch of a step is spread over, one after the other, to save memory; batch_size must "
        "divide by it.",
    )
    deterministic: bool = Field(
        False,
        description="On GPUs too, only operations that always give the same bits (slower); CPUs have no others, but with xla.",
    )
    threads: int = Field(8, ge=1, le=256, description="CPU threads of a training. Part of the result on a CPU.")
    gpus: int = Field(1, ge=1, le=16, description="GPUs that divide each batch; none and one compute the same.")

    @field_validator("patch")
    @classmethod
    def _patch_is_positive(cls, value: tuple[int, ...]) -> tuple[int, ...]:
        if min(value) < 1:
            raise ValueError("every side must be at least 1 voxel")
        return value

    @model_validator(mode="after")
    def _options_go_together(self) -> "Training":
        faults = list(self._option_faults())
        if faults:
            raise ValueError("; ".join(faults))
        return self

    def _option_faults(self) -> Iterator[str]:
        if self.accumulation > 1 and self.precision == "float16":
            yield (
                "precision: float16 and accumulation do not go together: where loss scaling skips a pass, the passes of later "
                "steps would be out of turn. Use precision: bfloat16, or accumulation: 1"
            )
        if self.accumulation > 1 and self.gpus > 1:
            yield (
                "gpus and accumulation do not go together: Keras cannot accumulate gradients on several GPUs. Use more GPUs, or "
                "accumulation: 1"
            )
        if self.deterministic and self.xla:
            yield "deterministic and xla do not go together: with XLA, TensorFlow cannot be bound to such operations"
        if self.batch_size % self.accumulation:
            yield f"batch_size {self.batch_size} must divide by accumulation {self.accumulation}"
        if self.gpus > 1 and self.batch_size % self.gpus:
            yield f"batch_size {self.batch_size} must divide by gpus {self.gpus}: every GPU takes as many patches"

    @model_validator(mode="after")
    def _rates_descend(self) -> "Training":
        if self.minimum_learning_rate > self.learning_rate:
            raise ValueError("minimum_learning_rate must not be above learning_rate")
        return self
