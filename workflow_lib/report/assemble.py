"""Assemble the report of a study: from its results folder to the text of one self-contained HTML page."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from workflow_lib.figures import registry as figures
from workflow_lib.figures.registry import Figure
from workflow_lib.report import (
    across_networks,
    details,
    division,
    origins,
    paper,
    recipe,
    score_tables,
    sensitivity,
    words,
)
from workflow_lib.report.page import render
from workflow_lib.report.room import PAGE_LIMIT, SPARE, Room, cells
from workflow_lib.report.sources import PICTURES_LIMIT, Sources
from workflow_lib.report.study import Dataset, Loss, Study
from workflow_lib.report.templates import FOLDER as TEMPLATES
from workflow_lib.report.text import grouped, listed
from workflow_lib.tables import protocol

FROZEN_SHOWN = 5
"""Changed cases that the first screen names."""


def build(study: Study, folder: Path, templates: Path = TEMPLATES, read: dict[str, str] | None = None) -> str:
    """Return the report of `study` as HTML, made from the files in `folder` (results/<study>).

    Missing files are shown as gaps on the page. The same inputs give the same text, except within <section id="run-facts">,
    which
    contains times and machines. The SHA-256 of every file that the rest is made from is added to `read`.
    """
    read = {} if read is None else read
    page = render(context(study, folder, read=read), templates)
    excess = len(page.encode("utf-8")) - PAGE_LIMIT
    if excess <= 0:
        return page
    # Render again with fewer pictures to stay within the limit.
    return render(context(study, folder, max(0, PICTURES_LIMIT - excess - SPARE), read), templates)


def context(study: Study, folder: Path, pictures: int = PICTURES_LIMIT, read: dict[str, str] | None = None) -> dict[str, Any]:
    """Return the content of the templates as plain data, with figures of at most `pictures` bytes."""
    sources = Sources(Path(folder), {} if read is None else read, pictures)
    of_losses = origins.of_the_losses(sources, study)
    general = [
        _figure(sources, figure, figure.name, number, of_losses, figure.texts())
        for number, figure in enumerate(figures.described("losses"), 1)
    ]
    family = sensitivity.study_family(sources, study.datasets)
    datasets = [_dataset(sources, study, dataset, i, family) for i, dataset in enumerate(study.datasets)]
    _add_galleries(sources, datasets)
    departures = _departures(sources, study)
    papers = _papers(sources, study, departures)
    stale = [*of_losses["reasons"], *(reason for part in datasets for reason in part["origin"]["reasons"])]
    page = {
        "title": study.title,
        "name": study.name,
        "results": f"{study.config['study'].get('results', 'results')}/{study.name}",
        "version": study.version,
        "commit": study.commit or "unknown",
        "seed": study.config["study"]["seed"],
        "sentence": words.sentence(sources, study),
        "departures": _merged([entry for entry in departures if entry["items"]]),
        "citations": sorted({entry["citation"] for entry in departures}),
        "synthetic": listed([dataset.label for dataset in study.datasets if dataset.synthetic]),
        "frozen": [_frozen(dataset) for dataset in study.datasets if dataset.frozen],
        "compares": bool(departures),
        "compared": listed([entry["label"] for entry in departures]),
        "uncompared": listed([d.label for d in study.datasets if score_tables.published_of(d) is None]),
        "verdicts": score_tables.verdict_counts(sources, study.datasets),
        "papers": papers,
        "claims": paper.totals(papers),
        "datasets": datasets,
        "across_networks": across_networks.describe(sources, study),
        "general_figures": general,
        "of_losses": of_losses,
        "losses": _losses(study),
        "by_folds": listed([part["label"] for part in datasets if not part["division"]["fixed"]]),
        "by_split": listed([part["label"] for part in datasets if part["division"]["fixed"]]),
        "versions": _versions(datasets),
        "stale": {"count": len(stale), "reasons": origins.shortened(stale)},
        "config_yaml": yaml.safe_dump(dict(study.config), sort_keys=False, allow_unicode=True, width=100),
    }
    # Computed last, after all files have been read.
    digest = study.digest or sources.digest()
    return {**page, "files": sorted(sources.digests.items()), "digest": digest, "recipe": recipe.describe(study, digest, stale)}


def _frozen(dataset: Dataset) -> dict[str, Any]:
    """Return what has changed in the images of a dataset since they were inspected, for a study that keeps its results."""
    inspected, *changes = dataset.frozen
    more = len(changes) - FROZEN_SHOWN
    shown = [*changes[:FROZEN_SHOWN], *([f"{more} more"] if more > 0 else [])]
    return {"label": dataset.label, "inspected": inspected, "changes": shown}


def _dataset(sources: Sources, study: Study, dataset: Dataset, index: int, family: sensitivity.Family) -> dict[str, Any]:
    made = details.trainings(sources, dataset)
    gaps = details.gaps(sources, dataset, made)
    origin = origins.describe(sources, study, dataset)
    name, prefix = dataset.name, f"d{index + 1}"
    before = _supplementary(study.datasets[:index])
    data = details.data_part(sources, dataset)
    room = Room(len(study.datasets))
    p_values = score_tables.p_table(sources, dataset)
    tests = sum(len(line["cells"]) for group in p_values["groups"] for line in group["lines"])
    p_values = room.fit(p_values, tests) or {}
    settings = study.config["datasets"][name]
    cost = details.cost_rows(dataset, made, max(1, int(settings["training"]["gpus"])))
    long_tables = _long_tables(sources, dataset, family, room)
    if "cases" in data:
        data["cases"] = room.fit(data["cases"], cells(data["cases"], len(data["cases"]["heads"])))
    return {
        "id": prefix,
        "name": name,
        "origin": origin,
        "label": dataset.label,
        "synthetic": dataset.synthetic,
        "compares": score_tables.published_of(dataset) is not None,
        "classes": score_tables.foreground(dataset),
        "class_words": details.class_words(dataset),
        "folds": details.expected_folds(dataset),
        "confidence": f"{100 * float(settings['statistics']['confidence']):g} %",
        "bootstrap": grouped(int(settings["statistics"]["bootstrap"])),
        "labels": {loss.name: loss.label for loss in dataset.losses},
        "gaps": [{"label": loss.label, "text": gaps[loss.name]} for loss in dataset.losses if loss.name in gaps],
        "trainings_expected": len(dataset.losses) * details.expected_folds(dataset),
        "findings": words.findings(sources, dataset, details.all_diverged(made)),
        "scores": {**score_tables.score_table(sources, dataset, gaps), "number": 2 * index + 1},
        **long_tables,
        "p_values": {**p_values, "number": 2 * index + 2},
        "comparison": score_tables.comparison_rows(sources, dataset),
        "compared": {stem: sources.download(f"tables/{name}_{stem}.csv") for stem in ("comparison", "comparison_p")},
        "figures": _figures(sources, dataset, origin, index, before),
        "friedman": details.friedman(sources, dataset),
        "tolerance": f"{float(settings['evaluation']['tolerance']):g}",
        "data": data,
        "division": division.describe(sources, study, dataset),
        "field_of_view": bool(settings["field_of_view"]),
        "data_figures": _data_figures(
            sources, dataset, origin, before + _supplementary([dataset]), data["cases"]["unit"] if "cases" in data else "voxels"
        ),
        "cost": cost,
        "cost_total": details.cost_total(cost),
        "models": details.model_rows(dataset, made),
        "versions": [run["versions"] for runs in made.values() for run in runs.values() if run.get("versions")],
        "case_scores": sources.source(f"scores/{name}.csv"),
    }


def _long_tables(sources: Sources, dataset: Dataset, family: sensitivity.Family, room: Room) -> dict[str, dict[str, Any] | None]:
    """Return the tables that grow with the study, each if there is room for it on the page."""
    means, sensitive = score_tables.means_table(sources, dataset), sensitivity.panel(sources, dataset, family)
    surface, pairs = details.surface_table(sources, dataset), details.pairs_table(sources, dataset)
    return {
        "sensitivity": room.fit(sensitive, cells(sensitive, 7)),
        "means": room.fit(means, cells(means, 7)),
        "surface": room.fit(surface, cells(surface, 6)),
        "pairs": room.fit(pairs, cells(pairs, 12)),
    }


def _figure(
    sources: Sources, figure: Figure, file: str, number: int | str, origin: Mapping[str, Any], texts: tuple[str, str]
) -> dict[str, Any]:
    """Return a figure.

    `origin` describes how the files of its step were made. A JSON file of the same name may contain its texts.
    """
    own = sources.json(f"figures/{file}.json") or {}
    gallery = figure.place == "gallery"
    return {
        "id": f"figure-{number}".lower(),
        "file": f"figures/{file}",
        "number": number,
        "origin": origins.of_figure(origin, figure.step),
        "caption": own.get("caption") or texts[0],
        "alt": own.get("alt") or texts[1],
        "image": None if gallery else sources.figure(file),
        "gallery": gallery,
        "wide": figure.wide,
    }


def _of_dataset(dataset: Dataset) -> list[Figure]:
    """Return the figures of a dataset in the order of the page."""
    return figures.described("dataset", *(["sweep"] if dataset.sweep else []))


def _figures(sources: Sources, dataset: Dataset, origin: Mapping[str, Any], index: int, before: int) -> list[dict[str, Any]]:
    """Return the dataset's figures except those of the data: Figure 3, 4, ... comes first, the others are numbered S1, S2, ...

    `before` is the number of supplementary figures that precede them on the page.
    """
    first = len(figures.described("losses")) + 1 + index
    own = [figure for figure in _of_dataset(dataset) if figure.place != "data"]
    words = dataset.label, details.class_words(dataset)
    numbers = itertools.count(before + 1)
    return [
        _figure(
            sources,
            figure,
            f"{figure.name}_{dataset.name}",
            first if figure.place == "first" else f"S{next(numbers)}",
            origin,
            figure.texts(*words),
        )
        for figure in own
    ]


def _add_galleries(sources: Sources, datasets: list[dict[str, Any]]) -> None:
    """Insert the pictures of the galleries.

    This is done last, so that other figures have priority if the page becomes too large.
    """
    for dataset in datasets:
        for item in dataset["figures"]:
            if item["gallery"]:
                item["image"] = sources.figure(Path(item["file"]).name)


def _supplementary(datasets: Sequence[Dataset]) -> int:
    """Return the number of supplementary figures (S1, S2, ...) of these datasets."""
    return sum(figure.place != "first" for dataset in datasets for figure in _of_dataset(dataset))


def _data_figures(sources: Sources, dataset: Dataset, origin: Mapping[str, Any], after: int, unit: str) -> list[dict[str, Any]]:
    """Return the figures of a dataset's images. They have the last numbers of the dataset, up to `after`."""
    own = [figure for figure in _of_dataset(dataset) if figure.place == "data"]
    words = dataset.label, details.class_words(dataset), unit
    return [
        _figure(sources, figure, f"{figure.name}_{dataset.name}", f"S{number}", origin, figure.texts(*words))
        for number, figure in enumerate(own, after - len(own) + 1)
    ]


def _departures(sources: Sources, study: Study) -> list[dict[str, Any]]:
    """Return the departures from the published protocol, for each dataset that is compared with published numbers."""
    found = []
    for dataset in study.datasets:
        published = score_tables.published_of(dataset)
        if published is None:
            continue
        # Not the configuration: there `gpus: 0` determines where a study runs, which is not a departure.
        settings = {**dataset.protocol, "losses": [loss.plain for loss in dataset.losses]}
        cases = sources.rows(f"data/{dataset.name}/cases.csv") or []
        included = sum(row["status"] == "included" for row in cases)
        items = protocol.departures(settings, included, bool(dataset.synthetic), published)
        entry = {"name": dataset.name, "label": dataset.label, "citation": published.citation, "items": items}
        found.append(entry)
    return found


def _papers(sources: Sources, study: Study, departures: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return the claims of the publications of the datasets that have one."""
    departing = {entry["name"] for entry in departures if entry["items"]}
    parts = [paper.describe(sources, dataset, dataset.name in departing) for dataset in study.datasets]
    return [part for part in parts if part is not None]


def _merged(departures: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the departures, with those that all datasets share listed once and first."""
    if len(departures) < 2:
        return departures
    shared = [item for item in departures[0]["items"] if all(item in entry["items"] for entry in departures)]
    own = [{**entry, "items": [item for item in entry["items"] if item not in shared]} for entry in departures]
    everywhere = {"label": "All" if len(departures) > 2 else "Both", "items": shared}
    return [entry for entry in [everywhere, *own] if entry["items"]]


def _losses(study: Study) -> list[dict[str, Any]]:
    """Return every loss of the study once, in the order of the datasets, with its parameters and datasets."""
    losses: dict[str, Loss] = {}
    used: dict[str, list[str]] = {}
    for dataset in study.datasets:
        for loss in dataset.losses:
            losses.setdefault(loss.name, loss)
            used.setdefault(loss.name, []).append(dataset.label)
    return [
        {
            "label": loss.label,
            "loss": loss.loss,
            "parameters": _parameters(loss.parameters),
            "files": [{"name": name, "digest": digest} for name, digest in sorted(loss.files.items())],
            "datasets": ", ".join(used[name]),
        }
        for name, loss in losses.items()
    ]


def _parameters(parameters: Mapping[str, Any]) -> str:
    return ", ".join(f"{key} = {_value(value)}" for key, value in parameters.items()) or "none"


def _value(value: Any) -> str:
    if isinstance(value, list) and value and isinstance(value[0], dict):
        # The terms of a weighted sum.
        return " + ".join(f"{_value(term['weight'])} × {term['loss']} ({_parameters(term['parameters'])})" for term in value)
    return f"{value:.5g}" if isinstance(value, float) else "none" if value is None else str(value)


def _versions(datasets: list[dict[str, Any]]) -> list[dict[str, str]]:
    """Return all versions of the software that were used in trainings."""
    found: dict[str, set[str]] = {}
    for part in datasets:
        for versions in part["versions"]:
            for package, version in versions.items():
                found.setdefault(str(package), set()).add(str(version))
    return [{"package": package, "version": ", ".join(sorted(found[package]))} for package in sorted(found)]
