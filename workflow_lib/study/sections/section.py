"""The base class of all sections of a study."""

from collections.abc import Mapping
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer, model_validator

Range = tuple[float, float]
"""Minimum and maximum."""

Positive = Annotated[float, Field(gt=0)]
NotNegative = Annotated[float, Field(ge=0)]

_Value = TypeVar("_Value")


def _mapping(value: Any) -> Any:
    """Return the mapping of a list of pairs, the plain form of `Ordered`. Other values are left to the validation."""
    if isinstance(value, list) and all(isinstance(pair, list) and len(pair) == 2 and isinstance(pair[0], str) for pair in value):
        return dict(value)
    return value


def _pairs(value: Mapping[str, Any]) -> list[list[Any]]:
    return [[name, entry] for name, entry in value.items()]


Ordered = Annotated[
    dict[str, _Value], BeforeValidator(_mapping), PlainSerializer(_pairs, return_type=list[list[Any]], when_used="json")
]
"""A mapping whose order has a meaning. Its plain form is a list of pairs, because JSON objects are stored with sorted keys."""


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
