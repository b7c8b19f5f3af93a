"""The parts of the page below the tables: further statistics, data, cost, gaps."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from workflow_lib.report.cases import case_rows, class_warnings, imbalance_rows
from workflow_lib.report.data import number
from workflow_lib.report.score_tables import foreground
from workflow_lib.report.sources import Sources
from workflow_lib.report.study import Dataset
from workflow_lib.report.text import count, duration, full
from workflow_lib.tables import display

NO_GPU = ("cpu", "starting", "", "jax", "torch")
"""Values of an attempt's device that are not a GPU, or not known to be one. "starting": it ended before the device was
known."""

MOST_PAIRS = 500
"""Limit of lines in the table of pairs. For more, the page shows only the pairs with the best loss; the CSV contains all."""


def expected_folds(dataset: Dataset) -> int:
    """Return the configured number of folds, 1 for a fixed split."""
    return int(dataset.folds)


def gaps(sources: Sources, dataset: Dataset, made: Mapping[str, Mapping[int, Mapping[str, Any]]]) -> dict[str, str]:
    """Return the losses with missing scores, each with the missing folds and the reason, in the order of the study.

    `made`: see `trainings`.
    """
    folds = expected_folds(dataset)
    scored: dict[str, set[str]] = {}
    for row in sources.rows(f"scores/{dataset.name}.csv") or []:
        scored.setdefault(row["loss"], set()).add(row["fold"])
    missing = {}
    for loss in dataset.losses:
        absent = [fold for fold in range(1, folds + 1) if str(fold) not in scored.get(loss.name, set())]
        if not absent:
            continue
        runs = made.get(loss.name, {})
        diverged = [
            f"fold {fold} diverged in epoch {runs[fold]['diverged']['epoch']}" for fold in absent if is_diverged(runs, fold)
        ]
        lost = ", ".join(str(fold) for fold in absent if not is_diverged(runs, fold))
        without = "no scores" if len(absent) == folds else f"without fold {lost}" if lost else ""
        missing[loss.name] = ", ".join(filter(None, [without, *diverged]))
    return missing


def is_diverged(runs: Mapping[int, Mapping[str, Any]], fold: int) -> bool:
    """Return whether the training of a fold diverged."""
    return bool(runs.get(fold, {}).get("diverged"))


def all_diverged(made: Mapping[str, Mapping[int, Mapping[str, Any]]]) -> bool:
    """Return whether every loss has a diverged training, so that no comparison is possible."""
    return bool(made) and all(any(is_diverged(runs, fold) for fold in runs) for runs in made.values())


def surface_table(sources: Sources, dataset: Dataset) -> dict[str, Any] | None:
    """Return HD95 and NSD per loss and class, or None if they were not measured."""
    path = f"statistics/{dataset.name}/surface.csv"
    rows = sources.rows(path)
    if not rows:
        return None
    labels = {loss.name: loss.label for loss in dataset.losses}
    lines = []
    for row in rows:
        far, low, high = (number(row[f"hd95_{part}"]) for part in ("median", "low", "high"))
        nsd, nsd_low, nsd_high = (number(row[f"nsd_{part}"]) for part in ("mean", "low", "high"))
        # With one case per fold there is no interval; if only the bound of HD95 is missing, it is infinite.
        known = not math.isnan(nsd_low)
        # A loss without scores has no distance, not an infinite one.
        distance = _distance(far) if number(row["cases"]) else "–"
        lines.append(
            {
                "name": row["loss"],
                "label": labels.get(row["loss"], row["loss"]),
                "class": row["class"],
                "hd95": {"text": distance + f" [{_distance(low)}, {_distance(high)}]" * known, "sort": full(far)},
                "nsd": {
                    "text": display.number(nsd) + f" [{display.number(nsd_low)}, {display.number(nsd_high)}]" * known,
                    "sort": full(nsd),
                },
                "cases": row["cases"],
                "failures": row["failures"],
            }
        )
    return {
        "rows": lines,
        "csv": sources.csv_link(path),
        "csv_name": f"{dataset.name}_surface.csv",
        "source": sources.source(path),
    }


def _distance(value: float) -> str:
    return f"{value:.1f}" if math.isfinite(value) else "∞"


def friedman(sources: Sources, dataset: Dataset) -> list[str]:
    """Return a sentence per class on the joint test of all losses."""
    sentences = []
    for row in sources.rows(f"statistics/{dataset.name}/friedman.csv") or []:
        p, f, w = number(row["p_f"]), number(row["f"]), number(row["kendalls_w"])
        cases, losses = int(number(row["n"])), int(number(row["k"]))
        start = f"{row['class'][:1].upper()}{row['class'][1:]}, {count(cases, 'case')} and {count(losses, 'loss', 'losses')}: "
        if math.isfinite(p):
            verdict = "the losses differ" if p < 0.05 else "no difference between the losses is shown"
            kind = f"Iman–Davenport F = {f:.2f}, p" if math.isfinite(f) else "the same order in every case, exact p"
            # With the same order in very many cases p is below the smallest number that a float represents.
            value = f"= {display.p_value(p)}" if p else "< 10⁻³⁰⁰"
            sentences.append(f"{start}{verdict} (Friedman test, {kind} {value}; Kendall's W = {w:.2f}).")
        else:
            sentences.append(f"{start}the Friedman test is not defined.")
    return sentences


def pairs_table(sources: Sources, dataset: Dataset) -> dict[str, Any] | None:
    """Return the paired comparison of all pairs of losses with the published test, or None if the file does not exist."""
    name = dataset.name
    path = f"statistics/{name}/signed_rank.csv"
    rows = sources.rows(path)
    if rows is None:
        return None
    published = {(r["class"], r["row"], r["column"]): r for r in sources.rows(f"statistics/{name}/ranksum.csv") or []}
    labels = {loss.name: loss.label for loss in dataset.losses}
    total = len(rows)
    if total > MOST_PAIRS:
        # Only the first of tied losses, because the pairs of all tied losses would make the table too long again.
        best = {label: losses[0] for label, losses in best_losses(sources, dataset).items()}
        rows = [row for row in rows if best.get(row["class"]) in (row["row"], row["column"])]
    lines = []
    for row in rows:
        other = published.get((row["class"], row["row"], row["column"]))
        low, high = (number(row["hodges_lehmann_" + end]) for end in ("low", "high"))
        middle, p = number(row["hodges_lehmann"]), number(row["p_holm"])
        lines.append(
            {
                "names": [row["row"], row["column"]],
                "class": row["class"],
                "row": labels.get(row["row"], row["row"]),
                "column": labels.get(row["column"], row["column"]),
                "n": row["n"],
                "shift": {
                    "text": f"{display.difference(middle)} [{display.difference(low)}, {display.difference(high)}]",
                    "sort": full(middle),
                },
                "median": _cell(number(row["median_difference"])),
                "rank_biserial": _cell(number(row["rank_biserial"]), 2),
                "cliffs_delta": _cell(number(row["cliffs_delta"]), 2),
                "a12": {"text": display.number(number(row["a12"]), 2), "sort": full(number(row["a12"]))},
                "wins": f"{row['wins']} / {row['ties']} / {row['losses']}",
                "p": _p(p, row["mark"]),
                "published_p": _p(number(other["p_holm"]), other["mark"]) if other else _p(math.nan, ""),
            }
        )
    return {
        "rows": lines,
        "total": total,
        "cut": len(lines) < total,
        "csv": sources.csv_link(path),
        "csv_name": f"{name}_signed_rank.csv",
        "source": sources.source(path),
    }


def _cell(value: float, digits: int = 3) -> dict[str, str]:
    return {"text": display.difference(value, digits), "sort": full(value)}


def _p(p: float, mark: str) -> dict[str, str]:
    return {"text": display.p_value(p) if math.isfinite(p) else "–", "mark": mark, "sort": full(p)}


def best_losses(sources: Sources, dataset: Dataset) -> dict[str, list[str]]:
    """Return per class the losses with the highest mean DSC, rounded as in the tables, in the order of the study."""
    means: dict[str, dict[str, float]] = {}
    for row in sources.rows(f"statistics/{dataset.name}/means.csv") or []:
        if row["metric"] == "dsc":
            means.setdefault(row["class"], {})[row["loss"]] = number(row["mean"])
    known = [loss.name for loss in dataset.losses]
    found = {}
    for label, values in means.items():
        flags = display.best([values.get(loss, math.nan) for loss in known])
        if any(flags):
            found[label] = [loss for loss, is_best in zip(known, flags, strict=True) if is_best]
    return found


def data_part(sources: Sources, dataset: Dataset) -> dict[str, Any]:
    """Return the facts about a dataset's cases: counts, exclusions with reasons, geometry, class imbalance."""
    name = dataset.name
    path = f"data/{name}/cases.csv"
    table = sources.table(path)
    if table is None:
        return {"missing": True}
    status = Counter(table["status"])
    left_out = table[table["status"] != "included"]
    included = table[table["status"] == "included"]
    return {
        "missing": False,
        "included": status["included"],
        "digest": dataset.data,
        "left_out": [{"case": r["case"], "status": r["status"], "reason": r["reason"]} for _, r in left_out.iterrows()],
        "shapes": _common(included["shape"]),
        "spacings": _common(included["spacing"]),
        "warnings": class_warnings(table, dataset.classes),
        "shares": imbalance_rows(table, dataset.classes),
        "cases": case_rows(table, dataset.classes),
        "csv": sources.csv_link(path),
        "csv_name": f"{name}_cases.csv",
        "source": sources.source(path),
    }


def _common(values: Any) -> str:
    """Return the three most frequent values of a column with their counts."""
    counts = sorted(Counter(str(v) for v in values if v).items(), key=lambda item: (-item[1], item[0]))
    shown = [f"{value.replace('x', ' × ')} ({n})" for value, n in counts[:3]]
    more = len(counts) - len(shown)
    return ", ".join(shown) + (f" and {more} more" if more > 0 else "") if shown else "–"


def trainings(sources: Sources, dataset: Dataset) -> dict[str, dict[int, Mapping[str, Any]]]:
    """Return training.json of every existing training, by loss and fold."""
    found: dict[str, dict[int, Mapping[str, Any]]] = {}
    for loss in dataset.losses:
        found[loss.name] = {}
        for fold in range(1, expected_folds(dataset) + 1):
            content = sources.json(f"training/{dataset.name}/{loss.name}/fold_{fold}/training.json")
            if content is not None:
                found[loss.name][fold] = content
    return found


def cost_rows(dataset: Dataset, made: Mapping[str, Mapping[int, Mapping[str, Any]]], gpus: int = 1) -> list[dict[str, Any]]:
    """Return wall time, GPU hours, waiting time, attempts, memory and machines of the trainings, a line per loss.

    All attempts count. An attempt on GPUs used `gpus` of them.
    """
    lines = []
    for loss in dataset.losses:
        runs = list(made[loss.name].values())
        attempts = [attempt for run in runs for attempt in run.get("attempts", [])]
        seconds = [float(run["seconds"]) for run in runs]
        memory = [float(run["peak_memory_mib"]) for run in runs if run.get("peak_memory_mib") is not None]
        total = sum(seconds) if seconds else math.nan
        median = float(np.median(seconds)) if seconds else math.nan
        used = [attempt for attempt in attempts if str(attempt.get("device", "")).lower() not in NO_GPU]
        on_gpu = gpus * sum(float(attempt["seconds"]) for attempt in used) / 3600
        share = sum(float(run["waiting_seconds"]) for run in runs) / total if total > 0 else math.nan
        lines.append(
            {
                "name": loss.name,
                "label": loss.label,
                "trainings": len(runs),
                "total": {"text": duration(total), "sort": full(total)},
                "median": {"text": duration(median), "sort": full(median)},
                "waited": {"text": f"{share:.1%}" if math.isfinite(share) else "–", "sort": full(share)},
                "gpu": {"text": f"{on_gpu:.1f}", "sort": full(on_gpu)},
                "restarts": max(0, len(attempts) - len(runs)),
                "memory": f"{max(memory):.0f} MiB" if memory else "–",
                "devices": ", ".join(sorted({str(a.get("device", "")) for a in attempts})) or "–",
                "hosts": ", ".join(sorted({str(a.get("host", "")) for a in attempts})) or "–",
            }
        )
    return lines


def cost_total(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the sums over the losses: trainings, wall time, GPU hours, restarts."""
    seconds = [float(row["total"]["sort"]) for row in rows if row["total"]["sort"]]
    return {
        "trainings": sum(row["trainings"] for row in rows),
        "total": duration(sum(seconds)) if seconds else "–",
        "gpu": f"{sum(float(row['gpu']['sort']) for row in rows):.1f}",
        "restarts": sum(row["restarts"] for row in rows),
    }


def model_rows(dataset: Dataset, made: Mapping[str, Mapping[int, Mapping[str, Any]]]) -> list[dict[str, Any]]:
    """Return the results of the trainings, a line per loss and fold: epoch of the weights, its loss, cases, fingerprint."""
    return [
        {
            "dataset": dataset.label,
            "name": loss.name,
            "label": loss.label,
            "fold": fold,
            "best_epoch": run["best_epoch"] or "–",
            "epochs": run["epochs"],
            "best_loss": "diverged" if is_diverged(runs, fold) else f"{float(run['best_validation_loss']):.4g}",
            "cases": f"{len(run['training_cases'])} / {len(run['validation_cases'])}",
            "fingerprint": str(run["fingerprint"]),
        }
        for loss in dataset.losses
        for runs in [made[loss.name]]
        for fold, run in runs.items()
    ]


def class_words(dataset: Dataset) -> str:
    """Return the foreground classes for a caption."""
    names = foreground(dataset)
    return names[0] if len(names) == 1 else ", ".join(names[:-1]) + " and " + names[-1]
