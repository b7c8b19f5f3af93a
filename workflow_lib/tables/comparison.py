"""Comparison of the published scores with ours: difference and verdict."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
from scipy import stats

from workflow_lib.tables.interface import Data
from workflow_lib.tables.protocol import departures, match_losses
from workflow_lib.tables.published import Interval, Published

VERDICTS = ("consistent", "inconsistent", "inconclusive", "not comparable", "no scores")
NAME = "comparison"
TITLE = "Published values compared with ours"
ORDER = 20
KEYS = ("loss", "class", "metric")
PUBLISHED = True
COLUMNS = {
    "loss": "published loss",
    "class": "class",
    "metric": "metric",
    "published": "published mean",
    "published_ci95": "half width of its 95 % interval",
    "ours": "mean of this study",
    "ours_ci95": "half width of its interval",
    "difference": "ours - published",
    "verdict": "`consistent`, `inconsistent`, `inconclusive`, `not comparable` or `no scores`",
    "reason": "why",
}


def compute(data: Data) -> pd.DataFrame:
    """Return the table of a dataset."""
    found = departures(data.protocol, data.n_cases, data.synthetic, data.paper)
    return score_comparison(data.paper, data.statistics["means"], data.entries, found)


def score_comparison(
    published: Published, means: pd.DataFrame, entries: Sequence[Mapping[str, Any]], departures: Sequence[str]
) -> pd.DataFrame:
    """Return one row per published score with our score, the difference (ours - published), verdict and reason.

    `means` is the table of that name in the statistics. `entries` are the losses of the study ({name, label,
    loss, parameters}), and `departures` the departures of its protocol. The column `loss` is the published
    loss. The verdict is one of `VERDICTS`, see `verdict`.
    """
    matched = match_losses(published, entries)
    known = {(row["loss"], row["class"], row["metric"]): row for row in means.to_dict("records")}
    rows = []
    for loss in published.losses:
        for name in published.classes:
            for metric in published.metrics:
                theirs = published.scores[loss, name, metric]
                found = known.get((matched.get(loss, ""), name, metric))
                ours = math.nan if found is None else float(found["mean"])
                half = math.nan if found is None else float(found["ci95"])
                folds = 0 if found is None else int(found["folds"])
                word, reason = verdict(theirs, published.folds, ours, half, folds, departures)
                rows.append((loss, name, metric, theirs.mean, theirs.half, ours, half, ours - theirs.mean, word, reason))
    return pd.DataFrame(rows, columns=list(COLUMNS))


def verdict(
    published: Interval, published_folds: int, ours: float, half: float, folds: int, departures: Sequence[str]
) -> tuple[str, str]:
    """Return the verdict and the reason for one score.

    - `no scores`: there is no score of ours;
    - `not comparable`: the protocols differ, or our number of folds differs from the published one;
    - `inconclusive`: our interval is more than twice as wide as the published one, or does not exist;
    - `consistent`: our mean is in the 95 % prediction interval for the mean of the same number k of new folds,
      m ± t s sqrt(2/k). Here s = h sqrt(k) / t is the standard deviation of a fold, h the published half
      width, and t the 97.5 % quantile of the t-distribution with k - 1 degrees of freedom;
    - `inconsistent`: our mean is outside this interval.
    """
    if math.isnan(ours):
        return "no scores", "no scores of this loss and class"
    if departures:
        return "not comparable", "; ".join(departures)
    if folds != published_folds:
        return "not comparable", f"scores of {folds} instead of {published_folds} folds"
    if math.isnan(half):
        return "inconclusive", "our scores give no interval"
    if half > 2 * published.half:
        return "inconclusive", f"our interval is {half / published.half:.1f} times as wide as the published one"
    low, high = prediction_interval(published, published_folds)
    place = f"the 95% prediction interval {low:.3f} to {high:.3f}"
    return ("consistent", f"inside {place}") if low <= ours <= high else ("inconsistent", f"outside {place}")


def prediction_interval(published: Interval, folds: int) -> tuple[float, float]:
    """Return the 95 % prediction interval for the mean of `folds` new folds.

    It is computed from the published mean and half width.
    """
    t = float(stats.t.ppf(0.975, folds - 1))
    sd = published.half * math.sqrt(folds) / t
    reach = t * sd * math.sqrt(2 / folds)
    return published.mean - reach, published.mean + reach
