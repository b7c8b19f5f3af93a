"""Parameters of losses: the base models.

Nothing heavy is imported here: Snakemake's own process reads these models.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BeforeValidator, Field

from workflow_lib.base import parameters as base
from workflow_lib.base.parameters import Parameters, no_truth_value

Number = Annotated[float, BeforeValidator(no_truth_value)]
"""A finite number. Numbers in quotes are read as numbers, because YAML takes `1e-6` for text."""

Share = Annotated[float, Field(ge=0, le=1), BeforeValidator(no_truth_value)]
"""A number in [0, 1]."""

Weight = Annotated[float, Field(ge=0), BeforeValidator(no_truth_value)]
"""A number that is not negative."""


PerClass = Annotated[tuple[Weight, ...], Field(min_length=2, json_schema_extra={"per_class": True})]
"""One weight per class, background first. Their number is held against the dataset's classes before anything runs."""


class LossParameters(Parameters):
    """Parameters of a loss: immutable, finite, and a parameter that the loss does not know is a fault."""


Model = TypeVar("Model", bound=LossParameters)


class OverlapParameters(LossParameters):
    """How the overlap of each class becomes one number."""

    class_reduction: Literal["mean", "sum"] = Field(
        "mean", description="Mean over the classes (the authors' code), or their sum (the equations as printed)."
    )
    overlap: Literal["sample", "batch"] = Field(
        "sample", description="Count TP, FN and FP per sample, then average; or over the whole batch at once."
    )
    include_background: bool = Field(True, description="Whether the background counts as one of the classes.")
    smooth: Number = Field(1e-6, gt=0, le=1, description="s, added to numerator and denominator of the Tversky index, in voxels.")

    def overlap_options(self) -> dict[str, Any]:
        """Return these parameters alone, for the overlap loss that is a part of a compound."""
        return {
            "class_reduction": self.class_reduction,
            "overlap": self.overlap,
            "include_background": self.include_background,
            "smooth": self.smooth,
        }


def per_class(model: type[LossParameters]) -> list[str]:
    """Return the parameters that may hold one value per class."""
    properties = model.model_json_schema()["properties"] if model.model_fields else {}
    return [
        name
        for name, schema in properties.items()
        if any(option.get("per_class") for option in (schema, *schema.get("anyOf", ())))
    ]


def parameter_faults(loss: str, model: type[LossParameters], parameters: Mapping[str, Any]) -> list[str]:
    """Return every fault of the parameters of `loss` in words, each naming the loss, the parameter and what is accepted."""
    return base.parameter_faults(f"loss {loss!r}", model, parameters)


def read_parameters(loss: str, model: type[Model], parameters: Mapping[str, Any]) -> Model:
    """Return the parameters with defaults filled in. Raises Faults that names every one that is wrong."""
    return base.read_parameters(f"loss {loss!r}", model, parameters)
