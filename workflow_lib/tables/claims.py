"""The claims of a publication, each checked by the same rule on the published numbers and on ours.

A claim is data (reports/published/<name>/claims.yaml). Its `check` contains one of these kinds, and losses of
the publication:

- `highest`: the mean of `loss` is above that of every other loss, for each of `metrics`;
- `significantly_higher`: in the rank-sum test with Holm's correction, `loss` is higher than every other loss
  (p < 0.05). The direction is the sign in the table `comparison_p`: ours from the test, that of the
  publication from its means;
- `balance`: no other loss has a smaller distance between mean precision and mean recall;
- `smallest_drop`, `largest_drop`: the decrease of the DSC from the class `from` to the class `to` is smallest
  or largest for `loss`.

`others` are the losses to compare with; the default is all losses of the publication. All kinds except the
drops are checked for each class.
"""

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from workflow_lib.metrics import registry as metrics
from workflow_lib.statistics.holm import SIGNIFICANT
from workflow_lib.tables.display import number
from workflow_lib.tables.interface import Data
from workflow_lib.tables.published import Published

NAME = "claims"
TITLE = "The paper's claims"
ORDER = 60
KEYS = ("claim", "class")
NEEDS = ("comparison", "comparison_p")
PUBLISHED = True
COLUMNS = {
    "claim": "the claim in words",
    "where": "where the publication states it",
    "class": "class, or the two classes of a drop",
    "published": "`holds`, `does not hold` or `no scores`, by the printed numbers",
    "published_detail": "the printed numbers that decide it",
    "ours": "the same by our numbers",
    "ours_detail": "our numbers that decide it",
}

STATES = ("holds", "does not hold", "no scores")

Result = tuple[str, str]
"""One of `STATES`, and the numbers that decide."""


@dataclass(frozen=True)
class Numbers:
    """The numbers for the check of a claim; missing numbers are NaN.

    `means` are by (loss, class, metric), and `p_values`, which are adjusted, by (class, pair of losses).
    `above` contains (class, higher loss, lower loss) according to the tests of the DSC.
    """

    labels: Mapping[str, str]
    means: Mapping[tuple[str, str, str], float]
    p_values: Mapping[tuple[str, frozenset[str]], float]
    above: Collection[tuple[str, str, str]]

    def mean(self, loss: str, name: str, metric: str = "dsc") -> float:
        """Return a mean, or NaN if it is missing."""
        return self.means.get((loss, name, metric), math.nan)

    def label(self, loss: str) -> str:
        """Return the published label of a loss without the word "loss"."""
        return self.labels[loss].removesuffix(" loss")


def compute(data: Data) -> pd.DataFrame:
    """Return the table of a dataset."""
    return check_claims(data.paper, data.tables["comparison"], data.tables["comparison_p"])


def check_claims(published: Published, comparison: pd.DataFrame, comparison_p: pd.DataFrame) -> pd.DataFrame:
    """Return one row per claim and class, with the result for the published numbers and for ours.

    `comparison` and `comparison_p` are the tables of these names, which contain our numbers. The columns
    `published` and `ours` are one of `STATES`: `no scores` means that a number for the claim is missing.
    """
    printed = {key: interval.mean for key, interval in published.scores.items()}
    printed_p = {(name, frozenset((row, column))): float(p) for (name, row, column), p in published.p_values.items()}
    theirs = Numbers(published.labels, printed, printed_p, _above(comparison_p, "published_sign"))
    ours = _ours(published, comparison, comparison_p)
    rows = []
    for claim in published.claims:
        check = claim["check"]
        classes = [f"{check['from']} to {check['to']}"] if "from" in check else published.classes
        for name in classes:
            results = [_KINDS[check["kind"]](numbers, check, _others(published, check), name) for numbers in (theirs, ours)]
            rows.append((claim["claim"], claim["where"], name, *results[0], *results[1]))
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _ours(published: Published, comparison: pd.DataFrame, comparison_p: pd.DataFrame) -> Numbers:
    means = {(row["loss"], row["class"], row["metric"]): float(row["ours"]) for row in comparison.to_dict("records")}
    p_values = {
        (row["class"], frozenset((row["row"], row["column"]))): float(row["ours_p"]) for row in comparison_p.to_dict("records")
    }
    return Numbers(published.labels, means, p_values, _above(comparison_p, "ours_sign"))


def _above(comparison_p: pd.DataFrame, column: str) -> set[tuple[str, str, str]]:
    """Return (class, higher loss, lower loss) for the pairs with a sign in the column."""
    rows = comparison_p.to_dict("records")
    higher = {(row["class"], row["row"], row["column"]) for row in rows if row[column] == "+"}
    return higher | {(row["class"], row["column"], row["row"]) for row in rows if row[column] == "-"}


def _others(published: Published, check: Mapping[str, Any]) -> list[str]:
    return [loss for loss in check.get("others") or published.losses if loss != check["loss"]]


def _highest(numbers: Numbers, check: Mapping[str, Any], others: Sequence[str], name: str) -> Result:
    """Compare the mean of the loss with the highest mean of the others, for every metric."""
    parts, holds = [], True
    for metric in check["metrics"]:
        values = {loss: numbers.mean(loss, name, metric) for loss in [check["loss"], *others]}
        absent = _absent(numbers, values)
        if absent:
            return absent
        own, best = values[check["loss"]], max(others, key=lambda loss: values[loss])
        holds &= own > values[best]
        parts.append(f"{metrics.label(metric)} {number(own)} against {number(values[best])} ({numbers.label(best)})")
    return _state(holds), "; ".join(parts)


def _significantly_higher(numbers: Numbers, check: Mapping[str, Any], others: Sequence[str], name: str) -> Result:
    """Count the other losses that are significantly lower than the loss."""
    loss = check["loss"]
    p_values = {other: numbers.p_values.get((name, frozenset((loss, other))), math.nan) for other in others}
    absent = _absent(numbers, p_values)
    if absent:
        return absent
    above = [other for other, p in p_values.items() if p < SIGNIFICANT and (name, loss, other) in numbers.above]
    names = f": {', '.join(map(numbers.label, above))}" if 0 < len(above) < len(others) else ""
    return _state(len(above) == len(others)), f"significantly above {len(above)} of {len(others)}{names}"


def _balance(numbers: Numbers, check: Mapping[str, Any], others: Sequence[str], name: str) -> Result:
    """Compare the distance between mean precision and mean recall with the smallest of the others."""
    losses = [check["loss"], *others]
    # Rounded, so that rounding errors do not decide between means with three decimals.
    gaps = {loss: round(abs(numbers.mean(loss, name, "precision") - numbers.mean(loss, name, "recall")), 12) for loss in losses}
    return _extreme(numbers, gaps, check["loss"], "distance", smallest=True)


def _drop(smallest: bool) -> Callable[[Numbers, Mapping[str, Any], Sequence[str], str], Result]:
    def drop(numbers: Numbers, check: Mapping[str, Any], others: Sequence[str], name: str) -> Result:
        """Compare the decrease of the mean DSC between the two classes with that of the other losses."""
        losses = [check["loss"], *others]
        drops = {loss: round(numbers.mean(loss, check["from"]) - numbers.mean(loss, check["to"]), 12) for loss in losses}
        return _extreme(numbers, drops, check["loss"], "DSC falls by", smallest)

    return drop


def _extreme(numbers: Numbers, values: Mapping[str, float], loss: str, word: str, smallest: bool) -> Result:
    absent = _absent(numbers, values)
    if absent:
        return absent
    own = values[loss]
    others = {other: value for other, value in values.items() if other != loss}
    rival = (min if smallest else max)(others, key=lambda other: others[other])
    holds = own <= others[rival] if smallest else own >= others[rival]
    word_of_rival = "smallest" if smallest else "largest"
    return _state(holds), f"{word} {number(own)}; {word_of_rival} of the others {number(others[rival])} ({numbers.label(rival)})"


def _absent(numbers: Numbers, values: Mapping[str, float]) -> Result | None:
    missing = [numbers.label(loss) for loss, value in values.items() if math.isnan(value)]
    return ("no scores", f"no numbers of {', '.join(missing)}") if missing else None


def _state(holds: bool) -> str:
    return STATES[0] if holds else STATES[1]


_KINDS: dict[str, Callable[[Numbers, Mapping[str, Any], Sequence[str], str], Result]] = {
    "highest": _highest,
    "significantly_higher": _significantly_higher,
    "balance": _balance,
    "smallest_drop": _drop(smallest=True),
    "largest_drop": _drop(smallest=False),
}
