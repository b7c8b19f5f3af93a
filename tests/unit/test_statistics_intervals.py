"""Means, bootstrap, ranking, and all statistics of a dataset together."""

import math
import warnings

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from workflow_lib.base.frames import read_frame, write_frame
from workflow_lib.base.seeds import generator
from workflow_lib.evaluation.scores import columns
from workflow_lib.metrics.registry import FIRST
from workflow_lib.statistics.fold_means import fold_means
from workflow_lib.statistics.intervals import bootstrap_means, t_interval
from workflow_lib.statistics.ranking import ranks
from workflow_lib.statistics.registry import compute

SETTINGS = {"bootstrap": 400, "confidence": 0.95}
CLASSES = ["kidney", "tumour"]


def scores(losses, cases=20, folds=5, seed=0):
    """Return random scores; each loss is a little better than the one before it."""
    rng = np.random.default_rng(seed)
    rows = []
    for case in range(cases):
        for name in CLASSES:
            level = rng.beta(6, 2)
            for step, loss in enumerate(losses):
                dsc, precision, recall = np.clip(level + 0.02 * step + rng.normal(0, 0.05, 3), 0, 1)
                head = ("set", loss, case % folds + 1, f"case{case:03d}", name, "class", 5, 1, 1)
                rows.append((*head, dsc, precision, recall, 20 * (1 - dsc), dsc, ""))
    return pd.DataFrame(rows, columns=list(columns(FIRST)))


def one(table, **where):
    for column, value in where.items():
        table = table[table[column] == value]
    (row,) = table.to_dict("records")
    return row


def computed(frame, losses, **settings):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return compute(frame, losses, SETTINGS | settings, seed=7)


def test_t_interval_by_hand():
    # Five values with mean 3 and sd sqrt(2.5); t(0.975, 4) = 2.776 from any table.
    mean, half, sd = t_interval([1, 2, 3, 4, 5], 0.95)
    assert (mean, sd) == (3, math.sqrt(2.5))
    assert half == pytest.approx(2.7764451 * math.sqrt(2.5) / math.sqrt(5))
    assert t_interval([1, math.nan, 3], 0.95)[0] == 2
    assert t_interval([2.0], 0.95)[0] == 2
    assert np.isnan(t_interval([2.0], 0.95)[1:]).all()
    assert np.isnan(t_interval([math.nan], 0.95)).all()


def test_means_are_means_of_fold_means():
    frame = scores(["a", "b"], cases=7, folds=3)  # folds of 3, 2 and 2 cases: the mean over the cases is another one
    tables = computed(frame, ["a", "b"])
    part = frame[(frame["loss"] == "b") & (frame["class"] == "tumour")]
    by_fold = [part.loc[part["fold"] == fold, "recall"].mean() for fold in (1, 2, 3)]
    row = one(tables["means"], loss="b", **{"class": "tumour"}, metric="recall")
    assert row["mean"] == pytest.approx(np.mean(by_fold), rel=1e-14)
    assert row["case_mean"] == pytest.approx(part["recall"].mean(), rel=1e-14)
    assert row["mean"] != row["case_mean"]
    low, high = stats.t.interval(0.95, 2, np.mean(by_fold), stats.sem(by_fold))
    assert (row["mean"] - row["ci95"], row["mean"] + row["ci95"]) == (pytest.approx(low), pytest.approx(high))
    assert (row["folds"], row["cases"], row["excluded"], row["empty_predictions"]) == (3, 7, 0, 0)
    folds = tables["fold_means"]
    found = folds[(folds["loss"] == "b") & (folds["class"] == "tumour") & (folds["metric"] == "recall")]
    assert list(found["fold"]) == [1, 2, 3]
    assert list(found["cases"]) == [3, 2, 2]
    np.testing.assert_allclose(found["mean"], by_fold, rtol=1e-14)


def test_undefined_scores_are_excluded_and_empty_predictions_counted():
    frame = scores(["a"], cases=10, folds=2)
    tumour = frame.index[frame["class"] == "tumour"]
    frame.loc[tumour[0], ["dsc", "precision", "recall"]] = math.nan
    frame.loc[tumour[0], "note"] = "both empty"
    frame.loc[tumour[1], ["dsc", "precision", "recall"]] = 0.0
    frame.loc[tumour[1], "note"] = "empty prediction"
    frame.loc[tumour[2], ["dsc", "precision", "recall"]] = [0.0, 0.0, math.nan]
    frame.loc[tumour[2], "note"] = "empty reference"
    means = computed(frame, ["a"])["means"]
    counts = {
        metric: tuple(one(means, metric=metric, **{"class": "tumour"})[c] for c in ("cases", "excluded", "empty_predictions"))
        for metric in ("dsc", "precision", "recall")
    }
    assert counts == {"dsc": (9, 1, 1), "precision": (9, 1, 1), "recall": (8, 2, 1)}
    assert one(means, metric="dsc", **{"class": "tumour"})["case_mean"] == pytest.approx(frame.loc[tumour, "dsc"].mean())
    assert one(means, metric="dsc", **{"class": "kidney"})["excluded"] == 0


def test_bootstrap_equals_a_loop_over_the_same_draws():
    frame = scores(["a", "b"], cases=9, folds=2)
    frame.loc[frame.index[::7], "dsc"] = math.nan
    found = bootstrap_means(frame, ["a", "b"], CLASSES, samples=30, seed=5)
    draws = {}
    for fold in (1, 2):
        cases = sorted(frame.loc[frame["fold"] == fold, "case"].unique())
        draws[fold] = [
            [cases[i] for i in row] for row in generator(5, "bootstrap", fold).integers(0, len(cases), (30, len(cases)))
        ]
    for key in [("a", "kidney", "dsc"), ("b", "tumour", "dsc"), ("b", "tumour", "recall")]:
        values = frame[(frame["loss"] == key[0]) & (frame["class"] == key[1])].set_index("case")[key[2]]
        column = found.keys.index(key)
        for sample in range(30):
            by_fold = [values[draws[fold][sample]] for fold in (1, 2)]
            assert found.case_means[sample, column] == pytest.approx(pd.concat(by_fold).mean(), rel=1e-12)
            assert found.table_means[sample, column] == pytest.approx(np.nanmean([v.mean() for v in by_fold]), rel=1e-12)


def test_bootstrap_means_of_a_loss_without_a_fold_are_over_its_own_folds():
    frame = scores(["a", "b"], cases=9, folds=3)
    cut = frame[~((frame["loss"] == "b") & (frame["fold"] == 3))]
    key = ("b", "kidney", "dsc")
    found = bootstrap_means(cut, ["a", "b"], CLASSES, samples=20, seed=5)
    two_folds = bootstrap_means(frame[frame["fold"] < 3], ["a", "b"], CLASSES, samples=20, seed=5)
    for means, expected in [(found.case_means, two_folds.case_means), (found.table_means, two_folds.table_means)]:
        np.testing.assert_allclose(means[:, found.keys.index(key)], expected[:, found.keys.index(key)], rtol=1e-14)


def test_the_interval_of_one_split_is_over_its_cases():
    frame = scores(["a", "b"], cases=9, folds=1)
    settings = {"bootstrap": 100, "confidence": 0.95, "interval_over": "cases"}
    row = one(compute(frame, ["a", "b"], settings, 1)["means"], loss="b", **{"class": "tumour"}, metric="dsc")
    values = frame.loc[(frame["loss"] == "b") & (frame["class"] == "tumour"), "dsc"]
    low, high = stats.t.interval(0.95, 8, values.mean(), stats.sem(values))
    assert (row["mean"] - row["ci95"], row["mean"] + row["ci95"]) == (pytest.approx(low), pytest.approx(high))
    assert row["mean"] == pytest.approx(row["case_mean"], rel=1e-14)


def test_bootstrap_has_the_spread_that_theory_says():
    frame = scores(["a"], cases=60, folds=3)
    found = bootstrap_means(frame, ["a"], ["kidney"], samples=4000, seed=1)
    values = frame[frame["class"] == "kidney"]
    variance = sum(len(part) * part.var(ddof=0) for _, part in values.groupby("fold")["dsc"]) / 60**2
    drawn = found.case_means[:, found.keys.index(("a", "kidney", "dsc"))]
    assert drawn.std() == pytest.approx(math.sqrt(variance), rel=0.05)
    assert drawn.mean() == pytest.approx(values["dsc"].mean(), abs=5 * math.sqrt(variance / 4000))
    low, high = found.interval(("a", "kidney", "dsc"), 0.95)
    assert high - low == pytest.approx(2 * 1.96 * math.sqrt(variance), rel=0.1)


def test_all_losses_meet_the_same_resample():
    frame = scores(["a", "b"])
    twin = frame[frame["loss"] == "a"].assign(loss="twin")
    found = bootstrap_means(pd.concat([frame, twin]), ["a", "b", "twin"], CLASSES, samples=50, seed=3)
    a, twin_column = (found.keys.index((loss, "tumour", "dsc")) for loss in ("a", "twin"))
    np.testing.assert_array_equal(found.case_means[:, a], found.case_means[:, twin_column])
    # And a further loss does not change the draws of the others.
    alone = bootstrap_means(frame, ["a", "b"], CLASSES, samples=50, seed=3)
    key = ("b", "kidney", "dsc")
    expected = found.case_means[:, found.keys.index(key)]
    np.testing.assert_allclose(alone.case_means[:, alone.keys.index(key)], expected, rtol=1e-14)


def test_result_depends_on_seed_but_not_on_the_order_of_rows():
    frame = scores(["a", "b", "c"])
    tables = computed(frame, ["a", "b", "c"])
    # Kidney first, as the order of classes is kept.
    shuffled = frame.sample(frac=1, random_state=1).sort_values("class", kind="stable")
    for name, table in computed(shuffled, ["a", "b", "c"]).items():
        pd.testing.assert_frame_equal(table, tables[name], rtol=1e-12)
    other = compute(frame, ["a", "b", "c"], SETTINGS, seed=8)
    assert not other["means"]["case_mean_low"].equals(tables["means"]["case_mean_low"])
    assert other["means"]["mean"].equals(tables["means"]["mean"])


def test_ranking_shares_are_shares():
    tables = computed(scores(["a", "b", "c"], cases=12), ["a", "b", "c"])
    ranking = tables["ranking"]
    assert list(ranking.columns) == ["class", "loss", "rank", "mean_rank", "share_rank_1", "share_rank_2", "share_rank_3"]
    shares = ranking[["share_rank_1", "share_rank_2", "share_rank_3"]].to_numpy()
    np.testing.assert_allclose(shares.sum(axis=1), 1)
    np.testing.assert_allclose(shares @ [1, 2, 3], ranking["mean_rank"])
    np.testing.assert_allclose(shares.reshape(2, 3, 3).sum(axis=1), 1)  # no ties: every rank is given once
    for name in CLASSES:
        means = tables["means"]
        of_class = means[(means["class"] == name) & (means["metric"] == "dsc")].sort_values("mean", ascending=False)
        by_rank = ranking[ranking["class"] == name].sort_values("rank")
        assert list(by_rank["loss"]) == list(of_class["loss"])


def test_a_loss_that_always_wins_and_one_that_ties():
    frame = scores(["a"])
    better = frame.assign(loss="better", dsc=frame["dsc"] + 0.5)
    twin = frame.assign(loss="twin")
    ranking = computed(pd.concat([frame, better, twin]), ["a", "better", "twin"])["ranking"]
    kidney = ranking[ranking["class"] == "kidney"].set_index("loss")
    assert kidney.loc["better", "share_rank_1"] == 1
    assert list(kidney["rank"]) == [2, 1, 2]
    assert list(kidney["share_rank_2"]) == [1, 0, 1]


def test_ranks_share_the_better_place():
    np.testing.assert_array_equal(ranks(np.array([[0.3, 0.9, 0.1 + 0.2], [1.0, 2.0, 3.0]])), [[2, 1, 2], [3, 2, 1]])


def test_columns_are_those_of_the_contract():
    tables = computed(scores(["a", "b", "c"], cases=10), ["a", "b", "c"])
    stems = "means fold_means ranksum signed_rank friedman ranking surface volumes sensitivity sensitivity_means"
    assert tuple(tables) == tuple(stems.split())
    columns = {name: ",".join(table.columns) for name, table in tables.items()}
    assert columns == {
        "means": "loss,class,metric,mean,ci95,sd,folds,cases,excluded,empty_predictions,case_mean,case_mean_low,case_mean_high",
        "fold_means": "loss,class,metric,fold,mean,cases",
        "ranksum": "class,row,column,statistic,p,p_holm,mark,n_row,n_column",
        "signed_rank": "class,row,column,n,statistic,p,p_holm,mark,median_difference,hodges_lehmann,hodges_lehmann_low,"
        "hodges_lehmann_high,rank_biserial,cliffs_delta,a12,wins,ties,losses",
        "friedman": "class,n,k,chi2,p,f,p_f,kendalls_w",
        "ranking": "class,loss,rank,mean_rank,share_rank_1,share_rank_2,share_rank_3",
        "surface": "loss,class,cases,failures,hd95_median,hd95_low,hd95_high,nsd_mean,nsd_low,nsd_high",
        "volumes": "loss,class,metric,cases,failures,median,low,high",
        "sensitivity": "variant,class,row,column,sign,p,p_holm,mark",
        "sensitivity_means": "variant,class,loss,mean,cases",
    }
    assert [len(table) for table in tables.values()] == [18, 90, 6, 6, 2, 6, 6, 0, 42, 24]


def test_surface_distances_count_failures_as_infinitely_far():
    frame = scores(["a", "b"], cases=9, folds=3)
    part = frame.index[(frame["loss"] == "a") & (frame["class"] == "tumour")]
    frame.loc[part[0], ["hd95", "nsd", "note"]] = [math.nan, math.nan, "both empty"]
    frame.loc[part[1:4], "hd95"] = math.nan
    frame.loc[part[1:4], "nsd"] = 0.0
    frame.loc[part[1:4], "note"] = "empty prediction"
    row = one(computed(frame, ["a", "b"])["surface"], loss="a", **{"class": "tumour"})
    assert (row["cases"], row["failures"]) == (8, 3)
    far = [*frame.loc[part[4:], "hd95"], *[math.inf] * 3]
    assert row["hd95_median"] == pytest.approx(np.median(far))
    assert row["hd95_low"] <= row["hd95_median"]
    assert math.isnan(row["hd95_high"])  # in some samples most cases are failures
    assert row["nsd_mean"] == pytest.approx(frame.loc[part[1:], "nsd"].sum() / 8)
    frame.loc[part[1:7], "hd95"] = math.nan
    assert math.isnan(one(computed(frame, ["a"])["surface"], **{"class": "tumour"})["hd95_median"])
    other = one(computed(frame, ["a", "b"])["surface"], loss="b", **{"class": "tumour"})
    assert (other["cases"], other["failures"]) == (9, 0)
    assert other["hd95_low"] <= other["hd95_median"] <= other["hd95_high"]


def test_the_intervals_of_surface_distances_keep_every_folds_number_of_cases():
    frame = scores(["a"], cases=12, folds=3)
    frame["nsd"] = (frame["fold"] == 1).astype(float)
    frame["hd95"] = frame["fold"].astype(float)
    row = one(computed(frame, ["a"])["surface"], **{"class": "tumour"})
    # Within a fold all cases are the same, so that a sample that keeps the folds is always the data.
    assert row["nsd_low"] == row["nsd_mean"] == row["nsd_high"] == pytest.approx(1 / 3)
    assert row["hd95_low"] == row["hd95_median"] == row["hd95_high"] == 2
    alone = one(computed(scores(["a"], cases=3, folds=3), ["a"])["surface"], **{"class": "tumour"})
    assert math.isfinite(alone["nsd_mean"])
    assert all(math.isnan(alone[bound]) for bound in ("nsd_low", "nsd_high", "hd95_low", "hd95_high"))


def test_no_surface_distances_no_table():
    frame = scores(["a", "b"])
    frame[["hd95", "nsd"]] = math.nan
    assert computed(frame, ["a", "b"])["surface"].empty


def test_missing_trainings_leave_the_rest_as_it_is():
    frame = scores(["a", "b", "c"])
    cut = frame[~((frame["loss"] == "c") & (frame["fold"] > 2))]
    tables = computed(cut, ["a", "b", "c", "never"])
    whole = computed(frame, ["a", "b", "c"])
    row = one(tables["means"], loss="c", **{"class": "kidney"}, metric="dsc")
    assert (row["folds"], row["cases"]) == (2, 8)
    never = one(tables["means"], loss="never", **{"class": "kidney"}, metric="dsc")
    assert (never["folds"], never["cases"], never["excluded"]) == (0, 0, 0)
    assert math.isnan(never["mean"])
    a = tables["means"][tables["means"]["loss"] == "a"].reset_index(drop=True)
    pd.testing.assert_frame_equal(a, whole["means"][whole["means"]["loss"] == "a"].reset_index(drop=True), rtol=1e-12)
    pair = one(tables["ranksum"], row="c", column="a", **{"class": "kidney"})
    assert (pair["n_row"], pair["n_column"]) == (8, 20)
    assert one(tables["signed_rank"], row="c", column="a", **{"class": "kidney"})["n"] == 8
    assert (one(tables["friedman"], **{"class": "kidney"})["n"], one(tables["friedman"], **{"class": "kidney"})["k"]) == (8, 3)
    assert "never" not in set(tables["ranking"]["loss"])


@pytest.mark.parametrize(("cases", "folds"), [(1, 1), (4, 1), (3, 3)])
def test_few_cases_and_one_fold_do_not_crash(cases, folds):
    tables = computed(scores(["a", "b", "c"], cases, folds), ["a", "b", "c"])
    means = tables["means"]
    assert means["mean"].notna().all()
    assert means["ci95"].isna().all() == (folds == 1)
    # With one case a fold, a resample can only be the data: no interval rather than one of width 0.
    assert means["case_mean_low"].isna().all() == (cases == folds)


def test_a_class_that_is_defined_nowhere_gives_nan_not_a_crash():
    frame = scores(["a", "b", "c"])
    frame.loc[frame["class"] == "tumour", ["dsc", "precision", "recall"]] = math.nan
    tables = computed(frame, ["a", "b", "c"])
    tumour = {name: table[table["class"] == "tumour"] for name, table in tables.items()}
    assert tumour["means"][["mean", "ci95", "case_mean", "case_mean_low"]].isna().all(axis=None)
    assert (tumour["means"]["excluded"] == 20).all()
    assert tumour["ranksum"]["p_holm"].isna().all()
    assert tumour["signed_rank"]["p_holm"].isna().all()
    assert tumour["friedman"]["p"].isna().all()
    assert len(tumour["ranking"]) == 0
    assert tables["ranksum"][tables["ranksum"]["class"] == "kidney"]["p_holm"].notna().all()


def test_identical_losses_and_no_scores_at_all():
    frame = scores(["a"])
    same = pd.concat([frame.assign(loss=loss) for loss in "abc"])
    tables = computed(same, ["a", "b", "c"])
    assert (tables["signed_rank"]["p_holm"] == 1).all()
    assert (tables["ranksum"]["p_holm"] == 1).all()
    assert (tables["friedman"]["p"] == 1).all()
    assert all(table.empty for table in computed(frame.iloc[:0], ["a", "b"]).values())


def test_one_loss_has_means_but_no_pairs():
    tables = computed(scores(["a"]), ["a"])
    assert len(tables["means"]) == 6
    assert tables["ranksum"].empty
    assert tables["signed_rank"].empty


def test_tables_come_back_from_their_files(tmp_path):
    tables = computed(scores(["a", "b", "c"]), ["a", "b", "c", "never"])
    for name, table in tables.items():
        write_frame(tmp_path / f"{name}.csv", table)
    for name, table in tables.items():
        back = read_frame(tmp_path / f"{name}.csv")
        pd.testing.assert_frame_equal(back, table, check_exact=True, check_dtype=False)


def test_fold_means_of_a_fold_without_defined_values():
    frame = scores(["a"], cases=4, folds=2)
    frame.loc[(frame["fold"] == 2), "recall"] = math.nan
    found = fold_means(frame, ["a"], ["kidney"])
    row = one(found, fold=2, metric="recall")
    assert math.isnan(row["mean"])
    assert row["cases"] == 0
