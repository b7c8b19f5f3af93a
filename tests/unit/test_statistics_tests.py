"""Tests and effect sizes against values worked by hand, published examples, and other ways to compute them."""

import gc
import itertools
import math
import warnings

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from workflow_lib.statistics.friedman import friedman, friedman_tests
from workflow_lib.statistics.holm import adjust, mark
from workflow_lib.statistics.pairs import pairs, score_table
from workflow_lib.statistics.ranksum import ranksum_tests
from workflow_lib.statistics.signed_rank import (
    cliffs_delta,
    compare,
    hodges_lehmann_interval,
    rank_biserial,
    signed_rank,
    signed_rank_tests,
    walsh_averages,
)

# Hamilton depression scores of nine patients before and after treatment (Hollander & Wolfe, table 3.1; ?wilcox.test in R).
BEFORE = np.array([1.83, 0.50, 1.62, 2.48, 1.68, 1.88, 1.55, 3.06, 1.30])
AFTER = np.array([0.878, 0.647, 0.598, 2.05, 1.06, 1.29, 1.06, 3.14, 1.29])


def scores(**dsc):
    """Return a table of scores of one class from the DSC of each loss, cases in order."""
    rows = [(loss, f"case{i}", "kidney", value) for loss, values in dsc.items() for i, value in enumerate(values)]
    return pd.DataFrame(rows, columns=["loss", "case", "class", "dsc"])


def midranks(values):
    return np.array([np.sum(values < v) + (np.sum(values == v) + 1) / 2 for v in values])


# Holm and marks


def test_holm_by_hand():
    # Sorted: 0.01 x 4, 0.02 x 3, 0.03 x 2, 0.5 x 1; then never below the one before.
    np.testing.assert_allclose(adjust([0.03, 0.01, 0.5, 0.02]), [0.06, 0.04, 0.5, 0.06], rtol=1e-15)
    np.testing.assert_array_equal(adjust([0.4, 0.6]), [0.8, 0.8])
    np.testing.assert_array_equal(adjust([0.9, 0.9]), [1.0, 1.0])


def test_holm_has_no_garbage_searched_for_and_leaves_nothing_frozen(monkeypatch):
    """statsmodels collects garbage at every correction, over everything that is alive."""
    searched: list[int] = []
    monkeypatch.setattr(gc, "collect", lambda *_: searched.append(gc.get_freeze_count()))
    adjust([0.01, 0.02])
    assert searched
    assert min(searched) > 10_000
    assert gc.get_freeze_count() == 0


def test_holm_does_not_count_nan_as_a_test():
    np.testing.assert_allclose(adjust([0.01, math.nan, 0.04]), [0.02, math.nan, 0.04])
    assert np.isnan(adjust([math.nan, math.nan])).all()
    assert adjust([]).size == 0


def test_holm_rejects_what_the_step_down_procedure_rejects():
    rng = np.random.default_rng(2)
    for _ in range(5):
        p = rng.random(8) ** 4
        rejected = np.zeros(8, bool)
        for step, index in enumerate(np.argsort(p)):
            if p[index] > 0.05 / (8 - step):
                break
            rejected[index] = True
        np.testing.assert_array_equal(adjust(p) <= 0.05, rejected)


@pytest.mark.parametrize(
    ("p", "expected"),
    [
        *[(0.05, ""), (0.0499999, "*"), (0.01, "*"), (0.00999, "**"), (0.001, "**"), (0.00099999, "‡")],
        *[(0.0, "‡"), (1.0, ""), (math.nan, "")],
    ],
)
def test_marks(p, expected):
    assert mark(p) == expected


# Rank sums, as published


def test_five_folds_against_five_cannot_go_below_0_009():
    # Complete separation is the most extreme outcome: z = 12.5 / sqrt(5 * 5 * 11 / 12).
    (row,) = ranksum_tests(scores(a=[1, 2, 3, 4, 5], b=[6, 7, 8, 9, 10]), ["a", "b"], ["kidney"]).to_dict("records")
    assert row["statistic"] == pytest.approx(12.5 / math.sqrt(275 / 12))
    assert row["p"] == pytest.approx(0.009, abs=5e-4)
    assert row["p"] == pytest.approx(math.erfc(row["statistic"] / math.sqrt(2)))


def test_rank_sum_equals_its_formula_also_with_ties():
    rng = np.random.default_rng(4)
    x, y = rng.integers(0, 9, 30) / 10, rng.integers(2, 9, 23) / 10
    frame = scores(low=list(x), high=list(y))
    (row,) = ranksum_tests(frame, ["low", "high"], ["kidney"]).to_dict("records")
    assert (row["row"], row["column"], row["n_row"], row["n_column"]) == ("high", "low", 23, 30)
    w = midranks(np.concatenate([y, x]))[:23].sum()
    z = (w - 23 * 54 / 2) / math.sqrt(23 * 30 * 54 / 12)
    assert row["statistic"] == pytest.approx(z)
    assert row["p"] == pytest.approx(2 * stats.norm.sf(abs(z)))
    assert z > 0


def test_holm_is_per_class_and_undefined_scores_are_left_out():
    rng = np.random.default_rng(5)
    one = scores(a=rng.random(20), b=rng.random(20) + 0.3, c=rng.random(20) + 0.1)
    two = one.assign(**{"class": "tumour"}, dsc=one["dsc"] ** 2)
    two.loc[[0, 1, 25], "dsc"] = math.nan
    found = ranksum_tests(pd.concat([one, two]), ["a", "b", "c"], ["kidney", "tumour"])
    assert list(zip(found["row"], found["column"], strict=True)) == [("b", "a"), ("c", "a"), ("c", "b")] * 2
    alone = ranksum_tests(one, ["a", "b", "c"], ["kidney"])
    pd.testing.assert_frame_equal(found.iloc[:3], alone)
    assert list(found["n_column"][3:]) == [18, 18, 19]
    np.testing.assert_allclose(found["p_holm"][3:], adjust(found["p"][3:].to_numpy()))
    assert not found["p"].isna().any()


def test_a_loss_without_scores_does_not_change_the_correction_of_the_others():
    rng = np.random.default_rng(6)
    frame = scores(a=rng.random(20), b=rng.random(20) + 0.3, c=rng.random(20) + 0.1)
    with_gap = ranksum_tests(frame, ["a", "gone", "b", "c"], ["kidney"])
    kept = with_gap[(with_gap["row"] != "gone") & (with_gap["column"] != "gone")].reset_index(drop=True)
    pd.testing.assert_frame_equal(kept, ranksum_tests(frame, ["a", "b", "c"], ["kidney"]))
    assert with_gap["p_holm"].isna().sum() == 3
    assert set(with_gap.loc[with_gap["p"].isna(), "mark"]) == {""}


def test_identical_losses_have_p_of_one():
    values = list(np.random.default_rng(7).random(12))
    (row,) = ranksum_tests(scores(a=values, b=values), ["a", "b"], ["kidney"]).to_dict("records")
    assert (row["statistic"], row["p"], row["p_holm"], row["mark"]) == (0.0, 1.0, 1.0, "")


# Signed ranks


def test_depression_scores_as_in_hollander_and_wolfe():
    found = compare(BEFORE, AFTER)
    # R: V = 40 of 45, pseudomedian 0.46, 95 percent confidence interval 0.010 to 0.786 (exact).
    assert found["statistic"] == 45 - 40
    assert found["hodges_lehmann"] == pytest.approx(0.46)
    assert found["hodges_lehmann_low"] == pytest.approx(0.010)
    assert found["hodges_lehmann_high"] == pytest.approx(0.786)
    assert found["rank_biserial"] == pytest.approx((40 - 5) / 45)
    assert (found["wins"], found["ties"], found["losses"], found["n"]) == (7, 0, 2, 9)
    assert found["median_difference"] == pytest.approx(0.49)


def test_signed_rank_equals_pratts_formula_with_zeros_and_ties():
    d = np.array([0.0, 0.0, 0.1, -0.1, 0.2, 0.3, 0.3, -0.4, 0.5, 0.6, 0.7, 0.7, 0.7])
    ranks = midranks(np.abs(d))
    plus, minus = ranks[d > 0].sum(), ranks[d < 0].sum()
    kept = ranks[d != 0]
    # Given the absolute values, each rank has its sign by a fair coin: mean and variance follow directly.
    z = (plus - kept.sum() / 2) / math.sqrt((kept**2).sum() / 4)
    statistic, p = signed_rank(d)
    assert statistic == minus
    assert p == pytest.approx(2 * stats.norm.sf(abs(z)), rel=1e-12)
    assert rank_biserial(d) == pytest.approx((plus - minus) / (plus + minus))


def test_signed_rank_is_near_the_exact_distribution():
    d = np.round(np.random.default_rng(8).normal(0.4, 1, 14), 12)
    ranks = midranks(np.abs(d))
    observed = abs(ranks[d > 0].sum() - ranks.sum() / 2)
    signs = np.array(list(itertools.product([0, 1], repeat=14)))
    away = np.abs(signs @ ranks - ranks.sum() / 2)
    # Without continuity correction the normal approximation counts half of the outcomes as extreme as the observed one.
    exact = np.mean(away > observed + 1e-9) + np.mean(np.abs(away - observed) < 1e-9) / 2
    assert signed_rank(d)[1] == pytest.approx(exact, abs=0.02)


def test_differences_equal_but_for_rounding_errors_are_ties():
    x, y = np.array([0.3, 0.8, 0.6]), np.array([0.1 + 0.2, 0.7 + 0.1, 0.5])
    assert np.count_nonzero(x - y) == 3
    found = compare(x, y)
    assert (found["wins"], found["ties"], found["losses"]) == (1, 2, 0)


def test_no_difference_at_all_is_p_of_one_without_a_warning():
    x = np.array([0.5, 0.6, 0.7])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = compare(x, x.copy())
        gone = compare(x[:0], x[:0])
        one = compare(x[:1], np.array([0.4]))
    assert (found["statistic"], found["p"], found["rank_biserial"], found["cliffs_delta"], found["a12"]) == (0, 1, 0, 0, 0.5)
    assert (found["hodges_lehmann"], found["median_difference"], found["ties"]) == (0, 0, 3)
    assert math.isnan(gone["p"])
    assert (gone["n"], gone["wins"]) == (0, 0)
    assert (one["n"], one["wins"], one["rank_biserial"], one["a12"]) == (1, 1, 1.0, 1.0)
    assert math.isnan(one["hodges_lehmann_low"])


@pytest.mark.parametrize("n", [6, 7, 10])
def test_hodges_lehmann_bounds_are_those_of_the_exact_test(n):
    """A shift just inside the interval is not rejected at 5 %, one just outside is."""
    d = np.random.default_rng(n).normal(0.2, 1, n)
    low, high = hodges_lehmann_interval(d, 0.95)
    for shift, inside in [(low + 1e-9, True), (low - 1e-9, False), (high - 1e-9, True), (high + 1e-9, False)]:
        p = stats.wilcoxon(d - shift, method="exact").pvalue
        assert (p > 0.05) == inside
    assert low < np.median(walsh_averages(d)) < high


def test_hodges_lehmann_needs_six_differences_at_95_percent():
    assert all(map(math.isnan, hodges_lehmann_interval(np.arange(5.0), 0.95)))
    assert hodges_lehmann_interval(np.arange(6.0), 0.95) == (0.0, 5.0)
    assert hodges_lehmann_interval(np.arange(5.0), 0.90) == (0.0, 4.0)


def test_hodges_lehmann_above_fifty_covers_as_often_as_it_says():
    rng = np.random.default_rng(10)
    bounds = [hodges_lehmann_interval(rng.normal(0.3, 1, 60), 0.9) for _ in range(400)]
    covered = np.mean([low <= 0.3 <= high for low, high in bounds])
    # Binomial(400, 0.9): within three and a half standard errors.
    assert covered == pytest.approx(0.9, abs=3.5 * math.sqrt(0.09 / 400))


def test_walsh_averages_are_all_pairs():
    d = np.array([3.0, -1.0, 0.5])
    expected = sorted((a + b) / 2 for a, b in itertools.combinations_with_replacement(d, 2))
    np.testing.assert_array_equal(walsh_averages(d), expected)


def test_cliffs_delta_equals_a_loop():
    rng = np.random.default_rng(11)
    x, y = rng.integers(0, 6, 17) / 5, rng.integers(1, 6, 17) / 5
    loop = sum(int(a > b) - int(a < b) for a in x for b in y) / (17 * 17)
    assert cliffs_delta(x, y) == pytest.approx(loop, abs=1e-15)
    found = compare(x, y)
    assert found["a12"] == pytest.approx(np.mean([(a > b) + 0.5 * (a == b) for a in x for b in y]))


def test_signed_rank_table_pairs_cases_by_name_and_drops_undefined_ones():
    frame = scores(a=[0.1, 0.2, 0.3, math.nan, 0.5], b=[0.2, 0.3, 0.4, 0.5, 0.4]).sample(frac=1, random_state=3)
    frame = frame[~((frame["loss"] == "b") & (frame["case"] == "case0"))]
    (row,) = signed_rank_tests(frame, ["a", "b"], ["kidney"], 0.95).to_dict("records")
    assert (row["row"], row["column"], row["n"], row["wins"], row["losses"]) == ("b", "a", 3, 2, 1)
    assert row["median_difference"] == pytest.approx(0.1)
    assert row["p_holm"] == row["p"]


# Friedman


def test_friedman_example_of_scipys_manual():
    x = np.random.default_rng(seed=18).random((6, 10))
    found = friedman(x.T)
    assert found["chi2"] == pytest.approx(11.428571428571416)
    assert found["p"] == pytest.approx(0.043514520866727614)


# Times to round first base in three ways, 22 players (Hollander & Wolfe, table 7.1); R's friedman.test: 11.143 and 0.003805.
ROUNDING_TIMES = """
    5.40 5.50 5.55  5.85 5.70 5.75  5.20 5.60 5.50  5.55 5.50 5.40  5.90 5.85 5.70  5.45 5.55 5.60  5.40 5.40 5.35  5.45 5.50 5.35
    5.25 5.15 5.00  5.85 5.80 5.70  5.25 5.20 5.10  5.65 5.55 5.45  5.60 5.35 5.45  5.05 5.00 4.95  5.50 5.50 5.40  5.45 5.55 5.50
    5.55 5.55 5.35  5.45 5.50 5.55  5.50 5.45 5.25  5.65 5.60 5.40  5.70 5.65 5.55  6.30 6.30 6.25
"""


def test_friedman_with_ties_as_in_r():
    found = friedman(np.array(ROUNDING_TIMES.split(), dtype=float).reshape(22, 3))
    assert found["chi2"] == pytest.approx(11.143, abs=5e-4)
    assert found["p"] == pytest.approx(0.003805, abs=5e-7)


def test_friedman_equals_its_formula_and_the_analysis_of_variance_of_ranks():
    x = np.random.default_rng(12).random((15, 4))
    ranks = np.array([midranks(row) for row in x])
    chi2 = 12 / (15 * 4 * 5) * (ranks.sum(0) ** 2).sum() - 3 * 15 * 5
    found = friedman(x)
    assert found["chi2"] == pytest.approx(chi2)
    # Iman and Davenport's F is the F of the two-way analysis of variance of the ranks.
    treatment = 15 * ((ranks.mean(0) - 2.5) ** 2).sum()
    rest = ((ranks - 2.5) ** 2).sum() - treatment
    f = (treatment / 3) / (rest / (3 * 14))
    assert found["f"] == pytest.approx(f)
    assert found["p_f"] == pytest.approx(stats.f.sf(f, 3, 42))
    # Kendall's W: spread of the rank sums over its largest possible value.
    assert found["kendalls_w"] == pytest.approx(12 * ((ranks.sum(0) - 37.5) ** 2).sum() / (15**2 * (4**3 - 4)))


def test_friedman_at_its_limits():
    same_order = friedman(np.array([[1, 2, 3], [4, 5, 6], [0.1, 0.2, 0.3]]))
    assert same_order["chi2"] == pytest.approx(6)
    assert same_order["f"] == math.inf
    assert same_order["p_f"] == pytest.approx(1 / 36)
    assert same_order["kendalls_w"] == pytest.approx(1)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        tied = friedman(np.ones((4, 3)))
        one = friedman(np.array([[1.0, 2, 3]]))
        none = friedman(np.ones((0, 3)))
        two = friedman(np.ones((5, 2)))
    assert tied == {"chi2": 0.0, "p": 1.0, "f": 0.0, "p_f": 1.0, "kendalls_w": 0.0}
    assert one["chi2"] == pytest.approx(2)
    assert one["kendalls_w"] == pytest.approx(1)
    assert math.isnan(one["f"])
    assert all(map(math.isnan, [*none.values(), *two.values()]))


@pytest.mark.parametrize(
    ("first", "n"), [((1, 2, 3), 2), ((1, 2, 3), 4), ((1, 2, 2), 3), ((1, 2, 3, 4), 2), ((1, 1, 2, 3), 3), ((1, 1, 2, 2), 3)]
)
def test_friedman_with_the_same_order_in_every_case_equals_all_arrangements_counted(first, n):
    """Under the null every arrangement of a case's scores is as likely; here all tables of such cases, ties as in the first."""
    found = friedman(np.array([first] * n, dtype=float))
    arrangements = sorted(set(itertools.permutations(first)))
    tables = np.array(list(itertools.product(arrangements, repeat=n)), dtype=float)
    ranks = stats.rankdata(tables, axis=2)
    spread = ((ranks.sum(axis=1) - n * (len(first) + 1) / 2) ** 2).sum(axis=1)
    largest = np.isclose(spread, spread.max())
    assert found["f"] == math.inf
    assert found["p_f"] == pytest.approx(np.mean(largest))
    assert found["chi2"] == pytest.approx(n * (len(first) - 1))
    assert spread.max() == pytest.approx(((n * (ranks[0, 0] - ranks[0, 0].mean())) ** 2).sum())


def test_friedman_of_two_cases_in_the_same_order_is_not_significant():
    assert friedman(np.array([[0.1, 0.2, 0.3], [0.5, 0.6, 0.9]]))["p_f"] == pytest.approx(1 / 6)
    # Too many cases for any number of the computer's: 0, and no error.
    assert friedman(np.tile(np.arange(7.0), (200, 1)))["p_f"] == 0.0


def test_friedman_takes_complete_cases_of_the_losses_that_ran():
    frame = scores(a=[0.1, 0.2, 0.3, 0.4], b=[0.2, 0.1, 0.5, math.nan], c=[0.3, 0.4, 0.1, 0.2], d=[math.nan] * 4)
    (row,) = friedman_tests(frame, ["a", "b", "c", "d", "never"], ["kidney"]).to_dict("records")
    assert (row["n"], row["k"]) == (3, 3)


# Pairs


def test_pairs_are_the_lower_triangle_row_by_row():
    assert pairs(["a", "b", "c"]) == [("b", "a"), ("c", "a"), ("c", "b")]
    assert pairs(["a"]) == []


def test_a_case_scored_twice_is_an_error():
    frame = scores(a=[0.1, 0.2])
    with pytest.raises(ValueError, match="duplicate"):
        score_table(pd.concat([frame, frame]), ["a"], "kidney")
