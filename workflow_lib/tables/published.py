"""Reading of the published numbers with which a study is compared, from reports/published."""

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
    """The content of a publication about one dataset.

    Losses have the names of `workflow_lib/losses` and the order of the published table.
    """

    name: str
    dataset: str
    citation: str
    cases: int
    labels: Mapping[str, str]
    """Loss -> published label."""
    parameters: Mapping[str, Mapping[str, Any]]
    """Loss -> parameters."""
    metrics: tuple[str, ...]
    """The metrics of the scores, in the order of the columns."""
    classes: tuple[str, ...]
    scores: Mapping[tuple[str, str, str], Interval]
    """(loss, class, metric) -> mean and half width."""
    p_values: Mapping[tuple[str, str, str], str]
    """(class, row, column) -> Holm-adjusted p with the published digits."""
    settings: Mapping[str, Any]
    """Path in the configuration of a dataset, such as "training.epochs" -> value."""
    claims: Sequence[Mapping[str, Any]] = ()
    """The claims, each {`claim`, `where`, `check`}, see `workflow_lib.tables.claims`."""
    contradictions: Sequence[Mapping[str, str]] = ()
    """The contradictions within the publication, each {`about`, `says`, `used`}."""

    @property
    def losses(self) -> list[str]:
        """The losses in the order of the table."""
        return list(self.labels)

    @property
    def folds(self) -> int:
        """The number of folds of the intervals."""
        return int(self.settings["cross_validation.folds"])


def names() -> list[str]:
    """Return the names of the available published numbers."""
    return sorted(path.parent.name for path in FOLDER.glob("*/protocol.yaml"))


def files(name: str) -> list[Path]:
    """Return the files that `load` reads, as inputs for a rule."""
    return sorted([*(FOLDER / name).glob("*.csv"), *(FOLDER / name).glob("*.yaml")])


def load(name: str | None) -> Published | None:
    """Return the published numbers of that name, or None if there are none.

    Raises UserError if a file of the folder is missing or inconsistent with the others.
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
    """Return nested settings with paths as keys: {"training": {"epochs": 8}} gives {"training.epochs": 8}."""
    flat: dict[str, Any] = {}
    for key, value in settings.items():
        if isinstance(value, Mapping):
            flat |= flatten(value, f"{prefix}{key}.")
        else:
            flat[f"{prefix}{key}"] = value
    return flat


def _metrics(folder: Path, protocol: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the metrics in protocol.yaml. Raises UserError if there are none, or one is unknown."""
    metrics = tuple(protocol.get("metrics") or ())
    if not metrics:
        raise UserError(f"{folder}: protocol.yaml does not say under `metrics` which metrics scores.csv holds.")
    unknown = [name for name in metrics if name not in registry.names()]
    if unknown:
        raise UserError(f"{folder}: protocol.yaml: {registry.FAMILY.unknown(str(unknown[0]))}")
    return metrics


def _claims(path: Path) -> dict[str, list[Any]]:
    """Return `claims` and `contradictions`; both are empty if the file does not exist."""
    content = _yaml(path) if path.is_file() else {}
    return {key: list(content.get(key) or []) for key in ("claims", "contradictions")}


def _yaml(path: Path) -> Any:
    import yaml

    # PyYAML's C parser is ten times as fast, but is not available in builds without libyaml.
    return yaml.load(path.read_text(encoding="utf-8"), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))


def _rows(path: Path) -> list[dict[str, str]]:
    try:
        with open(path, encoding="utf-8", newline="") as stream:
            return list(csv.DictReader(stream))
    except FileNotFoundError as error:
        raise UserError(f"{path} is missing: the published numbers are not complete. Restore it from the repository.") from error
