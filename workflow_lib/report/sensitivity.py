"""The sensitivity analysis: the result with each choice, and the pairs of losses whose test differs from that in the tables."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from workflow_lib.report.data import number
from workflow_lib.report.score_tables import foreground
from workflow_lib.report.sources import Sources
from workflow_lib.report.study import Dataset
from workflow_lib.report.text import full
from workflow_lib.statistics.holm import SIGNIFICANT, adjust
from workflow_lib.tables import display

CHOICES: dict[str, tuple[str, str]] = {
    "published": ("As in the tables", "pooled cases, rank-sum test, Holm per class, cases with both masks empty excluded"),
    "folds": ("Unit of the test", "the fold means instead of the cases"),
    "paired": ("Unit of the test", "differences per case (signed-rank); means over all cases"),
    "all_classes": ("Family of Holm's correction", "all classes of the dataset together"),
    "study": ("Family of Holm's correction", "all datasets and classes of the study together"),
    "uncorrected": ("Family of Holm's correction", "no correction"),
    "both_empty_one": ("Empty masks", "both masks empty counts as DSC 1"),
    "without_missed": ("Empty masks", "cases with an empty prediction excluded instead of DSC 0"),
}
"""Variant in statistics/<dataset>/sensitivity.csv, or `study` -> the question and the choice."""

NAMED = 3
"""Number of pairs that a cell names; the others are counted."""

Tests = Mapping[tuple[str, str], str]
"""(row, column) -> '+' or '-' if the test is significant, '0' if not, '' without a test."""


Family = Mapping[tuple[str, str, str, str], float]
"""(dataset, class, row, column) -> p-value adjusted over all of these."""


def study_family(sources: Sources, datasets: Sequence[Dataset]) -> Family:
    """Return the published tests of all datasets and classes, adjusted by Holm's method as one family.

    Regions are excluded, because they overlap the classes; so are losses that a dataset does not list. Empty for fewer than two
    datasets, because it then equals the family of all classes. It is computed here, because no earlier step reads the
    statistics of
    several datasets.
    """
    if len(datasets) < 2:
        return {}
    found: dict[tuple[str, str, str, str], float] = {}
    for dataset in datasets:
        losses, classes = {loss.name for loss in dataset.losses}, set(foreground(dataset))
        for row in sources.rows(f"statistics/{dataset.name}/ranksum.csv") or []:
            if row["class"] in classes and {row["row"], row["column"]} <= losses:
                found[dataset.name, row["class"], row["row"], row["column"]] = number(row["p"])
    return dict(zip(found, map(float, adjust(list(found.values()))), strict=True))


def panel(sources: Sources, dataset: Dataset, family: Family | None = None) -> dict[str, Any] | None:
    """Return the lines of the panel, one per choice and class, or None without the statistics. `family`: see `study_family`."""
    path = f"statistics/{dataset.name}/sensitivity.csv"
    rows = sources.rows(path)
    if not rows:
        return None
    labels = {loss.name: loss.label for loss in dataset.losses}
    tests: dict[tuple[str, str], dict[tuple[str, str], str]] = {}
    for row in rows:
        if {row["row"], row["column"]} <= set(labels):
            pair = row["row"], row["column"]
            tests.setdefault((row["variant"], row["class"]), {})[pair] = _outcome(row["sign"], number(row["p_holm"]))
            p = (family or {}).get((dataset.name, row["class"], *pair))
            if p is not None and row["variant"] == "published":
                tests.setdefault(("study", row["class"]), {})[pair] = _outcome(row["sign"], p)
    means: dict[tuple[str, str], dict[str, float]] = {}
    for row in sources.rows(f"statistics/{dataset.name}/sensitivity_means.csv") or []:
        if row["loss"] in labels:
            means.setdefault((row["variant"], row["class"]), {})[row["loss"]] = number(row["mean"])
    lines = []
    for variant, (question, choice) in CHOICES.items():
        for name in foreground(dataset):
            if (variant, name) in tests:
                own = means.get((variant, name), means.get(("published", name), {}))
                base = means.get(("published", name), {}), tests["published", name]
                lines.append(_line(question, choice, name, own, tests[variant, name], base, labels))
    for region, name in replaced(dataset).items():
        if ("published", region) in tests and ("published", name) in tests:
            own = means.get(("published", region), {})
            base = means.get(("published", name), {}), tests["published", name]
            choice = f"the region {region} instead of the class {name}"
            lines.append(_line("Labels of the class", choice, name, own, tests["published", region], base, labels))
    return {
        "rows": lines,
        "csv": sources.csv_link(path),
        "csv_name": f"{dataset.name}_sensitivity.csv",
        "source": sources.source(path),
    }


def replaced(dataset: Dataset) -> dict[str, str]:
    """Return region -> the class that it may replace, its first member: kidney as label > 0 for kidney as label 1."""
    classes = list(dataset.classes)
    return {str(region): str(classes[min(members)]) for region, members in dataset.regions.items() if members}


def _outcome(sign: str, p: float) -> str:
    return "" if math.isnan(p) else sign if p < SIGNIFICANT else "0"


def _line(
    question: str,
    choice: str,
    name: str,
    means: Mapping[str, float],
    tests: Tests,
    base: tuple[Mapping[str, float], Tests],
    labels: Mapping[str, str],
) -> dict[str, Any]:
    tested = [outcome for outcome in tests.values() if outcome]
    significant = sum(outcome != "0" for outcome in tested)
    # Rounded as in the tables, which mark all losses that share the highest mean.
    flags = display.best([means.get(loss, math.nan) for loss in labels])
    best = [label for label, is_best in zip(labels.values(), flags, strict=True) if is_best]
    tau = _tau(means, base[0])
    return {
        "question": question,
        "choice": choice,
        "class": name,
        "best": ", ".join(best[:NAMED]) + (f" and {len(best) - NAMED} more" if len(best) > NAMED else "") if best else "–",
        "mean": display.number(max(means.values())) if means else "",
        "tau": {"text": display.number(tau, 2), "sort": full(tau)},
        "significant": f"{significant} of {len(tested)}" if tested else "–",
        "changes": _changes(tests, base[1], labels),
    }


def _tau(means: Mapping[str, float], base: Mapping[str, float]) -> float:
    """Return Kendall's tau-b between two rankings, or NaN if it is undefined."""
    # Imported here, because it takes a second that --help does not need.
    from scipy import stats

    both = [loss for loss in base if loss in means]
    one, other = [round(means[loss], 12) for loss in both], [round(base[loss], 12) for loss in both]
    if len(set(one)) < 2 or len(set(other)) < 2:
        return math.nan
    return float(stats.kendalltau(one, other, variant="b").statistic)


def _changes(tests: Tests, base: Tests, labels: Mapping[str, str]) -> str:
    """Return the pairs that became significant, are no longer significant, or changed direction."""
    found: dict[str, list[str]] = {"now significant": [], "no longer significant": [], "reversed": []}
    for pair, outcome in tests.items():
        before = base.get(pair, "")
        if not outcome or not before or outcome == before:
            continue
        kind = "now significant" if before == "0" else "no longer significant" if outcome == "0" else "reversed"
        sign = before if outcome == "0" else outcome
        above, below = (pair[0], pair[1]) if sign == "+" else (pair[1], pair[0])
        found[kind].append(f"{labels[above]} above {labels[below]}")
    return "; ".join(f"{kind}: {_some(pairs)}" for kind, pairs in found.items() if pairs) or "none"


def _some(pairs: Sequence[str]) -> str:
    more = len(pairs) - NAMED
    return ", ".join(pairs[:NAMED]) + (f" and {more} more" if more > 0 else "")
