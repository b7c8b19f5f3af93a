"""Base models of the parameters of losses.

The module imports only light packages because the process of Snakemake also uses these models.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BeforeValidator, Field

from workflow_lib.base import parameters as base
from workflow_lib.base.parameters import Parameters, no_truth_value

Number = Annotated[float, BeforeValidator(no_truth_value)]
"""A finite number. Numbers in quotes are also accepted, because YAML reads `1e-6` as text."""

Share = Annotated[float, Field(ge=0, le=1), BeforeValidator(no_truth_value)]
"""A number in [0, 1]."""

Weight = Annotated[float, Field(ge=0), BeforeValidator(no_truth_value)]
"""A number of 0 or more."""


PerClass = Annotated[tuple[Weight, ...], Field(min_length=2, json_schema_extra={"per_class": True})]
"""One weight per class, background first. The number of weights is checked before the workflow runs."""


class LossParameters(Parameters):
    """Parameters of a loss: immutable and finite. An unknown parameter is a fault."""


Model = TypeVar("Model", bound=LossParameters)


class OverlapParameters(LossParameters):
    """Parameters that define how the overlaps of the classes are reduced to one number."""

    class_reduction: Literal["mean", "sum"] = Field(
        "mean", description="Mean over the classes (the authors' code), or their sum (the equations as printed)."
    )
    overlap: Literal["sample", "batch"] = Field(
        "sample", description="Count TP, FN and FP per sample, then average; or over the whole batch at once."
    )
    include_background: bool = Field(True, description="Whether the background counts as one of the classes.")
    smooth: Number = Field(1e-6, gt=0, le=1, description="s, added to numerator and denominator of the Tversky index, in voxels.")

    def overlap_options(self) -> dict[str, Any]:
        """Return only these parameters, for an overlap loss that is a term of a compound loss."""
        return {
            "class_reduction": self.class_reduction,
            "overlap": self.overlap,
            "include_background": self.include_background,
            "smooth": self.smooth,
        }


def per_class(model: type[LossParameters]) -> list[str]:
    """Return the parameters that accept one value per class."""
    properties = model.model_json_schema()["properties"] if model.model_fields else {}
    return [
        name
        for name, schema in properties.items()
        if any(option.get("per_class") for option in (schema, *schema.get("anyOf", ())))
    ]


def parameter_faults(loss: str, model: type[LossParameters], parameters: Mapping[str, Any]) -> list[str]:
    """Return all faults of the parameters of `loss`: messages with loss, parameter and accepted values."""
    return base.parameter_faults(f"loss {loss!r}", model, parameters)


def read_parameters(loss: str, model: type[Model], parameters: Mapping[str, Any]) -> Model:
    """Return the parameters with defaults. Raises Faults with all invalid parameters."""
    return base.read_parameters(f"loss {loss!r}", model, parameters)
