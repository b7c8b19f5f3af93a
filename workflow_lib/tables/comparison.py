"""Published, ours, and what to make of the difference."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from workflow_lib.statistics.holm import SIGNIFICANT, adjust, mark
from workflow_lib.tables.protocol import match_losses
from workflow_lib.tables.published import Interval, Published
from workflow_lib.tables.pvalue_table import sign

VERDICTS = ("consistent", "inconsistent", "inconclusive", "not comparable", "no scores")
COLUMNS = ("loss", "class", "metric", "published", "published_ci95", "ours", "ours_ci95", "difference", "verdict", "reason")
P_COLUMNS = (
    *("class", "row", "column", "published_p", "ours_p", "published_mark", "ours_mark"),
    *("published_sign", "ours_sign", "agree"),
)
AGREEMENT_COLUMNS = ("class", "metric", "losses", "tau", "p", "pairs", "same_sign", "tested", "same_significance")


def score_comparison(
    published: Published, means: pd.DataFrame, entries: Sequence[Mapping[str, Any]], departures: Sequence[str]
) -> pd.DataFrame:
    """Return one row per published score, with ours beside it, difference (ours - published), verdict and its reason.

    `means` is the table of that name of the statistics; `entries` are the losses of the study ({name, label, loss, parameters}),
    `departures` what sets its protocol apart. `loss` is the published loss. The verdict is one of `VERDICTS`, see `verdict`.
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
    """Return verdict and reason for one score.

    - `no scores`: no value of ours, as the loss was not trained, or not in all folds;
    - `not comparable`: the protocol departs, or not all folds were scored;
    - `inconclusive`: our interval is more than twice as wide as the published one, or there is none;
    - `consistent`: ours lies in the 95 % prediction interval of the mean of as many new folds, m ± t s sqrt(2/k), with the
      standard deviation of a fold s = h sqrt(k) / t from the published half width h, and t the 97.5 % point with k - 1 degrees
      of freedom;
    - `inconsistent`: ours lies outside of it.
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
    """Return the 95 % prediction interval of the mean of `folds` new folds, from a published mean and half width."""
    t = float(stats.t.ppf(0.975, folds - 1))
    sd = published.half * math.sqrt(folds) / t
    reach = t * sd * math.sqrt(2 / folds)
    return published.mean - reach, published.mean + reach


def p_comparison(published: Published, ranksum: pd.DataFrame, entries: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """Return one row per published p-value with ours beside it.

    `published_p` is text, digits as printed. `ours_p` is Holm-adjusted among the published pairs of the class, so that further
    losses of the study do not change the comparison; NaN where a loss has no scores. Marks are those of the two values. Signs
    say whether the row's loss is the higher one: ours is that of the rank-sum statistic, and as the publication prints none, its
    sign is that of the difference of the mean DSCs. `agree` is 'yes' where neither is below 0.05, or both are and their signs
    are not opposite, else 'no', empty without ours.
    """
    matched = match_losses(published, entries)
    # Which of the two losses stands in the row turns the statistic and does not change p.
    raw: dict[tuple[Any, ...], tuple[float, float]] = {}
    for test in ranksum.to_dict("records"):
        p, statistic = float(test["p"]), float(test["statistic"])
        raw[test["class"], test["row"], test["column"]] = p, statistic
        raw[test["class"], test["column"], test["row"]] = p, -statistic
    rows = []
    for name in published.classes:
        pairs = [(row, column) for of_class, row, column in published.p_values if of_class == name]
        found = [raw.get((name, matched.get(row), matched.get(column)), (math.nan, math.nan)) for row, column in pairs]
        adjusted = map(float, adjust([p for p, _ in found]))
        for (row, column), ours, (_, statistic) in zip(pairs, adjusted, found, strict=True):
            printed = published.p_values[name, row, column]
            theirs = float(printed)
            signs = sign(published.scores[row, name, "dsc"].mean - published.scores[column, name, "dsc"].mean), sign(statistic)
            agree = _agree(theirs, ours, *signs)
            rows.append((name, row, column, printed, ours, mark(theirs), mark(ours), *signs, agree))
    return pd.DataFrame(rows, columns=list(P_COLUMNS))


def _agree(theirs: float, ours: float, their_sign: str, our_sign: str) -> str:
    if math.isnan(ours):
        return ""
    opposite = ours < SIGNIFICANT and {their_sign, our_sign} == {"+", "-"}
    return "yes" if (ours < SIGNIFICANT) == (theirs < SIGNIFICANT) and not opposite else "no"


def rank_agreement(comparison: pd.DataFrame, comparison_p: pd.DataFrame | None = None) -> pd.DataFrame:
    """Return Kendall's tau-b between the published order of the losses and ours, per class and metric of a score comparison.

    `losses` is the number of losses with both values; tau and its exact p (the normal approximation where losses tie) are NaN
    with fewer than two, or where all losses tie. Of the `pairs` of these losses `same_sign` have a difference of the same sign in
    both. The tests are on DSC, so only there, of the pairs `tested` in both (`comparison_p`), do `same_significance` agree.
    """
    rows = []
    for (name, metric), part in comparison.groupby(["class", "metric"], sort=False):
        both = part.dropna(subset=["published", "ours"])
        tau, p = math.nan, math.nan
        if len(both) >= 2 and both["published"].nunique() > 1 and both["ours"].nunique() > 1:
            tied = both["published"].nunique() < len(both) or both["ours"].nunique() < len(both)
            result = stats.kendalltau(both["published"], both["ours"], method="asymptotic" if tied else "exact")
            tau, p = float(result.statistic), float(result.pvalue)
        signs = [np.sign(np.subtract.outer(both[side].to_numpy(), both[side].to_numpy())) for side in ("published", "ours")]
        pairs = np.triu_indices(len(both), 1)
        tested: list[str] = []
        if comparison_p is not None and metric == "dsc":
            tested = [word for word in comparison_p[comparison_p["class"] == name]["agree"] if word]
        same = (int((signs[0] == signs[1])[pairs].sum()), len(tested), tested.count("yes"))
        rows.append((name, metric, len(both), tau, p, len(pairs[0]), *same))
    return pd.DataFrame(rows, columns=list(AGREEMENT_COLUMNS))


def count_verdicts(comparison: pd.DataFrame) -> dict[str, int]:
    """Return how many published scores have each verdict of `VERDICTS`, zeros included."""
    return {word: int((comparison["verdict"] == word).sum()) for word in VERDICTS}
