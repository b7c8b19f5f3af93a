"""The base class of all sections of a study."""

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, model_validator

Range = tuple[float, float]
"""Minimum and maximum."""

Positive = Annotated[float, Field(gt=0)]
NotNegative = Annotated[float, Field(ge=0)]


class Section(BaseModel):
    """A section of the configuration: immutable. An unknown key is a fault."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def _no_switch_for_a_number(cls, values: Any) -> Any:
        """Reject truth values for numbers, because Pydantic would accept YAML's `yes` and `true` as 1."""
        if isinstance(values, dict):
            for name, field in cls.model_fields.items():
                if field.annotation in (int, float) and isinstance(values.get(name), bool):
                    raise ValueError(f"{name}: should be a number; it is {str(values[name]).lower()}")
        return values


def ascending(value: Range | None, strictly: bool = True) -> Range | None:
    """Return a range. Raises ValueError unless the first number is below the second.

    Equal numbers are accepted if `strictly` is False.
    """
    if value is not None and (value[0] > value[1] or (strictly and value[0] == value[1])):
        raise ValueError("the first number must be below the second")
    return value
