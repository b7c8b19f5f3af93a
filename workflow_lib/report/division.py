"""Describe in words how the cases were divided: into folds or one split, at random, by group, or by a table."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from workflow_lib.report.sources import Sources
from workflow_lib.report.study import Dataset, Study
from workflow_lib.report.text import count, listed

PARTS = ("training", "validation", "test")


def describe(sources: Sources, study: Study, dataset: Dataset) -> dict[str, Any]:
    """Return the description of a dataset's division.

    `fixed`: one split instead of folds; `scored`: the number of scored cases, None if not known yet; `sentence`: how the cases
    were divided; `warning`: groups or similar images on both sides of the division, or "".
    """
    settings = study.config["datasets"][dataset.name]["cross_validation"]
    rows = sources.rows(f"data/{dataset.name}/folds.csv")
    fixed = int(dataset.folds) == 1
    if rows is None:
        return {"fixed": fixed, "scored": None, "sentence": "The cases are not divided yet.", "warning": ""}
    noun = dataset.group or "group"
    places = [row["part"] or row["fold"] for row in rows]
    sizes = Counter(places)
    if fixed:
        start = "One fixed split: " + listed([f"{sizes[part]} {part}" for part in PARTS]) + " cases"
    else:
        start = f"{count(len(sizes), 'fold')} of {listed([str(sizes[fold]) for fold in sorted(sizes, key=int)])} cases"
    similar = (sources.json(f"data/{dataset.name}/cases.json") or {}).get("similar", [])
    warning = " ".join(filter(None, (_straddling(rows, noun), _similar(rows, similar))))
    scored = sizes["test"] if fixed else len(rows)
    sentence = f"{start}, {_way(settings, noun, len({row['group'] for row in rows}))}."
    return {"fixed": fixed, "scored": scored, "sentence": sentence, "warning": warning}


def _way(settings: Mapping[str, Any], noun: str, groups: int) -> str:
    if settings["table"] is not None:
        return "divided by a table of the study"
    official = settings["fixed"] is not None and settings["fixed"]["test"] == "official"
    test = "the test set is the one the dataset comes with, the others divided " if official else "divided "
    if settings["by_group"]:
        return f"{test}at random by {noun}: the cases of each of the {groups} {noun}s stay together"
    if settings.get("similar_images") == "together":
        return f"{test}at random, cases with equal or nearly equal images together"
    return f"{test}at random, case by case"


def _straddling(rows: list[dict[str, str]], noun: str) -> str:
    """Return a warning if cases of one group are both trained on and scored, else ""."""
    places: dict[str, set[str]] = {}
    for row in rows:
        if row["group"]:
            places.setdefault(row["group"], set()).add(row["part"] or row["fold"])
    over = sum(len(found) > 1 for found in places.values())
    if not over:
        return ""
    return (
        f"{over} of {len(places)} {noun}s have cases on both sides of the division, so that a network is scored on cases similar "
        f"to those it was trained on; the scores are too optimistic for new {noun}s. Divide by {noun} to avoid this "
        "(cross_validation.by_group)."
    )


def _similar(rows: list[dict[str, str]], similar: Sequence[Sequence[str]]) -> str:
    """Return a warning if cases with equal or nearly equal images are on both sides of the division, else ""."""
    place = {row["case"]: row["part"] or row["fold"] for row in rows}
    over = [cases for cases in similar if len({place[case] for case in cases if case in place}) > 1]
    if not over:
        return ""
    shown = "; ".join(listed(list(cases[:4])) + (" and others" if len(cases) > 4 else "") for cases in over[:3])
    more = f"; and {count(len(over) - 3, 'more group')}" if len(over) > 3 else ""
    return (
        f"{count(sum(map(len, over)), 'case')} with equal or nearly equal images are on both sides of the division "
        f"({shown}{more}), so that a network is scored on images like those it was trained on; the scores are too optimistic. "
        "Keep them together to avoid this (cross_validation.similar_images)."
    )
