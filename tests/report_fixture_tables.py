"""The tables of the page, and the comparison with the published numbers with synthetic verdicts of every kind."""

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.report_fixture_scores import METRICS, write
from workflow_lib.tables.published import load


def write_tables(
    folder: Path,
    name: str,
    classes: Sequence[str],
    losses: Mapping[str, str],
    means: Sequence[Mapping[str, Any]],
    ranksum: Sequence[Mapping[str, Any]],
) -> None:
    cells = {(m["loss"], f"{m['metric']}_{m['class']}"): m for m in means}
    names = [f"{metric}_{label}" for label in classes for metric in METRICS]
    rows = []
    for loss, label in losses.items():
        row: dict[str, object] = {"loss": loss, "label": label}
        best = []
        for column in names:
            top = max(round(cells[other, column]["mean"], 3) for other in losses)
            row[column], row[column + "_ci95"] = cells[loss, column]["mean"], cells[loss, column]["ci95"]
            if round(cells[loss, column]["mean"], 3) == top:
                best.append(column)
        rows.append({**row, "best": ";".join(best)})
    write(folder / f"{name}_scores.csv", ["loss", "label", *(c + s for c in names for s in ("", "_ci95")), "best"], rows)
    signs = [{"sign": "+" if r["statistic"] > 0 else "-" if r["statistic"] < 0 else "0", **r} for r in ranksum]
    columns = ["class", "row", "column", "p_holm", "mark", "sign"]
    write(folder / f"{name}_pvalues.csv", columns, [{c: r[c] for c in columns} for r in signs])


def write_comparison(folder: Path, name: str, classes: Sequence[str], published: Mapping[str, tuple[float, float]]) -> None:
    """Compare the scores table with the paper's value, or one per column, and write synthetic but varied verdicts."""
    paper = load(name)
    printed = paper.scores if paper is not None else {}
    with (folder / f"tables/{name}_scores.csv").open(encoding="utf-8", newline="") as stream:
        scores = list(csv.DictReader(stream))
    verdicts = ("consistent", "inconsistent", "inconclusive", "not comparable", "no scores")
    rows = []
    for number, line in enumerate(scores):
        for label in classes:
            for metric in METRICS:
                value, half = published.get(f"{metric}_{label}", (0.7, 0.05))
                if (line["loss"], label, metric) in printed:
                    cell = printed[line["loss"], label, metric]
                    value, half = cell.mean, cell.half
                ours, ours_ci = float(line[f"{metric}_{label}"]), float(line[f"{metric}_{label}_ci95"] or "nan")
                row = {"loss": line["loss"], "class": label, "metric": metric, "published": value, "published_ci95": half}
                row |= {"ours": ours, "ours_ci95": ours_ci, "difference": ours - value, "verdict": verdicts[number % 5]}
                rows.append({**row, "reason": "outside the 95 % prediction interval [0.61, 0.79]"})
    columns = ["loss", "class", "metric", "published", "published_ci95", "ours", "ours_ci95", "difference", "verdict", "reason"]
    write(folder / f"tables/{name}_comparison.csv", columns, rows)
    with (folder / f"tables/{name}_pvalues.csv").open(encoding="utf-8", newline="") as stream:
        pairs = list(csv.DictReader(stream))
    columns = ["class", "row", "column", "published_p", "ours_p", "published_mark", "ours_mark"]
    columns += ["published_sign", "ours_sign", "agree"]
    lines = [
        {"class": p["class"], "row": p["row"], "column": p["column"], "published_p": 0.00083, "ours_p": float(p["p_holm"])}
        | {"published_mark": "‡", "ours_mark": p["mark"], "agree": "yes" if p["mark"] == "‡" else "no"}
        | {"published_sign": _published_sign(printed, p) or p["sign"], "ours_sign": p["sign"]}
        for p in pairs
    ]
    write(folder / f"tables/{name}_comparison_p.csv", columns, lines)
    write_claims(folder, name)


def _published_sign(printed: Mapping[tuple[str, str, str], Any], pair: Mapping[str, str]) -> str:
    row, column = (printed.get((pair[side], pair["class"], "dsc")) for side in ("row", "column"))
    return "" if row is None or column is None else "+" if row.mean > column.mean else "-"


def write_claims(folder: Path, name: str) -> None:
    """Write the checks of the paper's claims and the agreement of the rankings, from the published numbers and ours."""
    from workflow_lib.base.frames import read_frame, write_frame
    from workflow_lib.tables.agreement import rank_agreement
    from workflow_lib.tables.claims import check_claims

    comparison, tests = (read_frame(folder / f"tables/{name}_{stem}.csv") for stem in ("comparison", "comparison_p"))
    published = load(name)
    if published is not None and set(comparison["class"]) == set(published.classes):
        write_frame(folder / f"tables/{name}_claims.csv", check_claims(published, comparison, tests))
    write_frame(folder / f"tables/{name}_agreement.csv", rank_agreement(comparison, tests))
