"""The input of the report: the study as typed data."""

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from workflow_lib.datasets.identity import data_digest


@dataclass(frozen=True)
class Loss:
    """A loss of a dataset.

    Parameters
    ----------
    name, label : str
        Its name and label in the study.
    loss : str
        Its name in the registry.
    files : mapping
        The user's files that it needs: name to digest.
    """

    name: str
    label: str
    loss: str = ""
    parameters: Mapping[str, Any] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)

    @property
    def plain(self) -> dict[str, Any]:
        """The same as plain data."""
        return dataclasses.asdict(self)


@dataclass(frozen=True)
class Dataset:
    """A dataset of the study.

    Parameters
    ----------
    published : str or None
        The published numbers with which it is compared.
    losses : tuple of Loss
        In the order of the tables.
    folds : int
        Number of folds, 1 for a fixed split.
    sweep : bool
        Whether some losses form a sweep.
    protocol : mapping
        The settings that are compared with a published protocol.
    classes : tuple of str
        Names of the classes, background first.
    regions : mapping
        Name of a region to the indices of its classes.
    group : str
        Kind of the groups: "patient", "sequence", or "" if unknown.
    data : str
        Digest of the images and masks of all its cases; "" if unknown.
    frozen : tuple of str
        The date of the inspection and the changes of the images since then, if the results are kept in spite of them.
    """

    name: str
    label: str = ""
    format: str = ""
    synthetic: bool = False
    published: str | None = None
    losses: tuple[Loss, ...] = ()
    folds: int = 1
    sweep: bool = False
    protocol: Mapping[str, Any] = field(default_factory=dict)
    classes: tuple[str, ...] = ()
    regions: Mapping[str, Sequence[int]] = field(default_factory=dict)
    group: str = ""
    data: str = ""
    frozen: tuple[str, ...] = ()


@dataclass(frozen=True)
class Study:
    """A study as shown in its report.

    Parameters
    ----------
    config : mapping
        The complete validated configuration as plain data.
    fingerprints : mapping
        For each dataset, and "" for jobs without one: "step" or "step/loss" -> the current short fingerprints of its jobs.
        Results with other fingerprints are shown as stale. If empty, nothing is compared.
    commit : str or None
        Commit of the code that makes the page, None outside of git.
    digest : str
        SHA-256 of the manifest; if "", the page shows one of the files it was made from.
    """

    name: str
    title: str
    datasets: tuple[Dataset, ...]
    config: Mapping[str, Any]
    version: str
    commit: str | None
    fingerprints: Mapping[str, Mapping[str, Sequence[str]]] = field(default_factory=dict)
    digest: str = ""


def read_study(content: Mapping[str, Any], cases: Mapping[str, Mapping[str, Any]], **facts: Any) -> Study:
    """Return the study from the settings of the step `report_page`.

    Parameters
    ----------
    content : mapping
        The settings as plain data.
    cases : mapping
        Dataset to the content of its cases.json.
    facts
        `version`, `commit` and `digest`.
    """
    datasets = tuple(read_dataset(dataset, cases.get(dataset["name"])) for dataset in content["datasets"])
    return Study(
        content["name"],
        content["title"],
        datasets,
        content["config"],
        fingerprints=content.get("fingerprints", {}),
        **facts,
    )


def read_dataset(content: Mapping[str, Any], cases: Mapping[str, Any] | None = None) -> Dataset:
    """Return one dataset from these settings, with classes, regions, groups and digest from its cases.json if that is given."""
    known = {one.name for one in dataclasses.fields(Dataset)}
    values = {key: value for key, value in content.items() if key in known}
    if cases is not None:
        labels = cases["label_map"]
        values |= {"classes": labels["names"], "regions": labels["regions"], "group": cases["group"]}
        values["data"] = data_digest(cases["cases"])
    losses = tuple(Loss(**loss) for loss in content.get("losses", ()))
    values["frozen"] = tuple(values.get("frozen", ()))
    values["regions"], values["group"] = values.get("regions") or {}, values.get("group") or ""
    return Dataset(**{**values, "losses": losses, "classes": tuple(values.get("classes", ()))})
