"""Compare the numbers of two studies, and decide whether a difference is within the variation between seeds.

For the same cases in the same folds, the differences B - A are averaged over the cases of each fold. A difference is "within"
if the 95 % t interval over the k folds, mean ± t(.975, k-1) s / √k, contains 0. If only the seeds had changed, the two
networks of each fold would be independent draws, independent of the other folds, and the differences of the folds would
scatter around 0 with the spread that two seeds give. Therefore "within" means that seeds are sufficient to explain the
difference, not that there is none. "beyond" means that seeds alone give such a difference in 1 of 20 numbers. With one split
there are no folds, and with other cases there are no pairs; then the result is "open".

A second interval, over the cases, is a paired bootstrap within the folds. It is conditional on the trained networks and
contains no information about seeds.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from workflow_lib.base.seeds import generator
from workflow_lib.commands.compare.sides import Data, Row, number
from workflow_lib.datasets.identity import ROLES
from workflow_lib.metrics.registry import PAPER as METRICS
from workflow_lib.statistics.intervals import t_interval

Verdict = Literal["same", "within", "beyond", "open"]
CONFIDENCE = 0.95
SAMPLES = 2000
ROUNDING = 1e-9
"""Tolerance between the difference of two means and the mean of the differences."""


@dataclass(frozen=True)
class Cell:
    """A number of both sides and two intervals of the difference, or NaN.

    `low`, `high`: the interval over the folds. `cases_low`, `cases_high`: the interval over the cases.
    """

    name: str
    a: float
    b: float
    verdict: Verdict
    reason: str = ""
    low: float = math.nan
    high: float = math.nan
    cases_low: float = math.nan
    cases_high: float = math.nan

    @property
    def difference(self) -> float:
        """B minus A; NaN if one of them is undefined."""
        return self.b - self.a


def same(a: float, b: float) -> bool:
    """Return whether two numbers are equal or both undefined."""
    return a == b or (math.isnan(a) and math.isnan(b))


def means(a: Data, b: Data) -> list[Cell]:
    """Compare the means of every loss, class and metric that both sides have."""
    first, second = (_by_key(data.means, ("loss", "class", "metric")) for data in (a, b))
    obstacle = _obstacle(a, b)
    return [
        _mean(" · ".join(key), number(first[key]["mean"]), number(second[key]["mean"]), obstacle, a, b, key)
        for key in first
        if key in second and key[2] in METRICS
    ]


def _mean(name: str, one: float, other: float, obstacle: str, a: Data, b: Data, key: tuple[str, ...]) -> Cell:
    if same(one, other):
        return Cell(name, one, other, "same")
    if obstacle:
        return Cell(name, one, other, "open", obstacle)
    by_fold = _differences(a, b, key)
    if len(by_fold) < 2:
        return Cell(name, one, other, "open", "with one split there is no spread over folds")
    middle, half, _ = t_interval([float(values.mean()) for values in by_fold], CONFIDENCE)
    low, high = middle - half, middle + half
    if not low - ROUNDING <= other - one <= high + ROUNDING:
        # One side leaves cases undefined, or its means do not follow from its scores.
        return Cell(name, one, other, "open", "this difference does not follow from the cases that both sides score", low, high)
    return Cell(name, one, other, "within" if low <= 0 <= high else "beyond", "", low, high, *_bootstrap(by_fold))


def _obstacle(a: Data, b: Data) -> str:
    """Return why the cases of the two sides cannot be paired, or ""."""
    if set(a.folds) != set(b.folds):
        return "not the same cases"
    for role in ROLES:
        if any(a.cases.get(case, {}).get(role) != b.cases.get(case, {}).get(role) for case in a.folds):
            return f"not the same {role}"
    return "" if a.folds == b.folds else "not the same folds"


def _differences(a: Data, b: Data, key: tuple[str, ...]) -> list[np.ndarray]:
    """Return B - A of the cases that are defined on both sides, by fold. Folds without such a case are omitted."""
    loss, name, metric = key
    position = METRICS.index(metric)
    nowhere = (math.nan,) * len(METRICS)
    found: dict[int, list[float]] = {}
    for case, fold in sorted(a.folds.items()):
        one, other = (data.scores.get((loss, name, case), nowhere)[position] for data in (a, b))
        if not math.isnan(other - one):
            found.setdefault(fold, []).append(other - one)
    return [np.array(values) for _, values in sorted(found.items())]


def _bootstrap(by_fold: Sequence[np.ndarray]) -> tuple[float, float]:
    """Return percentile bounds of the mean of the fold means over bootstrap samples of the cases within each fold."""
    if all(values.size < 2 for values in by_fold):
        return math.nan, math.nan
    draws = [
        values[generator(0, "compare", fold).integers(0, values.size, (SAMPLES, values.size))].mean(axis=1)
        for fold, values in enumerate(by_fold)
    ]
    low, high = np.quantile(np.mean(draws, axis=0), [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    return float(low), float(high)


def p_values(a: Data, b: Data) -> list[Cell]:
    """Compare the corrected p-values of every pair that both sides have. The reason names a changed significance mark."""
    first, second = (_by_key(data.p_values, ("class", "row", "column")) for data in (a, b))
    return [
        Cell(
            f"{key[0]} · {key[1]} against {key[2]}",
            number(first[key]["p_holm"]),
            number(second[key]["p_holm"]),
            "same" if same(number(first[key]["p_holm"]), number(second[key]["p_holm"])) else "open",
            _marks(first[key]["mark"], second[key]["mark"]),
        )
        for key in first
        if key in second
    ]


def _marks(one: str, other: str) -> str:
    return "" if one == other else f"mark {one or 'none'} -> {other or 'none'}"


def surface(a: Data, b: Data) -> Iterator[Cell]:
    """Compare the medians of HD95 and the means of NSD that both sides have."""
    first, second = (_by_key(data.surface, ("loss", "class")) for data in (a, b))
    for key in first:
        for column in ("hd95_median", "nsd_mean"):
            if key in second:
                one, other = number(first[key][column]), number(second[key][column])
                yield Cell(f"{key[0]} · {key[1]} · {column}", one, other, "same" if same(one, other) else "open")


def scores(a: Data, b: Data) -> tuple[int, int]:
    """Return the number of scores of single cases that both sides have, and how many of them are equal."""
    common = [key for key in a.scores if key in b.scores]
    equal = sum(all(map(same, a.scores[key], b.scores[key])) for key in common)
    return len(common), equal


def _by_key(rows: Sequence[Row], columns: tuple[str, ...]) -> dict[tuple[str, ...], Row]:
    return {tuple(row[column] for column in columns): row for row in rows}
