"""The comparison under other choices: each variant against another way to compute it, and on degenerate scores."""

import math
import warnings

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from statsmodels.stats.multitest import multipletests

from tests.unit.test_statistics_intervals import computed, scores
from workflow_lib.statistics import sensitivity_means as means_of_variants
from workflow_lib.statistics.sensitivity import COLUMNS, VARIANTS
from workflow_lib.statistics.sensitivity_means import sensitivity_means

LOSSES = ["a", "b", "c"]


def gapped():
    """Return scores in which some tumours are absent (both masks empty) and some are missed."""
    frame = scores(LOSSES, cases=20)
    absent = (frame["class"] == "tumour") & frame["case"].isin(["case000", "case007"])
    frame.loc[absent, ["dsc", "precision", "recall"]] = math.nan
    frame.loc[absent, "note"] = "both empty"
    missed = (frame["class"] == "tumour") & (frame["loss"] == "b") & frame["case"].isin(["case003", "case004", "case005"])
    frame.loc[missed, ["dsc", "precision", "recall"]] = 0.0
    frame.loc[missed, "note"] = "empty prediction"
    return frame


@pytest.fixture(scope="module")
def frame():
    return gapped()


@pytest.fixture(scope="module")
def tables(frame):
    return computed(frame, LOSSES)


def pair(tables, variant, name="tumour", row="b", column="a"):
    table = tables["sensitivity"]
    where = (table["variant"] == variant) & (table["class"] == name) & (table["row"] == row) & (table["column"] == column)
    (found,) = table[where].to_dict("records")
    return found


def mean(tables, variant, loss, name="tumour"):
    table = tables["sensitivity_means"]
    (found,) = table[(table["variant"] == variant) & (table["class"] == name) & (table["loss"] == loss)].to_dict("records")
    return found


def values(frame, loss, name="tumour"):
    return frame[(frame["loss"] == loss) & (frame["class"] == name)].set_index("case")["dsc"]


def test_every_variant_tests_every_pair_of_every_class(tables):
    table = tables["sensitivity"]
    assert tuple(table.columns) == tuple(COLUMNS)
    assert table.groupby("variant", sort=False).size().to_dict() == dict.fromkeys(VARIANTS, 6)
    assert tuple(tables["sensitivity_means"].columns) == tuple(means_of_variants.COLUMNS)


def test_the_published_and_the_paired_test_are_those_of_their_tables(tables):
    for variant, name in (("published", "ranksum"), ("paired", "signed_rank")):
        one = tables["sensitivity"][tables["sensitivity"]["variant"] == variant]
        np.testing.assert_array_equal(one["p_holm"], tables[name]["p_holm"])
        assert list(one["mark"]) == list(tables[name]["mark"])


def test_fold_means_as_the_unit(frame, tables):
    folds = [frame[(frame["loss"] == x) & (frame["class"] == "tumour")].groupby("fold")["dsc"].mean() for x in "ba"]
    expected = stats.ranksums(*folds)
    found = pair(tables, "folds")
    assert found["p"] == pytest.approx(expected.pvalue)
    assert found["sign"] == ("+" if expected.statistic > 0 else "-")
    assert tables["sensitivity"].query("variant == 'folds'")["p_holm"].min() > 0.009


def test_holm_over_all_classes_and_none(tables):
    raw = tables["ranksum"]["p"].to_numpy()
    found = tables["sensitivity"].query("variant == 'all_classes'")["p_holm"]
    np.testing.assert_allclose(found, multipletests(raw, method="holm")[1])
    np.testing.assert_array_equal(tables["sensitivity"].query("variant == 'uncorrected'")["p_holm"], raw)


def test_regions_stay_out_of_the_family_of_all_classes(frame):
    region = frame[frame["class"] == "kidney"].assign(**{"class": "both", "kind": "region"})
    found = computed(pd.concat([frame, region], ignore_index=True), LOSSES)["sensitivity"]
    plain = computed(frame, LOSSES)["sensitivity"]
    key = ["variant", "class", "row", "column"]
    merged = plain.merge(found, on=key, suffixes=("", "_with"))
    np.testing.assert_array_equal(merged["p_holm"], merged["p_holm_with"])
    published, together = (found[(found["variant"] == v) & (found["class"] == "both")] for v in ("published", "all_classes"))
    np.testing.assert_array_equal(published["p_holm"], together["p_holm"])


def test_both_empty_as_one(frame, tables):
    a, b = (values(frame, loss).fillna(1.0) for loss in "ab")
    assert pair(tables, "both_empty_one")["p"] == pytest.approx(stats.ranksums(b, a).pvalue)
    found = mean(tables, "both_empty_one", "a")
    folds = a.groupby([int(case[4:]) % 5 for case in a.index]).mean()
    assert found["mean"] == pytest.approx(folds.mean())
    assert (found["cases"], mean(tables, "published", "a")["cases"]) == (20, 18)


def test_without_missed_cases(frame, tables):
    a, b = values(frame, "a").dropna(), values(frame, "b").dropna()
    assert pair(tables, "without_missed")["p"] == pytest.approx(stats.ranksums(b[b > 0], a).pvalue)
    assert mean(tables, "without_missed", "b")["cases"] == 15
    assert mean(tables, "without_missed", "b")["mean"] > mean(tables, "published", "b")["mean"]


def test_the_means_of_the_default_are_those_of_the_table_and_of_the_cases(tables):
    dsc = tables["means"].query("metric == 'dsc'").set_index(["class", "loss"])
    for name in ("kidney", "tumour"):
        for loss in LOSSES:
            assert mean(tables, "published", loss, name)["mean"] == pytest.approx(dsc.loc[(name, loss), "mean"])
            assert mean(tables, "paired", loss, name)["mean"] == pytest.approx(dsc.loc[(name, loss), "case_mean"])


@pytest.mark.parametrize(("cases", "folds"), [(1, 1), (5, 1), (3, 3)])
def test_few_cases_and_one_fold(cases, folds):
    table = computed(scores(LOSSES, cases, folds), LOSSES)["sensitivity"]
    assert ("folds" in set(table["variant"])) == (folds > 1)
    assert table["p_holm"].notna().all()


def test_identical_losses_have_no_sign_and_p_of_one():
    frame = pd.concat([scores(["a"]).assign(loss=loss) for loss in LOSSES])
    table = computed(frame, LOSSES)["sensitivity"]
    assert set(table["sign"]) == {"0"}
    np.testing.assert_array_equal(table["p_holm"], 1)


def test_a_loss_without_scores_and_a_class_defined_nowhere():
    frame = scores(["a", "b"])
    frame.loc[frame["class"] == "tumour", ["dsc", "precision", "recall"]] = math.nan
    tables = computed(frame, [*LOSSES])
    lost = tables["sensitivity"].query("`class` == 'tumour' or row == 'c' or column == 'c'")
    assert lost["p_holm"].isna().all()
    assert set(lost["sign"]) == {""}
    assert set(tables["sensitivity_means"]["class"]) == {"kidney"}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert sensitivity_means(frame.iloc[:0], LOSSES, []).empty
