"""Medians of ASSD and of the volume differences: failures, draws by fold, and what is not measured."""

import doctest
import math

import numpy as np
import pandas as pd
import pytest

from workflow_lib.base.seeds import generator
from workflow_lib.evaluation.scores import columns
from workflow_lib.metrics.registry import names
from workflow_lib.statistics import volumes
from workflow_lib.statistics.volumes import COLUMNS, volume_table


def scores(cases=9, folds=3, losses=("a", "b")):
    rng = np.random.default_rng(1)
    rows = []
    for loss in losses:
        for case in range(cases):
            for name in ("kidney", "tumour"):
                row = {"loss": loss, "fold": case % folds + 1, "case": f"case{case}", "class": name, "note": ""}
                rows.append(row | dict(zip(names(), rng.random(len(names())), strict=True)))
    return pd.DataFrame(rows).reindex(columns=list(columns(names())))


def one(table, loss, name, metric):
    (row,) = table[(table["loss"] == loss) & (table["class"] == name) & (table["metric"] == metric)].to_dict("records")
    return row


def test_medians_and_bounds_equal_a_loop_over_the_same_draws():
    frame = scores()
    table = volume_table(frame, ["b", "a"], 60, 0.9, seed=4)
    assert list(table.columns) == list(COLUMNS)
    assert list(table["loss"]) == ["b"] * 6 + ["a"] * 6
    row = one(table, "b", "tumour", "relative_volume_difference")
    part = frame[(frame["loss"] == "b") & (frame["class"] == "tumour")].set_index("case")
    assert (row["cases"], row["failures"], row["median"]) == (9, 0, part["relative_volume_difference"].median())
    drawn = []
    for sample in range(60):
        values = []
        for fold in (1, 2, 3):
            own = part[part["fold"] == fold].sort_index()["relative_volume_difference"].to_numpy()
            values += list(own[generator(4, "volumes", fold).integers(0, 3, (60, 3))[sample]])
        drawn.append(np.median(values))
    assert (row["low"], row["high"]) == tuple(np.percentile(drawn, [5, 95], method="nearest"))


def test_failures_count_as_infinitely_far_and_cases_with_both_masks_empty_do_not_count():
    frame = scores(cases=6, folds=2, losses=["a"])
    part = frame.index[frame["class"] == "tumour"]
    frame.loc[part[0], ["note", "assd", "volume_difference"]] = ["both empty", math.nan, math.nan]
    frame.loc[part[1:3], "note"] = "empty prediction"
    frame.loc[part[1:3], "assd"] = math.nan
    table = volume_table(frame, ["a"], 50, 0.95, seed=1)
    row = one(table, "a", "tumour", "assd")
    assert (row["cases"], row["failures"]) == (5, 2)
    assert row["median"] == frame.loc[part[3:], "assd"].max()
    assert math.isnan(row["high"])
    assert row["low"] <= row["median"]
    assert one(table, "a", "tumour", "volume_difference")["failures"] == 0
    frame.loc[part[3], "assd"] = math.nan
    assert math.isnan(one(volume_table(frame, ["a"], 50, 0.95, 1), "a", "tumour", "assd")["median"])


def test_what_is_not_measured_has_no_row_and_a_loss_without_scores_no_number():
    frame = scores(cases=3, folds=3).assign(assd=math.nan)
    table = volume_table(frame, ["a", "never"], 50, 0.95, seed=1)
    assert set(table["metric"]) == {"volume_difference", "relative_volume_difference"}
    assert table[table["loss"] == "a"]["median"].notna().all()
    # One case a fold: no sample can differ from the data.
    assert table[["low", "high"]].isna().all(axis=None)
    never = one(table, "never", "kidney", "volume_difference")
    assert (never["cases"], never["failures"]) == (0, 0)
    assert math.isnan(never["median"])
    assert volume_table(frame.iloc[:0], ["a"], 50, 0.95, 1).empty


def test_the_example_holds():
    assert doctest.testmod(volumes) == pytest.approx((0, 3))
