"""Mappings of a study whose order has a meaning."""

from collections.abc import Mapping
from typing import Annotated, Any, TypeVar

from pydantic import BeforeValidator, PlainSerializer

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
