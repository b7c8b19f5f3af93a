"""The configuration of a study as typed, validated models, one per section of the YAML file.

Unknown keys are rejected, and all faults are reported together. The defaults are the protocol of the paper (arXiv
2102.04525v1). `validate` merges the sections of the study into every dataset: `training.epochs` applies to all
datasets, and `datasets.kits19.training.epochs` to one.
"""

import difflib
import re
from collections.abc import Mapping
from typing import Any, Literal

from pydantic import BaseModel, Field, ValidationError, field_validator, model_validator

from workflow_lib.base.errors import Faults
from workflow_lib.study.resources import PreprocessingSection, StudySteering, TrainingSection
from workflow_lib.study.sections.augmentation import Augmentation
from workflow_lib.study.sections.cross_validation import CrossValidation
from workflow_lib.study.sections.evaluation import Evaluation
from workflow_lib.study.sections.files import Files
from workflow_lib.study.sections.network import Network
from workflow_lib.study.sections.phantom import Phantom
from workflow_lib.study.sections.prediction import Prediction
from workflow_lib.study.sections.section import Section
from workflow_lib.study.sections.statistics import Statistics

NAME_PATTERN = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
"""Pattern of names that are also folder names: letters, digits, '_' and '-'."""


class Study(StudySteering):
    """What the run is called, and which datasets of the catalogue it uses."""

    name: str = Field(description="Folder of the results: results/<name>. Letters, digits, '_' and '-'.")
    title: str = Field(description="Heading of the report.")
    datasets: list[str] = Field(
        min_length=1, description="Datasets of the catalogue `datasets` to run, in the order of the report."
    )
    seed: int = Field(42, ge=0, description="The one seed; every random draw is derived from it.")
    results: str = Field("results", description="Folder under which the results of all studies lie.")
    missing_weights: Literal["stop", "repeat", "accept"] = Field(
        "stop",
        description="When the weights of a finished training are gone and nothing else of it: stop, train again (repeat), or "
        "keep the results without them (accept).",
    )

    @field_validator("name")
    @classmethod
    def _name_is_a_folder(cls, value: str) -> str:
        if not NAME_PATTERN.fullmatch(value):
            raise ValueError("use letters, digits, '_' and '-' only, at most 64, beginning with a letter or digit")
        return value

    def science(self) -> dict[str, Any]:
        """Return the keys that results depend on, as plain data."""
        return self.model_dump(mode="json", exclude=set(StudySteering.model_fields))


class LossChoice(Section):
    """A loss under a different name, with its own parameters."""

    loss: str = Field(
        min_length=1,
        description="Name of the loss (docs/losses.md), or a Python file with a loss of your own (docs/add-a-loss.md). A "
        "relative path starts at the working directory.",
    )
    preset: Literal["paper", "paper-literal"] | None = Field(
        None,
        description="For the losses of the Mixed Focal paper: `paper` (as the authors' code, the default) or `paper-literal` (as "
        "the equations are printed, summed over the classes). `parameters` go over it.",
    )
    label: str | None = Field(None, min_length=1, max_length=300, description="Name in tables and figures; null: the loss's own.")
    parameters: dict[str, Any] = Field(default_factory=dict, description="Parameters that differ from the loss's defaults.")


class Dataset(Section):
    """A dataset with everything that is done to it: its own keys and the study's sections laid under them."""

    label: str = Field(min_length=1, max_length=300, description="Name in the report.")
    format: str = Field(
        description="Reader (docs/datasets.md): kits19, brats20, cvc_clinicdb, drive, bus2017, busi, msd, nnunet_raw, folders."
    )
    source: Literal["folder", "download", "phantom"] = Field(
        "folder", description="folder: the files lie in `root`; download: fetched into `root`; phantom: generated into `root`."
    )
    root: str = Field(description="Folder of the images. A relative path starts at the working directory.")
    url: str | None = Field(None, description="Address of a mirror to download from; null: the official one.")
    channels: list[str] | None = Field(None, description="Channels to read where a case has several (BraTS20: t1ce).")
    files: Files | None = Field(None, description="Where the files lie, for format: folders.")
    groups: str | None = Field(
        None,
        description="CSV `case,group` with what each case belongs to (a patient, a sequence), instead of what the format "
        "says. A relative path starts at the working directory.",
    )
    field_of_view: bool = Field(False, description="Score only inside the field of view, where the dataset has masks of it.")
    faulty: Literal["stop", "exclude"] = Field(
        "stop", description="When a case has a fault: stop and report all faults (stop), or leave such cases out and list them."
    )
    changed_data: Literal["stop", "follow", "freeze"] = Field(
        "stop",
        description="When images or masks have changed since they were inspected, and results were made from them: stop and say "
        "what follows (stop), make again what follows (follow), or keep the results and say in the report which images they "
        "rest on (freeze).",
    )
    exclude: dict[str, str] = Field(
        default_factory=dict, description="Cases left out, each with the reason, which the report prints."
    )
    require: list[str] = Field(
        default_factory=list, description="Classes that a case must contain; cases without are excluded and listed."
    )
    phantom: Phantom | None = Field(None, description="What to generate, for source: phantom.")
    losses: list[str] = Field(
        min_length=1,
        max_length=60,
        description="Losses to train, in the order of the tables: names from the catalogue `losses`, or registry names.",
    )
    published: str | None = Field(
        None, description="Published numbers to compare the results with: a folder in reports/published."
    )
    figure_case: str | None = Field(None, description="Case of the segmentation figure; null: the one of median DSC.")
    cross_validation: CrossValidation = Field(CrossValidation(), description="Division of the cases.")
    preprocessing: PreprocessingSection = Field(PreprocessingSection(), description="From the images to what the network sees.")
    augmentation: Augmentation = Field(Augmentation(), description="Random changes of the training patches.")
    network: Network = Field(Network(), description="The network.")
    training: TrainingSection = Field(description="One training.")
    prediction: Prediction = Field(description="Prediction of whole cases.")
    evaluation: Evaluation = Field(Evaluation(), description="Scores beside the overlap.")
    statistics: Statistics = Field(Statistics(), description="Tests and intervals.")

    @field_validator("losses")
    @classmethod
    def _losses_once(cls, value: list[str]) -> list[str]:
        if len(set(value)) != len(value):
            raise ValueError("a loss is listed twice")
        return value

    @model_validator(mode="after")
    def _parts_fit(self) -> "Dataset":
        dimensions = len(self.training.patch)
        if len(self.prediction.overlap) != dimensions:
            raise ValueError(f"prediction.overlap has {len(self.prediction.overlap)} axes, training.patch {dimensions}")
        if any(o < 0 or o >= p for o, p in zip(self.prediction.overlap, self.training.patch, strict=True)):
            raise ValueError("prediction.overlap must be at least 0 and smaller than training.patch on every axis")
        for key in ("spacing", "size"):
            value = getattr(self.preprocessing, key)
            if value is not None and len(value) != dimensions:
                raise ValueError(f"preprocessing.{key} has {len(value)} axes, training.patch {dimensions}")
        if self.preprocessing.orientation is not None and dimensions != 3:
            raise ValueError("preprocessing.orientation is for volumes, and training.patch has two axes; remove the key")
        if (self.source == "phantom") != (self.phantom is not None):
            raise ValueError("source: phantom and the section phantom belong together")
        return self


NOTE = "x-"
"""Prefix of top-level keys for content that a file uses several times (YAML anchors)."""

SECTIONS = ("cross_validation", "preprocessing", "augmentation", "network", "training", "prediction", "evaluation", "statistics")
"""Sections that are at the top level for all datasets, or within a dataset for only that dataset."""


class Config(Section):
    """The whole study."""

    study: Study
    losses: dict[str, LossChoice] = Field(
        default_factory=dict, description="Catalogue of losses with parameters that differ from their defaults."
    )
    datasets: dict[str, Dataset] = Field(description="Catalogue of datasets.")

    def used_datasets(self) -> dict[str, Dataset]:
        """Return the datasets of the study, in the order of `study.datasets`."""
        return {name: self.datasets[name] for name in self.study.datasets}

    def loss(self, name: str) -> LossChoice:
        """Return the entry of the catalogue, or the loss of that name in the registry with its defaults."""
        return self.losses.get(name) or LossChoice(loss=name, label=None)


def merge(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Merge `over` into `base`, section by section; lists and values are replaced completely."""
    merged = dict(base)
    for key, value in over.items():
        below = merged.get(key)
        merged[key] = merge(below, value) if isinstance(below, Mapping) and isinstance(value, Mapping) else value
    return merged


def validate(raw: Mapping[str, Any], origin: str = "the configuration") -> Config:
    """Return the validated study.

    Raises Faults with all invalid keys, their values and the accepted values. Datasets of the catalogue that
    the study does not use are not validated.
    """
    faults = _unknown_keys(raw)
    study_raw = raw.get("study")
    wanted = study_raw.get("datasets", []) if isinstance(study_raw, Mapping) else []
    catalogue = raw.get("datasets")
    faults += [_no_section("datasets", catalogue)] if not isinstance(catalogue, Mapping | None) else []
    catalogue = catalogue if isinstance(catalogue, Mapping) else {}
    shared = {name: raw[name] for name in SECTIONS if isinstance(raw.get(name), Mapping)}
    faults += [_no_section(name, raw[name]) for name in SECTIONS if not isinstance(raw.get(name, {}), Mapping)]
    datasets = {}
    for name in wanted if isinstance(wanted, list) else []:
        entry = catalogue.get(name) if isinstance(name, str) else None
        if not isinstance(name, str) or not NAME_PATTERN.fullmatch(name):
            faults.append(f"study.datasets: {name!r} is not a valid name; use letters, digits, '_' and '-'")
        elif name in datasets:
            faults.append(f"study.datasets: {name!r} is listed twice")
        elif name in catalogue and not isinstance(entry, Mapping):
            faults.append(_no_section(f"datasets.{name}", entry))
        elif not isinstance(entry, Mapping):
            faults.append(f"study.datasets: {name!r} is not in the catalogue `datasets`{_hint(name, catalogue)}")
        else:
            datasets[name] = merge(shared, entry)
    if not isinstance(raw.get("study", {}), Mapping):
        faults.append(_no_section("study", study_raw))
        raise Faults(f"{len(faults)} fault(s) in {origin}:", faults)
    merged = {"study": raw.get("study", {}), "losses": raw.get("losses") or {}, "datasets": datasets}
    config = None
    try:
        config = Config.model_validate(merged)
    except ValidationError as error:
        faults += _readable(error, raw)
    faults += _bad_names(merged)
    if faults or config is None:
        raise Faults(f"{len(set(faults))} fault(s) in {origin}:", list(dict.fromkeys(faults)))
    return config


def _unknown_keys(raw: Mapping[str, Any]) -> list[str]:
    known = {"study", "losses", "datasets", *SECTIONS}
    return [
        f"{key}: unknown key{_elsewhere(str(key)) or _hint(str(key), known)}"
        for key in raw
        if key not in known and not str(key).startswith(NOTE)
    ]


def _no_section(name: str, value: Any) -> str:
    """Return the fault of a section that is not a mapping; on the command line it is often JSON with a fault."""
    shown = "empty" if value is None else repr(str(value)[:80])
    if not isinstance(value, str) or "." in name:
        return f"{name}: must be a section with keys; it is {shown}"
    example = f"--config '{name}={{\"key\": value}}'"
    return f"{name}: must be a section with keys; it is {shown}. On the command line, quote JSON as a whole: {example}"


def _elsewhere(key: str, prefix: str = "") -> str:
    """Return where a key belongs that stands at the wrong level, or an empty text."""
    sections: dict[str, type[BaseModel]] = {"study": Study, **{name: section_model(name) for name in SECTIONS}}
    places = [f"{name}.{key}" for name, model in sections.items() if key in model.model_fields]
    places += [f"datasets.NAME.{key}"] if key in Dataset.model_fields and not prefix else []
    inside = [f"{prefix}{place}" for place in places if not (prefix and place.startswith("study."))]
    return f"; it belongs into a section: {' or '.join(inside)}" if inside else ""


def _bad_names(merged: Mapping[str, Any]) -> list[str]:
    names = [*merged["losses"]] if isinstance(merged["losses"], Mapping) else []
    for dataset in merged["datasets"].values():
        losses = dataset.get("losses")
        names += losses if isinstance(losses, list) else []
    return [
        f"losses: {name!r} is not a valid name; use letters, digits, '_' and '-' (the label may be any text)"
        for name in dict.fromkeys(map(str, names))
        if not NAME_PATTERN.fullmatch(name)
    ]


def _readable(error: ValidationError, raw: Mapping[str, Any]) -> list[str]:
    faults = []
    for item in error.errors():
        location = _user_path(tuple(item["loc"]), raw)
        message = item["msg"].removeprefix("Value error, ").replace("Input should be", "should be")
        if item["type"] == "extra_forbidden":
            message = "unknown key" + _misplaced(tuple(item["loc"]))
        elif item["type"] == "missing":
            message = "is missing"
        elif item["type"] in {"model_type", "dict_type"}:
            message = f"must be a section with keys; it is {item['input']!r}"
        elif item["type"] == "too_short":
            message = f"needs at least {item['ctx']['min_length']} entries; it has {item['ctx']['actual_length']}"
        elif "input" in item and not isinstance(item["input"], (Mapping, BaseModel)):
            message += f"; it is {item['input']!r}"
        faults.append(f"{location}: {message}")
    return faults


def _misplaced(location: tuple[int | str, ...]) -> str:
    """Return a hint for an unknown key: where it belongs, else a similar one at its place, else what is allowed."""
    prefix = f"datasets.{location[1]}." if location[0] == "datasets" and len(location) > 2 else ""
    return _elsewhere(str(location[-1]), prefix) or _hint(str(location[-1]), _known_keys(location[:-1]))


def _user_path(location: tuple[int | str, ...], raw: Mapping[str, Any]) -> str:
    """Return the path as the user wrote it: at the top level, unless the dataset overrides the key."""
    if len(location) > 2 and location[0] == "datasets" and location[2] in SECTIONS:
        entry: Any = raw["datasets"][location[1]]
        own = location[2:]
        for key in own:
            entry = entry.get(key) if isinstance(entry, Mapping) else None
        if entry is None and isinstance(raw.get(str(own[0])), Mapping) and own[1:2] and own[1] in raw[str(own[0])]:
            location = own
    return ".".join(str(part) for part in location)


def _known_keys(location: tuple[int | str, ...]) -> set[str]:
    """Return the keys that a section at `location` accepts."""
    if not location:
        return set(Config.model_fields)
    sections: dict[str, type[BaseModel]] = {"study": Study, "losses": LossChoice, "datasets": Dataset, "phantom": Phantom}
    sections |= {name: section_model(name) for name in SECTIONS}
    inner = str(location[2]) if len(location) > 2 else str(location[0])
    section = sections.get(inner, sections[str(location[0])])
    return set(section.model_fields)


def section_model(name: str) -> type[BaseModel]:
    """Return the model of a section that can be at the top level of a study."""
    annotation = Dataset.model_fields[name].annotation
    assert isinstance(annotation, type)
    return annotation


def _hint(name: str, known: Mapping[str, Any] | set[str]) -> str:
    close = difflib.get_close_matches(name, [str(key) for key in known], n=1)
    return f"; did you mean {close[0]!r}?" if close else f"; allowed: {', '.join(sorted(map(str, known))) or 'none'}"


def json_schema() -> dict[str, Any]:
    """Return the JSON schema of a configuration file, for editors.

    All keys are optional in the schema, because a study is a small file that is merged into config.yaml.
    """
    full = Config.model_json_schema()
    definitions = full["$defs"]
    for definition in definitions.values():
        definition.pop("required", None)
    properties = {
        "study": full["properties"]["study"],
        "losses": full["properties"]["losses"],
        "datasets": full["properties"]["datasets"],
    }
    properties |= {name: definitions["Dataset"]["properties"][name] for name in SECTIONS}
    for name in SECTIONS:
        properties[name] = {key: value for key, value in properties[name].items() if key != "default"}
        definitions["Dataset"]["properties"][name] = dict(properties[name])
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "A study of loss functions",
        "description": "config.yaml, or a file of studies/ laid over it.",
        "type": "object",
        "additionalProperties": False,
        "properties": properties,
        "patternProperties": {f"^{NOTE}": {}},
        "$defs": definitions,
    }
