"""The section on the publication as a whole: its claims, its contradictions, and its agreement with our results."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from workflow_lib.report.data import number
from workflow_lib.report.score_tables import METRICS, published_of
from workflow_lib.report.sources import Sources
from workflow_lib.report.study import Dataset
from workflow_lib.report.text import full
from workflow_lib.tables import display
from workflow_lib.tables.claims import STATES

STATE_SIGNS = dict(zip(STATES, (("✓", "v-consistent"), ("✗", "v-inconsistent"), ("–", "v-no-scores")), strict=True))


def describe(sources: Sources, dataset: Dataset, departs: bool) -> dict[str, Any] | None:
    """Return claims, contradictions and agreement of a dataset with its publication, or None if it has none."""
    published = published_of(dataset)
    if published is None:
        return None
    name = dataset.name
    claims = sources.rows(f"tables/{name}_claims.csv") or []
    path = f"tables/{name}_claims.csv"
    return {
        "label": dataset.label,
        "paper": published.dataset,
        "departs": departs,
        "claims": [_claim(row, claims[i - 1] if i else None) for i, row in enumerate(claims)],
        "contradictions": [dict(entry) for entry in published.contradictions],
        "unsupported": _unsupported(claims),
        "agreement": [_agreement(row) for row in sources.rows(f"tables/{name}_agreement.csv") or []],
        "agreement_file": sources.download(f"tables/{name}_agreement.csv"),
        "csv": sources.csv_link(path),
        "csv_name": f"{name}_claims.csv",
        "source": sources.source(path),
    }


def totals(parts: Sequence[Mapping[str, Any]]) -> dict[str, int] | None:
    """Return the number of checks (one per claim and class), how many hold in print and here, and how many were made here."""
    rows = [row for part in parts for row in part["claims"]]
    if not rows:
        return None
    return {
        "all": len(rows),
        "published": sum(row["published"]["state"] == STATES[0] for row in rows),
        "ours": sum(row["ours"]["state"] == STATES[0] for row in rows),
        "run": sum(row["ours"]["state"] != STATES[2] for row in rows),
    }


def _claim(row: Mapping[str, str], before: Mapping[str, str] | None) -> dict[str, Any]:
    sides = {}
    for side in ("published", "ours"):
        # A table of an older version may contain other words; it is then marked as stale.
        sign, css = STATE_SIGNS.get(row[side], ("·", ""))
        sides[side] = {"state": row[side], "sign": sign, "css": css, "detail": row[f"{side}_detail"]}
    repeated = before is not None and before["claim"] == row["claim"]
    return {"claim": row["claim"], "where": row["where"], "class": row["class"], "repeated": repeated, **sides}


def _unsupported(rows: Sequence[Mapping[str, str]]) -> list[dict[str, str]]:
    """Return the claims that the publication's own printed numbers do not support."""
    return [
        {"claim": row["claim"], "class": row["class"], "detail": row["published_detail"]}
        for row in rows
        if row["published"] == STATES[1]
    ]


def _agreement(row: Mapping[str, str]) -> dict[str, Any]:
    tau, p = number(row["tau"]), number(row["p"])
    pairs, tested = int(number(row["pairs"])), int(number(row["tested"]))
    return {
        "class": row["class"],
        "metric": METRICS.get(row["metric"], row["metric"]),
        "losses": row["losses"],
        "tau": {"text": display.number(tau, 2), "sort": full(tau)},
        "p": {"text": display.p_value(p) if math.isfinite(p) else "–", "sort": full(p)},
        "signs": f"{row['same_sign']} of {pairs}" if pairs else "–",
        "significance": f"{row['same_significance']} of {tested}" if tested else "–",
    }
