"""A results folder as the steps leave it, from seeded synthetic scores: for the tests of the figures and the report.

The numbers are computed here with NumPy and SciPy alone, so that the tests do not lean on the rooms below the report.
"""

import csv
import math
import shutil
from collections.abc import Iterable, Mapping, Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from workflow_lib.cases import csv_text
from workflow_lib.files import write_json, write_text
from workflow_lib.seeds import generator
from workflow_lib.tables.published import load

PAPER_LOSSES = {
    "focal": "Focal loss",
    "dice": "Dice loss",
    "tversky": "Tversky loss",
    "cosine_tversky": "Cosine Tversky loss",
    "focal_tversky": "Focal Tversky loss",
    "combo": "Combo loss",
    "mixed_focal": "Mixed Focal loss",
}
METRICS = ("dsc", "precision", "recall")
HOSTILE = {"evil": "<script>alert('x')</script>", "long": "L" * 300, "rtl": "‮دالة الخسارة‬ $x^2$", "amp": "a & b \"c\" 'd'"}


def mark(p: float) -> str:
    return "‡" if p < 0.001 else "**" if p < 0.01 else "*" if p < 0.05 else ""


def write(path: Path, columns: Sequence[str], rows: Iterable[Mapping[str, object]]) -> None:
    write_text(path, csv_text(columns, rows))


def make_dataset(
    folder: Path,
    name: str,
    classes: Sequence[str],
    losses: Mapping[str, str],
    cases: int,
    folds: int,
    missing: Iterable[tuple[str, int]] = (),
    epochs: int = 30,
) -> pd.DataFrame:
    """Write every file of one dataset; `missing` are (loss, fold) that were never trained. Returns the scores."""
    missing = set(missing)
    ids = [f"case_{i:05d}" for i in range(cases)]
    fold_of = {case: i % folds + 1 for i, case in enumerate(ids)}
    sizes = _write_cases(folder, name, classes, ids)
    write(
        folder / f"data/{name}/folds.csv",
        ["case", "fold", "part", "group"],
        [
            {"case": c, "fold": f, "part": "" if folds > 1 else ("training", "validation", "test")[number % 3]}
            for number, (c, f) in enumerate(sorted(fold_of.items()))
        ],
    )
    rows = []
    foreground = list(classes)[1:]
    difficulty = {c: generator(1, name, c).normal(0, 1, cases) for c in foreground}
    for number, loss in enumerate(losses):
        for index, label in enumerate(foreground):
            noise = generator(1, name, label, loss).normal(0, 0.5, (2, cases))
            level = 2.8 - 1.7 * index + 0.08 * number
            for i, case in enumerate(ids):
                if (loss, fold_of[case]) in missing:
                    continue
                recall, precision = (float(1 / (1 + np.exp(-(level + 0.6 * difficulty[label][i] + n)))) for n in noise[:, i])
                rows.append(_score(name, loss, fold_of[case], case, label, sizes[label][i], recall, precision))
    rows.sort(key=lambda r: (r["loss"], r["fold"], r["case"], r["class"]))
    columns = [
        "dataset",
        "loss",
        "fold",
        "case",
        "class",
        "kind",
        "tp",
        "fp",
        "fn",
        "dsc",
        "precision",
        "recall",
        "hd95",
        "nsd",
        "note",
    ]
    write(folder / f"scores/{name}.csv", columns, rows)
    scores = pd.DataFrame(rows)
    _write_statistics(folder, name, foreground, losses, scores, folds)
    for loss in losses:
        for fold in range(1, folds + 1):
            if (loss, fold) not in missing:
                _write_training(folder / f"training/{name}/{loss}/fold_{fold}", name, loss, losses[loss], fold, epochs)
    return scores


def _write_cases(folder: Path, name: str, classes: Sequence[str], ids: Sequence[str]) -> dict[str, list[int]]:
    total = 60 * 128 * 128
    share = {label: 0.02 / 6**i for i, label in enumerate(list(classes)[1:])}
    rng = generator(1, name, "sizes")
    sizes = {label: [int(total * s * np.exp(rng.normal(0, 0.6))) + 1 for _ in ids] for label, s in share.items()}
    columns = [
        "case",
        "status",
        "reason",
        "note",
        "group",
        "part",
        "shape",
        "channels",
        "spacing",
        "orientation",
        "labels",
        "image_dtype",
        "mask_dtype",
        "intensity_min",
        "intensity_max",
    ]
    columns += [f"voxels_{c}" for c in classes] + [f"share_{c}" for c in classes]
    rows: list[dict[str, object]] = []
    for i, case in enumerate(ids):
        voxels = {label: sizes[label][i] for label in sizes}
        voxels = {classes[0]: total - sum(voxels.values()), **voxels}
        row = {"case": case, "status": "included", "reason": "", "shape": "60x128x128", "spacing": "3x0.78x0.78"}
        row |= {"orientation": "IPL", "image_dtype": "int16", "mask_dtype": "uint8", "intensity_min": "-1024.0"}
        rows.append({**row, "intensity_max": 1500.0, **_prefixed(voxels, total)})
    rows.append({"case": "case_90015", "status": "excluded", "reason": "left out in the paper", "shape": "60x128x128"})
    rows.append({"case": "../../x", "status": "excluded", "reason": "<b>no</b> tumour", "shape": ""})
    write(folder / f"data/{name}/cases.csv", columns, rows)
    return sizes


def _prefixed(voxels: Mapping[str, int], total: int) -> dict[str, object]:
    return {f"voxels_{c}": n for c, n in voxels.items()} | {f"share_{c}": n / total for c, n in voxels.items()}


def _score(name: str, loss: str, fold: int, case: str, label: str, size: int, recall: float, precision: float) -> dict[str, Any]:
    tp = max(1, round(recall * size))
    fn, fp = size - tp, round(tp * (1 / precision - 1))
    row = {"dataset": name, "loss": loss, "fold": fold, "case": case, "class": label, "kind": "class"}
    row |= {"tp": tp, "fp": fp, "fn": fn, "dsc": 2 * tp / (2 * tp + fp + fn), "precision": tp / (tp + fp)}
    overlap = 2 * tp / (2 * tp + fp + fn)
    return {**row, "recall": tp / (tp + fn), "hd95": 20 * (1 - overlap), "nsd": overlap**0.5, "note": ""}


def _write_statistics(
    folder: Path, name: str, classes: Sequence[str], losses: Mapping[str, str], scores: pd.DataFrame, folds: int
) -> None:
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
    _write_tables(folder / "tables", name, classes, {k: losses[k] for k in present}, means, ranksum)


def _write_sensitivity(
    target: Path, scores: pd.DataFrame, losses: Sequence[str], classes: Sequence[str], ranksum: Sequence[Mapping[str, Any]]
) -> None:
    """Write the panel's two tables as the step does; of very many tests, the same ones under every variant."""
    from workflow_lib.evaluation.frames import write_frame
    from workflow_lib.statistics.paired import signed_rank_tests
    from workflow_lib.statistics.ranksum import ranksum_tests
    from workflow_lib.statistics.sensitivity import COLUMNS, VARIANTS, sensitivity_means, sensitivity_tests

    write_frame(target / "sensitivity_means.csv", sensitivity_means(scores, losses, classes))
    if len(ranksum) > 500:
        signs = [("+" if test["statistic"] > 0 else "-") for test in ranksum]
        rows = [{**test, "variant": v, "sign": s} for v in VARIANTS for test, s in zip(ranksum, signs, strict=True)]
        write(target / "sensitivity.csv", COLUMNS, [{column: row[column] for column in COLUMNS} for row in rows])
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
    """Return z and p of a z-test on differences: of very many pairs, for it takes a fraction of the time."""
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
        pair |= {"p": test[1], "median_difference": middle, "hodges_lehmann": middle, "rank_biserial": 0.3}
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


def _write_tables(
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
    """Hold the scores table against the paper's value, or one per column, with made-up but varied verdicts."""
    paper = load(name)
    printed = paper.scores if paper is not None else {}
    with (folder / f"tables/{name}_scores.csv").open(encoding="utf-8", newline="") as stream:
        scores = list(csv.DictReader(stream))
    verdicts = ("consistent", "inconsistent", "inconclusive", "not comparable", "not run")
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
    columns = ["class", "row", "column", "published_p", "ours_p", "published_mark", "ours_mark", "agree"]
    lines = [
        {"class": p["class"], "row": p["row"], "column": p["column"], "published_p": 0.00083, "ours_p": float(p["p_holm"])}
        | {"published_mark": "‡", "ours_mark": p["mark"], "agree": "yes" if p["mark"] == "‡" else "no"}
        for p in pairs
    ]
    write(folder / f"tables/{name}_comparison_p.csv", columns, lines)
    write_claims(folder, name)


def write_claims(folder: Path, name: str) -> None:
    """Write the checks of the paper's claims, and how well the rankings agree, from the published numbers and the comparison."""
    from workflow_lib.evaluation.frames import read_frame, write_frame
    from workflow_lib.tables.claims import check_claims
    from workflow_lib.tables.comparison import rank_agreement

    comparison, tests = (read_frame(folder / f"tables/{name}_{stem}.csv") for stem in ("comparison", "comparison_p"))
    published = load(name)
    if published is not None and set(comparison["class"]) == set(published.classes):
        write_frame(folder / f"tables/{name}_claims.csv", check_claims(published, comparison, tests))
    write_frame(folder / f"tables/{name}_agreement.csv", rank_agreement(comparison, tests))


def _write_training(folder: Path, dataset: str, loss: str, label: str, fold: int, epochs: int) -> None:
    rng = generator(1, dataset, loss, fold, "history")
    steps = np.arange(1, epochs + 1)
    training = 0.15 + 1.2 * np.exp(-steps / 6) * (1 + 0.1 * rng.normal(size=epochs))
    validation = np.abs(training + 0.05 + 0.03 * rng.normal(size=epochs))
    best = validation <= np.minimum.accumulate(validation)
    rows = [
        {"epoch": int(e), "training_loss": float(t), "validation_loss": float(v), "learning_rate": 3e-4, "best": int(b)}
        for e, t, v, b in zip(steps, training, validation, best, strict=True)
    ]
    write(folder / "history.csv", ["epoch", "training_loss", "validation_loss", "learning_rate", "best"], rows)
    seconds = 4000.0 + float(rng.integers(0, 900))
    attempt = {"host": "node17.example", "device": "NVIDIA A100", "started": "2025-01-02T03:04:05+00:00", "seconds": seconds}
    content = {"dataset": dataset, "loss": loss, "fold": fold, "label": label, "parameters": 1_234_567, "epochs": epochs}
    content |= {"best_epoch": int(steps[np.argmin(validation)]), "best_validation_loss": float(validation.min())}
    content |= {
        "fingerprint": f"{abs(hash((3, fold))):064x}"[:64],
        "training_cases": [f"t{n}" for n in range(16)],
        "validation_cases": ["v1", "v2", "v3", "v4"],
    }
    content |= {"attempts": [{**attempt, "first_epoch": 1, "last_epoch": epochs}], "seconds": seconds}
    content |= {"waiting_seconds": 0.012 * seconds, "peak_memory_mib": 8123.5}
    write_json(folder / "training.json", {**content, "versions": {"python": "3.11.9", "tensorflow": "2.21.0", "keras": "3.15.0"}})


def draw_figures(
    folder: Path, name: str, label: str, classes: Sequence[str], losses: Mapping[str, str], every: Sequence[str]
) -> None:
    """Draw the dataset's figures from the files, as the step does."""
    from workflow_lib.evaluation.frames import read_frame
    from workflow_lib.figures import (
        distributions,
        gallery,
        imbalance,
        ranking,
        recall_precision,
        segmentations,
        share_effect,
        style,
        training_curves,
    )

    colours = {k: v for k, v in style.loss_colours(every).items() if k in losses}
    target = folder / "figures"
    scores = read_frame(folder / f"scores/{name}.csv")
    means = read_frame(folder / f"statistics/{name}/means.csv")
    foreground = list(classes)[1:]
    style.save(distributions.draw(scores, foreground, losses, colours), target / f"distributions_{name}")
    style.save(recall_precision.draw(means, foreground, losses, colours), target / f"recall_precision_{name}")
    cases, ranks = read_frame(folder / f"data/{name}/cases.csv"), read_frame(folder / f"statistics/{name}/ranking.csv")
    style.save(imbalance.draw(cases, classes), target / f"imbalance_{name}")
    style.save(ranking.draw(ranks, foreground, losses), target / f"ranking_{name}")
    histories: dict[str, dict[int, pd.DataFrame]] = {}
    for loss in losses:
        for path in sorted((folder / f"training/{name}/{loss}").glob("fold_*/history.csv")):
            history = read_frame(path)
            histories.setdefault(loss, {})[int(path.parent.name.split("_")[1])] = history
    style.save(training_curves.draw(histories, losses, colours), target / f"training_curves_{name}")
    image, truth = phantom(len(classes))
    predictions: dict[str, np.ndarray | None] = {text: np.roll(truth, i % 5, axis=2) for i, text in enumerate(losses.values())}
    view = segmentations.cut(image, truth, predictions, "IPL", (3.0, 0.78, 0.78), len(classes) - 1)
    style.save(
        segmentations.draw(view, len(classes), len(classes) - 1, segmentations.CT_WINDOW), target / f"segmentations_{name}"
    )
    text = segmentations.caption(view, classes, len(classes) - 1, label, "case_00003")
    write_json(target / f"segmentations_{name}.json", {"caption": text})
    rarest = len(classes) - 1
    for case, rank in enumerate(gallery.RANKS):
        values = dict(zip(losses.values(), 0.4 + 0.02 * np.arange(len(losses)) + 0.2 * case, strict=True))
        figure = gallery.draw(view, len(classes), rarest, values, segmentations.CT_WINDOW)
        style.save(figure, target / f"gallery_{rank}_{name}")
        write_json(target / f"gallery_{rank}_{name}.json", {"caption": gallery.caption(view, classes, rarest, "case_3", rank)})
    style.save(share_effect.draw(scores, cases, classes[rarest], losses, colours), target / f"share_effect_{name}")


def phantom(n_classes: int) -> tuple[np.ndarray, np.ndarray]:
    """Return a small CT-like volume (slice axis first) with nested ellipsoids as classes 1, 2, ..."""
    z, y, x = np.ogrid[:20, :128, :128]
    truth = np.zeros((20, 128, 128), np.uint8)
    for index in range(1, n_classes):
        radius = 14.0 / index
        centre = (y - 78) ** 2 + (x - 92 + 6 * index) ** 2 + (3 * (z - 9 - index)) ** 2
        truth[centre < radius**2] = index
    body = ((y - 64) / 50) ** 2 + ((x - 64) / 60) ** 2 < 1
    image = np.where(body, 20.0 + 0 * z, -1000.0) + 60.0 * truth + generator(1, "noise").normal(0, 12, truth.shape)
    return image, truth


def make_study(
    folder: Path,
    datasets: Mapping[str, Sequence[str]] | None = None,
    losses: Mapping[str, str] | None = None,
    cases: int = 20,
    folds: int = 5,
    missing: Iterable[tuple[str, int]] = (),
    published: bool = True,
    synthetic: bool = True,
    figures: bool = False,
) -> dict[str, Any]:
    """Write results of a study into `folder` and return the plain dict that `report.assemble.build` takes.

    `datasets` maps names to class names, background first. The first dataset has all losses, the others the last three.
    """
    datasets = datasets or {"kits19": ["background", "kidney", "tumour"], "brats20": ["background", "tumour"]}
    losses = dict(losses or PAPER_LOSSES)
    described = []
    settings: dict[str, Any] = {}
    for number, (name, classes) in enumerate(datasets.items()):
        chosen = losses if number == 0 else dict(list(losses.items())[-3:])
        make_dataset(folder, name, classes, chosen, cases, folds, missing if number == 0 else ())
        if published:
            write_comparison(folder, name, list(classes)[1:], {})
        if figures:
            draw_figures(folder, name, name.upper(), classes, chosen, list(losses))
        settings[name] = dataset_settings(name, list(chosen), folds, cases if synthetic else None, published)
        described.append(
            {
                "name": name,
                "label": name.upper(),
                "protocol": settings[name],
                "synthetic": synthetic,
                "format": name,
                "classes": list(classes),
                "n_classes": len(classes),
                "losses": [{"name": n, "label": t, "loss": n, "parameters": parameters(name, n)} for n, t in chosen.items()],
                "published": name if published else None,
                "folds": folds,
            }
        )
    study = {
        "name": "fixture",
        "title": "Mixed Focal loss, rebuilt",
        "datasets": list(datasets),
        "seed": 42,
        "results": "results",
    }
    catalogue = {n: {"loss": n, "label": t, "parameters": {}} for n, t in losses.items()}
    config = {"study": study, "losses": catalogue, "datasets": settings}
    return {
        "title": study["title"],
        "name": study["name"],
        "config": config,
        "datasets": described,
        "version": "0.1.0",
        "commit": "0123456789abcdef0123456789abcdef01234567",
    }


def clone_dataset(folder: Path, study: dict[str, Any], copies: int) -> None:
    """Give the study's one dataset `copies` more of its like, under other names."""
    (first,) = study["datasets"]
    name = first["name"]
    for number in range(copies):
        other = f"{name}copy{number}"
        for path in sorted(folder.rglob("*")):
            if path.is_file() and name in str(path.relative_to(folder)):
                target = folder / str(path.relative_to(folder)).replace(name, other)
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(path, target)
        study["datasets"].append({**first, "name": other, "label": f"{first['label']} {number}"})
        study["config"]["datasets"][other] = study["config"]["datasets"][name]


def parameters(dataset: str, loss: str) -> dict[str, Any]:
    """Return the loss's parameters as published, as the study's settings hold them."""
    published = load(dataset)
    return dict(published.parameters.get(loss, {})) if published else {}


def dataset_settings(name: str, losses: Sequence[str], folds: int, phantoms: int | None, published: bool) -> dict[str, Any]:
    """Return a dataset's section of the configuration, short trainings on purpose."""
    from workflow_lib.config import Dataset

    raw: dict[str, Any] = {
        "label": name.upper(),
        "format": name,
        "source": "phantom" if phantoms else "folder",
        "root": "data/" + name,
        "losses": list(losses),
        "published": name if published else None,
        "cross_validation": {"folds": folds} if folds > 1 else {"fixed": {"test": 0.25, "validation": 0.25}},
        "training": {"patch": [32, 64, 64], "epochs": 30, "iterations": 20, "gpus": 0},
        "prediction": {"overlap": [16, 32, 32]},
        "network": {"filters": 8, "depth": 3},
    }
    if phantoms:
        raw["phantom"] = {"kind": "ct", "cases": phantoms, "shape": [60, 128, 128]}
    return Dataset.model_validate(raw).model_dump(mode="json")


def copy_without(source: Path, target: Path, *relative: str) -> Path:
    """Copy a results folder, leaving out the named files."""
    shutil.copytree(source, target)
    for name in relative:
        (target / name).unlink()
    return target
