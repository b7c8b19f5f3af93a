"""The table that compares the ranking of the losses across networks, for datasets of the study with the same images."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import combinations
from typing import Any

from workflow_lib.report.data import number
from workflow_lib.report.score_tables import foreground
from workflow_lib.report.sources import Sources
from workflow_lib.report.study import Dataset, Study
from workflow_lib.report.text import full, listed
from workflow_lib.statistics.across_networks import rank_agreement
from workflow_lib.tables import display

IMAGES = ("format", "root", "channels", "files", "phantom", "exclude", "require")
"""Keys of a dataset that determine its images."""

OTHERWISE = ("preprocessing", "augmentation", "training", "prediction", "evaluation")
"""Sections that are expected to be equal if two datasets differ only in the network."""


def describe(sources: Sources, study: Study) -> dict[str, Any] | None:
    """Return a line per pair of datasets and class, or None if no two datasets have the same images and different networks."""
    config = study.config["datasets"]
    lines, few = [], []
    for one, other in _pairs(study):
        first, second = config[one.name], config[other.name]
        means = [_means(sources, dataset.name) for dataset in (one, other)]
        shared = [loss.name for loss in one.losses if loss.name in {entry.name for entry in other.losses}]
        for name in foreground(one):
            rankings = [{loss: own.get((loss, name), float("nan")) for loss in shared} for own in means]
            agreement = rank_agreement(*rankings)
            few.append(agreement.losses)
            lines.append(
                {
                    "datasets": [one.label, other.label],
                    "networks": [first["network"]["architecture"], second["network"]["architecture"]],
                    "class": name,
                    "losses": agreement.losses,
                    "tau": {"text": display.number(agreement.tau, 2), "sort": full(agreement.tau)},
                    "p": {"text": display.p_value(agreement.p), "sort": full(agreement.p)},
                    "smallest": {"text": display.p_value(agreement.smallest_p), "sort": full(agreement.smallest_p)},
                    "apart": _apart(one.name, first, other.name, second),
                }
            )
    return {"rows": lines, "fewest": min(few), "most": max(few)} if lines else None


def _pairs(study: Study) -> Iterator[tuple[Dataset, Dataset]]:
    config = study.config["datasets"]
    for one, other in combinations(study.datasets, 2):
        first, second = config[one.name], config[other.name]
        networks = [entry.get("network", {}).get("architecture") for entry in (first, second)]
        if all(first.get(key) == second.get(key) for key in IMAGES) and None not in networks and networks[0] != networks[1]:
            yield one, other


def _means(sources: Sources, dataset: str) -> dict[tuple[str, str], float]:
    rows = sources.rows(f"statistics/{dataset}/means.csv") or []
    return {(row["loss"], row["class"]): number(row["mean"]) for row in rows if row["metric"] == "dsc"}


def _apart(name: str, one: Mapping[str, Any], other_name: str, other: Mapping[str, Any]) -> str:
    """Return in words the differences between two datasets other than the architecture."""
    found = [
        f"{section}.{key}"
        for section in (*OTHERWISE, "network")
        for key in one.get(section, {})
        if key not in ("architecture", "parameters") and one[section][key] != other.get(section, {}).get(key)
    ]
    divisions = [entry.get("cross_validation", {}) for entry in (one, other)]
    likes = [division.get("like") or own for division, own in zip(divisions, (name, other_name), strict=True)]
    tables = {division.get("table") for division in divisions}
    if likes[0] != likes[1] and (len(tables) > 1 or None in tables):
        found.append("the folds")
    return listed(found)
