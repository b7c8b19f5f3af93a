"""The base model of the parameters of a family's members (losses, networks, optimisers), with their faults and values in words.

No large library is imported, because Snakemake's main process reads these models.
"""

import difflib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationError

from workflow_lib.base.errors import Faults


def no_truth_value(value: object) -> object:
    """Return the value. Raises ValueError for true and false, which pydantic would accept as 1 and 0."""
    if isinstance(value, bool):
        raise ValueError("true and false are not numbers")
    return value


Number = Annotated[float, BeforeValidator(no_truth_value)]
"""A finite number. Numbers in quotes are accepted, because YAML reads `1e-6` as text."""

WholeNumber = Annotated[int, BeforeValidator(no_truth_value)]


class Parameters(BaseModel):
    """Parameters of a member: immutable, finite, without unknown names."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False, validate_default=True)


Model = TypeVar("Model", bound=Parameters)


@dataclass(frozen=True)
class ParameterRow:
    """A parameter in words: name, default, accepted values and meaning."""

    name: str
    default: str
    accepted: str
    meaning: str


def parameter_rows(model: type[Parameters]) -> list[ParameterRow]:
    """Return the parameters of a member in words, in the order of the model."""
    properties = model.model_json_schema()["properties"] if model.model_fields else {}
    return [
        ParameterRow(
            name,
            "required" if field.is_required() else show(field.get_default()),
            _accepted(properties[name]),
            field.description or "",
        )
        for name, field in model.model_fields.items()
    ]


def show(value: object) -> str:
    """Return a value as it is written in a configuration; a float that is a simple fraction is shown as that fraction."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        fraction = Fraction(value).limit_denominator(100)
        short = re.sub(r"e([-+])0(\d)$", r"e\1\2", f"{value:g}")
        return str(fraction) if float(fraction) == value and float(short) != value else short
    return str(value)


def _accepted(schema: Mapping[str, Any]) -> str:
    """Return the accepted values of a JSON schema in words."""
    if "anyOf" in schema:
        return " or ".join(_accepted(option) for option in schema["anyOf"])
    if "const" in schema:
        return f"`{schema['const']}`"
    if "enum" in schema:
        return " or ".join(f"`{value}`" for value in schema["enum"])
    kind = schema.get("type")
    if kind == "array":
        return _accepted_list(schema)
    if kind in ("number", "integer"):
        return ("a number" if kind == "number" else "an integer") + _interval(schema)
    names = {"boolean": "`true` or `false`", "null": "`null`", "string": "a text", "object": "a section"}
    return names.get(str(kind), "a value")


def _accepted_list(schema: Mapping[str, Any]) -> str:
    if "prefixItems" in schema:
        return f"a list of {len(schema['prefixItems'])}: " + ", ".join(_accepted(item) for item in schema["prefixItems"])
    if "$ref" in schema.get("items", {}):
        return "a list with a section for each"
    what = "a list with one value per class" if schema.get("per_class") else "a list"
    return f"{what}, each {_accepted(schema['items'])}" if "items" in schema else what


def _interval(schema: Mapping[str, Any]) -> str:
    bounds = ("minimum", "exclusiveMinimum", "maximum", "exclusiveMaximum")
    if not any(bound in schema for bound in bounds):
        return ""
    low = f"[{schema['minimum']:g}" if "minimum" in schema else f"({schema.get('exclusiveMinimum', float('-inf')):g}"
    high = f"{schema['maximum']:g}]" if "maximum" in schema else f"{schema.get('exclusiveMaximum', float('inf')):g})"
    return f" in {low}, {high}".replace("inf", "∞")


def parameter_faults(member: str, model: type[Parameters], parameters: Mapping[str, Any]) -> list[str]:
    """Return every fault of the parameters in words, with the member ("loss 'dice'") and the accepted values."""
    try:
        model.model_validate(dict(parameters))
    except ValidationError as error:
        return _in_words(member, model, parameters, error)
    return []


def read_parameters(member: str, model: type[Model], parameters: Mapping[str, Any]) -> Model:
    """Return the parameters with defaults filled in. Raises Faults with all invalid parameters."""
    try:
        return model.model_validate(dict(parameters))
    except ValidationError as error:
        heading = f"{member[:1].upper()}{member[1:]} cannot be built:"
        raise Faults(heading, _in_words(member, model, parameters, error)) from None


def _in_words(member: str, model: type[Parameters], parameters: Mapping[str, Any], error: ValidationError) -> list[str]:
    accepted = {row.name: row.accepted for row in parameter_rows(model)}
    faults: dict[str, str] = {}
    for item in error.errors():
        name = str(item["loc"][0]) if item["loc"] else ""
        message = item["msg"].removeprefix("Value error, ")
        if not name:
            fault = f"{member}: {message}"
        elif name not in accepted:
            fault = f"{member} has no parameter {name!r}{_hint(name, accepted)}"
        elif item["type"] == "missing" and len(item["loc"]) == 1:
            fault = f"{member} needs the parameter {name!r}: {accepted[name]}"
        elif len(item["loc"]) > 1 and isinstance(item["loc"][1], int):
            fault = f"{member}: parameter {name!r}{_inner_fault(item['loc'][1:], message, item['input'])}"
            name = str(item["loc"])
        elif item["type"] == "too_short" and any(place.startswith(f"({name!r}, ") for place in faults):
            # The list is only too short because its invalid sections are not counted; these have been reported.
            continue
        else:
            reason = f" ({message})" if item["type"] == "value_error" else ""
            fault = f"{member}: parameter {name!r} is {parameters.get(name)!r}{reason}; accepted: {accepted[name]}"
        # A parameter that accepts several types has an error for each type. The first sentence names all types.
        faults.setdefault(name, fault)
    return list(faults.values())


def _inner_fault(place: tuple[int | str, ...], message: str, given: object) -> str:
    """Return the place and the description of a fault in a list of sections."""
    where = "".join(f", {part!r}" if isinstance(part, str) else f", number {part + 1}" for part in place)
    words = {"Field required": "is missing", "Extra inputs are not permitted": "is an unknown key"}
    if message in words:
        return f"{where} {words[message]}"
    if "valid dictionary" in message:
        return f"{where} must be a section with keys; it is {given!r}"
    shown = "" if isinstance(given, dict) else f"; it is {given!r}"
    return f"{where} {message.replace('Input should', 'should')}{shown}" if shown else f"{where}: {message}"


def _hint(name: str, known: Mapping[str, str]) -> str:
    if not known:
        return "; it has none"
    close = difflib.get_close_matches(name, known, n=1)
    question = f"; did you mean {close[0]!r}?" if close else ""
    return f"{question}; its parameters: {', '.join(known)}"
