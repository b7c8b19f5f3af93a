"""Parameters of losses: the base models, and faults in words.

Nothing heavy is imported here: Snakemake's own process reads these models.
"""

import difflib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from workflow_lib.base.errors import Faults


def _refuse_truth_values(value: object) -> object:
    if isinstance(value, bool):
        raise ValueError("true and false are no numbers")
    return value


Number = Annotated[float, BeforeValidator(_refuse_truth_values)]
"""A finite number. Numbers in quotes are read as numbers, because YAML takes `1e-6` for text."""

Share = Annotated[float, Field(ge=0, le=1), BeforeValidator(_refuse_truth_values)]
"""A number in [0, 1]."""

Weight = Annotated[float, Field(ge=0), BeforeValidator(_refuse_truth_values)]
"""A number that is not negative."""


PerClass = Annotated[tuple[Weight, ...], Field(min_length=2, json_schema_extra={"per_class": True})]
"""One weight per class, background first. Their number is held against the dataset's classes before anything runs."""


class LossParameters(BaseModel):
    """Parameters of a loss: immutable, finite, and a parameter that the loss does not know is a fault."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False, validate_default=True)


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


@dataclass(frozen=True)
class ParameterRow:
    """A parameter in words: its name, its default, the values it accepts and what it does."""

    name: str
    default: str
    accepted: str
    meaning: str


def parameter_rows(model: type[LossParameters]) -> list[ParameterRow]:
    """Return the parameters of a loss in words, in the order of the model."""
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


def per_class_parameters(model: type[LossParameters]) -> list[str]:
    """Return the parameters that may hold one value per class."""
    properties = model.model_json_schema()["properties"] if model.model_fields else {}
    return [
        name
        for name, schema in properties.items()
        if any(option.get("per_class") for option in (schema, *schema.get("anyOf", ())))
    ]


def show(value: object) -> str:
    """Return a value as the config spells it; a float that is a simple fraction as that fraction."""
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


def parameter_faults(loss: str, model: type[LossParameters], parameters: Mapping[str, Any]) -> list[str]:
    """Return every fault of the parameters of `loss` in words, each naming the loss, the parameter and what is accepted."""
    try:
        model.model_validate(dict(parameters))
    except ValidationError as error:
        return _in_words(loss, model, parameters, error)
    return []


def read_parameters(loss: str, model: type[Model], parameters: Mapping[str, Any]) -> Model:
    """Return the parameters with defaults filled in. Raises Faults that names every one that is wrong."""
    try:
        return model.model_validate(dict(parameters))
    except ValidationError as error:
        raise Faults(f"Loss {loss!r} cannot be built:", _in_words(loss, model, parameters, error)) from None


def _in_words(loss: str, model: type[LossParameters], parameters: Mapping[str, Any], error: ValidationError) -> list[str]:
    accepted = {row.name: row.accepted for row in parameter_rows(model)}
    faults: dict[str, str] = {}
    for item in error.errors():
        name = str(item["loc"][0]) if item["loc"] else ""
        message = item["msg"].removeprefix("Value error, ")
        if not name:
            fault = f"loss {loss!r}: {message}"
        elif name not in accepted:
            fault = f"loss {loss!r} has no parameter {name!r}{_hint(name, accepted)}"
        elif item["type"] == "missing" and len(item["loc"]) == 1:
            fault = f"loss {loss!r} needs the parameter {name!r}: {accepted[name]}"
        elif len(item["loc"]) > 1 and isinstance(item["loc"][1], int):
            fault = f"loss {loss!r}: parameter {name!r}{_inner_fault(item['loc'][1:], message, item['input'])}"
            name = str(item["loc"])
        elif item["type"] == "too_short" and any(place.startswith(f"({name!r}, ") for place in faults):
            # The sections at fault are not counted; they have been told.
            continue
        else:
            reason = f" ({message})" if item["type"] == "value_error" else ""
            fault = f"loss {loss!r}: parameter {name!r} is {parameters.get(name)!r}{reason}; accepted: {accepted[name]}"
        # A parameter that accepts several types has a fault for each of them; the sentence names them all at once.
        faults.setdefault(name, fault)
    return list(faults.values())


def _inner_fault(place: tuple[int | str, ...], message: str, given: object) -> str:
    """Return where in a list of sections a fault is, and what."""
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
