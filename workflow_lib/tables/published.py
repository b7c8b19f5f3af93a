"""The published numbers that a study is compared with, from reports/published."""

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from workflow_lib.base.checkout import reports
from workflow_lib.base.errors import UserError
from workflow_lib.metrics import registry

FOLDER = reports() / "published"


@dataclass(frozen=True)
class Interval:
    """A published mean and the half width of its 95 % interval."""

    mean: float
    half: float


@dataclass(frozen=True)
class Published:
    """What a publication says about one dataset. Losses are named as in `workflow_lib/losses`, in the order of its table."""

    name: str
    dataset: str
    citation: str
    cases: int
    labels: Mapping[str, str]
    """Loss -> its name as printed."""
    parameters: Mapping[str, Mapping[str, Any]]
    """Loss -> its parameters."""
    metrics: tuple[str, ...]
    """The metrics of its scores, in the order of its columns."""
    classes: tuple[str, ...]
    scores: Mapping[tuple[str, str, str], Interval]
    """(loss, class, metric) -> mean and half width."""
    p_values: Mapping[tuple[str, str, str], str]
    """(class, row, column) -> Holm-adjusted p as printed."""
    settings: Mapping[str, Any]
    """Setting by its path in the configuration of a dataset ("training.epochs") -> value."""
    claims: Sequence[Mapping[str, Any]] = ()
    """What it claims, each {`claim`, `where`, `check`}, see `workflow_lib.tables.claims`."""
    contradictions: Sequence[Mapping[str, str]] = ()
    """Where it contradicts itself, each {`about`, `says`, `used`}."""

    @property
    def losses(self) -> list[str]:
        """The losses in the order of the table."""
        return list(self.labels)

    @property
    def folds(self) -> int:
        """The number of folds behind the intervals."""
        return int(self.settings["cross_validation.folds"])


def names() -> list[str]:
    """Return the names under which published numbers are at hand."""
    return sorted(path.parent.name for path in FOLDER.glob("*/protocol.yaml"))


def files(name: str) -> list[Path]:
    """Return the files that `load` reads, for the inputs of a rule."""
    return sorted([*(FOLDER / name).glob("*.csv"), *(FOLDER / name).glob("*.yaml")])


def load(name: str | None) -> Published | None:
    """Return the published numbers of that name, or None where there are none.

    Raises UserError when a file of the folder is missing or does not fit the others.
    """
    if name is None or name not in names():
        return None
    folder = FOLDER / name
    protocol = _yaml(folder / "protocol.yaml")
    rows = _rows(folder / "scores.csv")
    if not rows or [row["loss"] for row in rows] != list(protocol["losses"]):
        raise UserError(f"{folder}: scores.csv and protocol.yaml do not name the same losses in the same order.")
    claimed = _claims(folder / "claims.yaml")
    metrics = _metrics(folder, protocol)
    first = f"{metrics[0]}_"
    classes = tuple(c.removeprefix(first) for c in rows[0] if c.startswith(first) and not c.endswith("_ci95"))
    return Published(
        name=name,
        dataset=protocol["dataset"],
        citation=protocol["citation"],
        cases=int(protocol["cases"]),
        labels={row["loss"]: row["label"] for row in rows},
        parameters=protocol["losses"],
        metrics=metrics,
        classes=classes,
        scores={
            (row["loss"], name, metric): Interval(float(row[f"{metric}_{name}"]), float(row[f"{metric}_{name}_ci95"]))
            for row in rows
            for name in classes
            for metric in metrics
        },
        p_values={
            (name, row["row"], row["column"]): row["p_holm"] for name in classes for row in _rows(folder / f"holm_p_{name}.csv")
        },
        settings=flatten(protocol["settings"]),
        claims=claimed["claims"],
        contradictions=claimed["contradictions"],
    )


def flatten(settings: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return nested settings by path: {"training": {"epochs": 8}} becomes {"training.epochs": 8}."""
    flat: dict[str, Any] = {}
    for key, value in settings.items():
        if isinstance(value, Mapping):
            flat |= flatten(value, f"{prefix}{key}.")
        else:
            flat[f"{prefix}{key}"] = value
    return flat


def _metrics(folder: Path, protocol: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the metrics that a publication's own files name. Raises UserError where there are none, or one is unknown."""
    metrics = tuple(protocol.get("metrics") or ())
    if not metrics:
        raise UserError(f"{folder}: protocol.yaml does not say under `metrics` which metrics scores.csv holds.")
    unknown = [name for name in metrics if name not in registry.names()]
    if unknown:
        raise UserError(f"{folder}: protocol.yaml: {registry.FAMILY.unknown(str(unknown[0]))}")
    return metrics


def _claims(path: Path) -> dict[str, list[Any]]:
    """Return `claims` and `contradictions`; both empty where the publication's folder has no file of them."""
    content = _yaml(path) if path.is_file() else {}
    return {key: list(content.get(key) or []) for key in ("claims", "contradictions")}


def _yaml(path: Path) -> Any:
    import yaml

    # PyYAML's parser in C is ten times as fast; a build without libyaml lacks it.
    return yaml.load(path.read_text(encoding="utf-8"), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))


def _rows(path: Path) -> list[dict[str, str]]:
    try:
        with open(path, encoding="utf-8", newline="") as stream:
            return list(csv.DictReader(stream))
    except FileNotFoundError as error:
        raise UserError(f"{path} is missing: the published numbers are not complete. Restore it from the repository.") from error
