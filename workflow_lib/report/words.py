"""The first screen in words, computed from the data: what was compared on which data, and the result."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from workflow_lib.report.data import number
from workflow_lib.report.details import best_losses, expected_folds
from workflow_lib.report.division import describe
from workflow_lib.report.score_tables import foreground, published_of
from workflow_lib.report.sources import Sources
from workflow_lib.report.study import Dataset, Study
from workflow_lib.report.text import count, listed
from workflow_lib.tables import display

NUMBERS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")


MOST_NAMED, NAMED = 8, 3
"""If up to `MOST_NAMED` losses share the highest mean, all are named, else the first `NAMED`.

If at most `NAMED` do, the tests of each are described.
"""


def sentence(sources: Sources, study: Study) -> str:
    """Return in words how many losses were compared, with which network, on how many cases and folds of which data."""
    parts = []
    for dataset in study.datasets:
        settings = study.config["datasets"][dataset.name]
        cases = sources.rows(f"data/{dataset.name}/cases.csv")
        included = "cases unknown" if cases is None else count(sum(r["status"] == "included" for r in cases), "case")
        division = describe(sources, study, dataset)
        divided = count(expected_folds(dataset), "fold")
        if division["fixed"]:
            divided = (
                "one fixed split" if division["scored"] is None else f"{division['scored']} of them scored, in one fixed split"
            )
        facts = f"{included}, {divided}" + (", synthetic" if dataset.synthetic else "")
        # Hyphens that do not break: 3-D, U-Net.
        network = f"{len(settings['training']['patch'])}\u2011D U\u2011Net"
        parts.append((len(dataset.losses), network, f"{dataset.label} ({facts})"))
    (losses, network, data), rest = parts[0], parts[1:]
    functions = "function is" if losses == 1 else "functions are"
    text = f"{spelled(losses).capitalize()} loss {functions} used to train a {network} on {data}"
    for losses, other, data in rest:
        text += f", {spelled(losses)} a {other} on {data}" if other != network else f", {spelled(losses)} on {data}"
    several = any(len(dataset.losses) > 1 for dataset in study.datasets)
    return text + "." + " Only the loss differs: cases, initial weights, patches and augmentations are the same." * several


def spelled(number: int) -> str:
    """Return a number as a word up to twelve, else in digits."""
    return NUMBERS[number] if 0 <= number < len(NUMBERS) else str(number)


def findings(sources: Sources, dataset: Dataset, diverged: bool = False) -> list[dict[str, Any]]:
    """Return per class the best losses by mean DSC with their intervals, and the results of their tests.

    Each item is {"class", "best", "more", "text"}. `best` is a list of {"name", "loss", "score"}, with several items if they
    share
    the highest mean after rounding; `more` is the number of such losses that are not named. Without means the list is empty and
    the text says so, with the reason if every loss has `diverged` in some fold.
    """
    labels = {loss.name: loss.label for loss in dataset.losses}
    means = {
        (r["loss"], r["class"]): r for r in sources.rows(f"statistics/{dataset.name}/means.csv") or [] if r["metric"] == "dsc"
    }
    best = best_losses(sources, dataset)
    found = []
    for label in foreground(dataset):
        if label not in best:
            found.append(
                {
                    "class": label,
                    "best": [],
                    "more": 0,
                    "text": "every loss diverged in some fold, so there is nothing to compare." if diverged else "no scores yet.",
                }
            )
            continue
        named = best[label] if len(best[label]) <= MOST_NAMED else best[label][:NAMED]
        scores = {loss: (number(means[loss, label]["mean"]), number(means[loss, label]["ci95"])) for loss in named}
        found.append(
            {
                "class": label,
                "best": [{"name": n, "loss": labels[n], "score": display.mean_ci(*score)} for n, score in scores.items()],
                "more": len(best[label]) - len(named),
                "text": _of_tests(sources, dataset, label, best[label], labels),
            }
        )
    return found


def _of_tests(sources: Sources, dataset: Dataset, label: str, best: Sequence[str], labels: Mapping[str, str]) -> str:
    """Return the test results of each of the best losses. If many tie, refer to the tables."""
    if len(best) == 1:
        return _against_others(sources, dataset, label, best[0], labels)
    if len(best) > NAMED:
        return "The tables show the tests of each."
    texts = {loss: _against_others(sources, dataset, label, loss, labels) for loss in best}
    return " ".join(f"{labels[loss]}: {text}" for loss, text in texts.items() if text)


def _against_others(sources: Sources, dataset: Dataset, label: str, best: str, labels: Mapping[str, str]) -> str:
    """Return the results of the rank-sum test (that of the publication, if any) and the signed-rank test for the best loss."""
    if len(labels) == 1:
        return "It is the only loss."
    parts = []
    ranksum = "Rank-sum test" if published_of(dataset) is None else "Rank-sum test, as published"
    for file, test in (("ranksum", ranksum), ("signed_rank", "Paired signed-rank test")):
        rows = sources.rows(f"statistics/{dataset.name}/{file}.csv")
        if rows is None:
            continue
        above, below, tested = _significant(rows, label, best, labels)
        if tested == 0:
            parts.append(f"{test}: no pair could be tested.")
            continue
        names = f" ({listed([labels[loss] for loss in above])})" if 0 < len(above) <= 3 and len(above) < tested else ""
        amount = "none" if not above else "all" if len(above) == tested else spelled(len(above))
        those = f"{amount} of the {spelled(tested)} others"
        if tested == 1:
            those = "the other" if above else "none"
        worse = f", significantly below {listed([labels[loss] for loss in below])}" if below else ""
        parts.append(f"{test}: significantly above {those}{names}{worse}.")
    return " ".join(parts)


def _significant(
    rows: Sequence[Mapping[str, str]], label: str, best: str, labels: Mapping[str, str]
) -> tuple[list[str], list[str], int]:
    """Return the losses that `best` is significantly above and below (adjusted p < 0.05), and the number of tests."""
    above: list[str] = []
    below: list[str] = []
    tested = 0
    for row in rows:
        if row["class"] != label or best not in (row["row"], row["column"]) or not {row["row"], row["column"]} <= set(labels):
            continue
        p = number(row["p_holm"])
        if not math.isfinite(p):
            continue
        tested += 1
        if p < 0.05:
            # The statistic in signed_rank.csv has no sign. The shift may be 0 for a significant test, the rank sums may not.
            direction = number(row["rank_biserial" if "rank_biserial" in row else "statistic"])
            first, other = (direction, row["column"]) if row["row"] == best else (-direction, row["row"])
            if first:
                (above if first > 0 else below).append(other)
    order = list(labels)
    return sorted(above, key=order.index), sorted(below, key=order.index), tested
