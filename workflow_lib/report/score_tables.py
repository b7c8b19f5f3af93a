"""Tables 1 to 4 of the page, in the form of the paper, with the published value and the difference in each cell."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from workflow_lib.report.data import number
from workflow_lib.report.sources import Sources
from workflow_lib.report.study import Dataset
from workflow_lib.report.text import full
from workflow_lib.tables import display
from workflow_lib.tables.protocol import match_losses
from workflow_lib.tables.published import Published, load

METRICS = display.METRIC_NAMES

VERDICTS = {
    "consistent": ("✓", "consistent", "our mean is inside the 95 % prediction interval of the published one"),
    "inconsistent": ("✗", "inconsistent", "our mean is outside the 95 % prediction interval of the published one"),
    "inconclusive": ("?", "inconclusive", "our interval is more than twice as wide as the published one"),
    "not comparable": ("○", "not comparable", "the run departs from the published protocol"),
    "no scores": ("–", "no scores", "published, but the scores of this run are not complete"),
}
"""Symbol, name and meaning of each verdict, in the order of the summary."""


def foreground(dataset: Dataset) -> list[str]:
    """Return the dataset's class names without the background, which comes first."""
    return [str(name) for name in dataset.classes[1:]]


def published_of(dataset: Dataset) -> Published | None:
    """Return the published numbers that the dataset is compared with, or None."""
    return load(dataset.published)


def our_names(dataset: Dataset) -> dict[str, str]:
    """Return published loss -> name of the loss in this study, for the losses that both have."""
    published = published_of(dataset)
    return match_losses(published, [loss.plain for loss in dataset.losses]) if published else {}


def score_table(sources: Sources, dataset: Dataset, gaps: Mapping[str, str]) -> dict[str, Any]:
    """Return the table of scores: rows in the order of the study's losses, a column group per class.

    `gaps` maps losses to their missing scores in words ("2 of 5 folds missing", "not trained").
    """
    name = dataset.name
    path = f"tables/{name}_scores.csv"
    rows = {row["loss"]: row for row in sources.rows(path) or []}
    ours = our_names(dataset)
    compared = {
        (ours[row["loss"]], row["class"], row["metric"]): row
        for row in sources.rows(f"tables/{name}_comparison.csv") or []
        if row["loss"] in ours
    }
    lines = []
    for loss in dataset.losses:
        row = rows.get(loss.name, {})
        best = set(row.get("best", "").split(";"))
        cells = [
            _score_cell(row, f"{metric}_{label}", best, compared.get((loss.name, label, metric)))
            for label in foreground(dataset)
            for metric in METRICS
        ]
        lines.append({"name": loss.name, "label": loss.label, "gap": gaps.get(loss.name), "cells": cells})
    return {
        "classes": foreground(dataset),
        "metrics": list(METRICS.values()),
        "rows": lines,
        "missing": not rows,
        "published": bool(compared),
        "csv": sources.csv_link(path),
        "csv_name": f"{name}_scores.csv",
        "latex": sources.latex_link(f"tables/{name}_scores.tex"),
        "latex_name": f"{name}_scores.tex",
        "source": sources.source(path),
    }


def _score_cell(row: Mapping[str, str], column: str, best: set[str], compared: Mapping[str, str] | None) -> dict[str, Any]:
    mean, half = number(row.get(column)), number(row.get(column + "_ci95"))
    cell: dict[str, Any] = {"text": None, "sort": full(mean), "best": column in best, "title": ""}
    if math.isfinite(mean):
        cell["text"] = display.mean_ci(mean, half)
        cell["title"] = f"{full(mean)} ± {full(half) or 'undefined'}"
    if compared is not None:
        published = number(compared["published"])
        cell["published"] = display.mean_ci(published, number(compared["published_ci95"])) if math.isfinite(published) else None
        cell["difference"] = display.difference(number(compared["difference"]))
        cell["verdict"] = verdict(compared["verdict"])
        cell["reason"] = compared["reason"]
    return cell


def verdict(name: str) -> dict[str, str]:
    """Return symbol, name, meaning and CSS class of a verdict. An unknown verdict is shown by its name."""
    symbol, text, meaning = VERDICTS.get(name, ("·", name, ""))
    return {"symbol": symbol, "name": text, "meaning": meaning, "css": "v-" + name.replace(" ", "-") if name in VERDICTS else ""}


def verdict_counts(sources: Sources, datasets: Sequence[Dataset]) -> list[dict[str, Any]]:
    """Return the number of published cells with each verdict, over all datasets; empty if nothing is compared."""
    found = [row["verdict"] for dataset in datasets for row in sources.rows(f"tables/{dataset.name}_comparison.csv") or []]
    return [{**verdict(name), "count": found.count(name)} for name in VERDICTS] if found else []


def p_table(sources: Sources, dataset: Dataset) -> dict[str, Any]:
    """Return the table of adjusted p-values: lower triangle, with one line per loss and class, in the order of the classes."""
    name = dataset.name
    path = f"tables/{name}_pvalues.csv"
    rows = sources.rows(path)
    pairs = {(row["class"], row["row"], row["column"]): row for row in rows or []}
    ours = our_names(dataset)
    compared = {
        (row["class"], frozenset((ours[row["row"]], ours[row["column"]]))): row
        for row in sources.rows(f"tables/{name}_comparison_p.csv") or []
        if row["row"] in ours and row["column"] in ours
    }
    losses = dataset.losses
    groups = []
    for below, row_loss in enumerate(losses):
        lines = []
        for label in foreground(dataset):
            keys = [(label, row_loss.name, column.name) for column in losses[:below]]
            cells = [_p_cell(pairs.get(key), compared.get((key[0], frozenset(key[1:])))) for key in keys]
            lines.append({"class": label, "cells": cells, "empty": len(losses) - below - 1})
        groups.append({"name": row_loss.name, "label": row_loss.label, "lines": lines})
    return {
        "columns": [loss.label for loss in losses],
        "names": [loss.name for loss in losses],
        "groups": groups,
        "missing": rows is None,
        "several": len(foreground(dataset)) > 1,
        "published": bool(compared),
        "csv": sources.csv_link(path),
        "csv_name": f"{name}_pvalues.csv",
        "latex": sources.latex_link(f"tables/{name}_pvalues.tex"),
        "latex_name": f"{name}_pvalues.tex",
        "source": sources.source(path),
    }


def _p_cell(row: Mapping[str, str] | None, compared: Mapping[str, str] | None) -> dict[str, Any]:
    p = number(row["p_holm"]) if row else math.nan
    cell: dict[str, Any] = {"text": None, "title": "no test: scores are missing"}
    if row and math.isfinite(p):
        sign = row["sign"]
        words = {"+": "row higher", "-": "row lower"}.get(sign, "equal")
        cell["text"], cell["mark"], cell["title"] = display.p_value(p), row["mark"], f"p = {full(p)}, {words}"
        cell |= {"+": {"arrow": "▲", "css": "higher"}, "-": {"arrow": "▼", "css": "lower"}}.get(sign, {"arrow": "=", "css": ""})
        cell["words"] = words
    if compared:
        published = number(compared["published_p"])
        if math.isfinite(published):
            cell["published"] = display.p_value(published)
            cell["published_mark"] = compared["published_mark"]
            cell |= _against_published(compared, cell.get("mark"))
    return cell


def _against_published(compared: Mapping[str, str], shown: str | None) -> dict[str, str]:
    """Return why our test disagrees with the published one, and our p over the published pairs if its significance differs.

    The value in a cell is adjusted over all pairs of the study (`shown` is its mark), and unpublished losses increase it. The
    comparison uses the published pairs only, as in the publication.
    """
    ours, both = compared["ours_mark"], bool(compared["ours_mark"] and compared["published_mark"])
    reason = "both are significant, in opposite directions" if both else "one is significant and the other is not"
    found = {"disagrees": reason} if compared["agree"] == "no" else {}
    if shown is not None and bool(shown) != bool(ours):
        found |= {"of_published": display.p_value(number(compared["ours_p"])), "of_published_mark": ours}
    return found


def comparison_rows(sources: Sources, dataset: Dataset) -> list[dict[str, Any]]:
    """Return the lines of the comparison with the published numbers: published value, ours, difference, verdict and reason."""
    published_as = published_of(dataset)
    labels = dict(published_as.labels) if published_as else {}
    ours_of = our_names(dataset)
    lines = []
    for row in sources.rows(f"tables/{dataset.name}_comparison.csv") or []:
        published, ours = number(row["published"]), number(row["ours"])
        difference = number(row["difference"])
        lines.append(
            {
                "name": ours_of.get(row["loss"], ""),
                "label": labels.get(row["loss"], row["loss"]),
                "class": row["class"],
                "metric": METRICS.get(row["metric"], row["metric"]),
                "published": {"text": display.mean_ci(published, number(row["published_ci95"])), "sort": full(published)},
                "ours": {
                    "text": display.mean_ci(ours, number(row["ours_ci95"])) if math.isfinite(ours) else "–",
                    "sort": full(ours),
                },
                "difference": {"text": display.difference(difference), "sort": full(difference)},
                "verdict": verdict(row["verdict"]),
                "reason": _short(row["reason"]),
            }
        )
    return lines


def _short(reason: str) -> str:
    """Return a reason that is short enough for a table.

    A long list of departures is on the first screen and in the CSV file.
    """
    points = reason.count("; ") + 1
    return reason if points < 4 else f"the protocol departs in {points} points, listed on the first screen"


def means_table(sources: Sources, dataset: Dataset) -> dict[str, Any] | None:
    """Return the means over cases with bootstrap bounds, and the counts of excluded cases and empty predictions (DSC)."""
    path = f"statistics/{dataset.name}/means.csv"
    rows = sources.rows(path)
    if rows is None:
        return None
    labels = {loss.name: loss.label for loss in dataset.losses}
    lines = []
    for row in rows:
        if row["metric"] != "dsc":
            continue
        mean, low, high = (number(row[c]) for c in ("case_mean", "case_mean_low", "case_mean_high"))
        lines.append(
            {
                "name": row["loss"],
                "label": labels.get(row["loss"], row["loss"]),
                "class": row["class"],
                "published": {
                    "text": display.mean_ci(number(row["mean"]), number(row["ci95"])),
                    "sort": full(number(row["mean"])),
                },
                "cases": {"text": f"{display.number(mean)} [{display.number(low)}, {display.number(high)}]", "sort": full(mean)},
                "n": row["cases"],
                "excluded": row["excluded"],
                "empty": row["empty_predictions"],
            }
        )
    return {
        "rows": lines,
        "csv": sources.csv_link(path),
        "csv_name": f"{dataset.name}_means.csv",
        "source": sources.source(path),
    }
