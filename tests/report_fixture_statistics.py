"""The statistics of a table of scores, computed with NumPy and SciPy only, except for the sensitivity analysis.

This keeps the tests of figures and report independent of the statistics. For more than twelve losses a fast approximation
replaces the tests.
"""

import math
from collections.abc import Mapping, Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from tests.report_fixture_scores import METRICS, write
from workflow_lib.base.seeds import generator


def mark(p: float) -> str:
    return "‡" if p < 0.001 else "**" if p < 0.01 else "*" if p < 0.05 else ""


def write_statistics(
    folder: Path, name: str, classes: Sequence[str], losses: Mapping[str, str], scores: pd.DataFrame
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Write the tables of statistics/<dataset>; return the rows of the means and of the rank-sum tests."""
    target = folder / f"statistics/{name}"
    present = [loss for loss in losses if (scores["loss"] == loss).any()]
    means: list[dict[str, Any]] = []
    fold_means: list[dict[str, Any]] = []
    for loss in present:
        for label in classes:
            rows = scores[(scores["loss"] == loss) & (scores["class"] == label)]
            for metric in METRICS:
                by_fold = rows.groupby("fold")[metric].mean()
                k, sd = len(by_fold), float(by_fold.std())
                half = float(stats.t.ppf(0.975, k - 1) * sd / np.sqrt(k)) if k > 1 else float("nan")
                fold_means += [
                    {"loss": loss, "class": label, "metric": metric, "fold": f, "mean": float(v), "cases": len(rows) // k}
                    for f, v in by_fold.items()
                ]
                values = rows[metric].to_numpy(float)
                middle, spread = float(values.mean()), 1.96 * float(values.std(ddof=1)) / np.sqrt(len(values))
                row = {"loss": loss, "class": label, "metric": metric, "mean": float(by_fold.mean()), "ci95": half, "sd": sd}
                row |= {"folds": k, "cases": len(rows), "excluded": 0, "empty_predictions": 0, "case_mean": middle}
                means.append({**row, "case_mean_low": middle - spread, "case_mean_high": middle + spread})
    columns = "loss,class,metric,mean,ci95,sd,folds,cases,excluded,empty_predictions,case_mean,case_mean_low,case_mean_high"
    write(target / "means.csv", columns.split(","), means)
    write(target / "fold_means.csv", ["loss", "class", "metric", "fold", "mean", "cases"], fold_means)
    ranksum = [row for label in classes for row in _pairs(scores, label, present)]
    write(target / "ranksum.csv", ["class", "row", "column", "statistic", "p", "p_holm", "mark", "n_row", "n_column"], ranksum)
    signed = [row for label in classes for row in _paired(scores, label, present)]
    columns = (
        "class,row,column,n,statistic,p,p_holm,mark,median_difference,hodges_lehmann,hodges_lehmann_low,"
        "hodges_lehmann_high,rank_biserial,cliffs_delta,a12,wins,ties,losses"
    )
    write(target / "signed_rank.csv", columns.split(","), signed)
    _write_sensitivity(target, scores, present, classes, ranksum)
    friedman = [
        {"class": c, "n": 20, "k": len(present), "chi2": 14.2, "p": 0.027, "f": 2.6, "p_f": 0.021, "kendalls_w": 0.12}
        for c in classes
    ]
    write(target / "friedman.csv", ["class", "n", "k", "chi2", "p", "f", "p_f", "kendalls_w"], friedman)
    ranks = [row for label in classes for row in _ranking(scores, label, present)]
    shares = [f"share_rank_{i + 1}" for i in range(len(present))]
    write(target / "ranking.csv", ["class", "loss", "rank", "mean_rank", *shares], ranks)
    return means, ranksum


def _write_sensitivity(
    target: Path, scores: pd.DataFrame, losses: Sequence[str], classes: Sequence[str], ranksum: Sequence[Mapping[str, Any]]
) -> None:
    """Write the two tables of the panel like the step. With many losses, all variants have the same tests to save time."""
    from workflow_lib.base.frames import write_frame
    from workflow_lib.statistics.ranksum import ranksum_tests
    from workflow_lib.statistics.sensitivity import COLUMNS, VARIANTS, sensitivity_tests
    from workflow_lib.statistics.sensitivity_means import sensitivity_means
    from workflow_lib.statistics.signed_rank import signed_rank_tests

    write_frame(target / "sensitivity_means.csv", sensitivity_means(scores, losses, classes))
    if len(ranksum) > 500:
        signs = [("+" if test["statistic"] > 0 else "-") for test in ranksum]
        rows = [{**test, "variant": v, "sign": s} for v in VARIANTS for test, s in zip(ranksum, signs, strict=True)]
        write(target / "sensitivity.csv", list(COLUMNS), [{column: row[column] for column in COLUMNS} for row in rows])
        return
    tests = ranksum_tests(scores, losses, classes), signed_rank_tests(scores, losses, classes, 0.95)
    write_frame(target / "sensitivity.csv", sensitivity_tests(scores, *tests, losses, classes))


def _values(scores: pd.DataFrame, label: str, loss: str) -> pd.Series:
    rows = scores[(scores["class"] == label) & (scores["loss"] == loss)]
    values: pd.Series = rows.set_index("case")["dsc"].sort_index()
    return values


def _holm(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    highest = 0.0
    for i, row in enumerate(sorted(rows, key=lambda r: float(r["p"]))):
        highest = max(highest, min(1.0, float(row["p"]) * (len(rows) - i)))
        row["p_holm"], row["mark"] = highest, mark(highest)
    return rows


def _pairs(scores: pd.DataFrame, label: str, losses: Sequence[str]) -> list[dict[str, Any]]:
    rows = []
    values = {loss: _values(scores, label, loss) for loss in losses}
    for column, row in combinations(losses, 2):
        a, b = values[row], values[column]
        test = _z_test(a - b) if len(losses) > 12 else tuple(map(float, stats.ranksums(a, b)))
        pair = {"class": label, "row": row, "column": column, "statistic": test[0], "p": test[1]}
        rows.append({**pair, "n_row": len(a), "n_column": len(b)})
    return _holm(rows)


def _z_test(d: pd.Series) -> tuple[float, float]:
    """Return z and p of a z-test on differences, which replaces slower tests if there are many pairs."""
    z = float(d.mean() / d.std() * len(d) ** 0.5)
    return z, math.erfc(abs(z) / 2**0.5)


def _paired(scores: pd.DataFrame, label: str, losses: Sequence[str]) -> list[dict[str, Any]]:
    rows = []
    values = {loss: _values(scores, label, loss) for loss in losses}
    for column, row in combinations(losses, 2):
        d = (values[row] - values[column]).dropna()
        test = _z_test(d) if len(losses) > 12 else tuple(map(float, stats.wilcoxon(d)))
        middle = float(d.median())
        pair = {"class": label, "row": row, "column": column, "n": len(d), "statistic": test[0]}
        pair |= {"p": test[1], "median_difference": middle, "hodges_lehmann": middle, "rank_biserial": math.copysign(0.3, middle)}
        pair |= {"hodges_lehmann_low": middle - 0.01, "hodges_lehmann_high": middle + 0.01, "cliffs_delta": 0.1, "a12": 0.55}
        rows.append({**pair, "wins": int((d > 0).sum()), "ties": int((d == 0).sum()), "losses": int((d < 0).sum())})
    return _holm(rows)


def _ranking(scores: pd.DataFrame, label: str, losses: Sequence[str]) -> list[dict[str, Any]]:
    table = np.array([_values(scores, label, loss).reindex(sorted(set(scores["case"]))).to_numpy() for loss in losses])
    draws = generator(1, "bootstrap", label).integers(0, table.shape[1], (200, table.shape[1]))
    ranks = np.array([stats.rankdata(-np.nanmean(table[:, d], axis=1), method="ordinal") for d in draws])
    order = stats.rankdata(-np.nanmean(table, axis=1), method="ordinal")
    return [
        {"class": label, "loss": loss, "rank": int(order[i]), "mean_rank": float(ranks[:, i].mean())}
        | {f"share_rank_{r + 1}": float((ranks[:, i] == r + 1).mean()) for r in range(len(losses))}
        for i, loss in enumerate(losses)
    ]
