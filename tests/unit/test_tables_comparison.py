"""Departures from the protocol, verdicts, and the tables that come of them."""

import copy
import math
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from workflow_lib.base.frames import read_frame
from workflow_lib.statistics.holm import adjust
from workflow_lib.statistics.ranksum import ranksum_tests
from workflow_lib.tables import published
from workflow_lib.tables.agreement import rank_agreement
from workflow_lib.tables.comparison import VERDICTS, prediction_interval, score_comparison, verdict
from workflow_lib.tables.comparison_p import p_comparison
from workflow_lib.tables.protocol import departures, match_losses
from workflow_lib.tables.published import Interval
from workflow_lib.tables.pvalues import pvalue_table
from workflow_lib.tables.registry import build, write, write_latex
from workflow_lib.tables.scores import scores_table


@pytest.fixture(scope="module")
def kits19():
    return published.load("kits19")


def paper_settings(one):
    """Return the settings of a run that follows the protocol to the letter."""
    nested: dict[str, Any] = {}
    for path, value in one.settings.items():
        *sections, key = path.split(".")
        place = nested
        for section in sections:
            place = place.setdefault(section, {})
        place[key] = copy.deepcopy(value)
    nested["exclude"] = dict.fromkeys(nested.get("exclude", []), "as in the paper")
    nested["losses"] = [
        {"name": loss, "label": one.labels[loss], "loss": loss, "parameters": dict(parameters)}
        for loss, parameters in one.parameters.items()
    ]
    return nested


def paper_means(one, shift=0.0, half=1.0, folds=5):
    rows = [
        {"loss": loss, "class": name, "metric": metric, "mean": cell.mean + shift, "ci95": cell.half * half, "folds": folds}
        for (loss, name, metric), cell in one.scores.items()
    ]
    return pd.DataFrame(rows)


# Departures


def test_a_run_by_the_letter_departs_in_nothing(kits19):
    assert departures(paper_settings(kits19), 204, False, kits19) == []


def test_departures_are_told_in_plain_words(kits19):
    settings = paper_settings(kits19)
    settings["training"] |= {"epochs": 8, "patch": [16, 32, 32], "learning_rate": 1e-3}
    settings["cross_validation"]["folds"] = 3
    settings["preprocessing"] |= {"clip": None, "spacing": [3.22, 1.62, 1.5]}
    settings["augmentation"] |= {"mirror": False, "scaling": [0.85, 1.25], "gamma": (0.7, 1.5)}
    settings["network"]["filters"] = 8
    assert sorted(departures(settings, 12, True, kits19)) == sorted(
        [
            "data: synthetic images instead of KiTS19",
            "cases: 12 instead of 204",
            "folds: 3 instead of 5",
            "epochs: 8 instead of 500",
            "patch: 16 × 32 × 32 instead of 80 × 160 × 160",
            "learning rate: 0.001 instead of 0.0003",
            "clipping: none instead of -79 to 304",
            "spacing after resampling: 3.22 × 1.62 × 1.5 instead of 3.22 × 1.62 × 1.62",
            "mirroring: off instead of on",
            "scaling: 0.85 to 1.25 instead of none",
            "filters of the first level: 8 instead of 32",
        ]
    )


def test_losses_left_out_changed_or_added(kits19):
    settings = paper_settings(kits19)
    entries = {entry["name"]: entry for entry in settings["losses"]}
    entries["focal"]["parameters"]["gamma"] = 3.0
    settings["losses"] = [
        *[entry for name, entry in entries.items() if name not in ("dice", "combo")],
        {"name": "mine", "label": "Mine", "loss": "cross_entropy", "parameters": {}},
    ]
    assert departures(settings, 204, False, kits19) == [
        "losses left out: Dice loss, Combo loss",
        "Focal loss: gamma 3 instead of 2",
    ]


def test_losses_are_matched_by_what_they_are(kits19):
    gamma_3 = {"name": "focal", "label": "γ = 3", "loss": "focal", "parameters": {"alpha": 0.25, "gamma": 3.0, "alpha_t": False}}
    paper = {"name": "focal_of_the_paper", "label": "γ = 2", "loss": "focal", "parameters": dict(kits19.parameters["focal"])}
    assert match_losses(kits19, [gamma_3, paper]) == {"focal": "focal_of_the_paper"}
    assert match_losses(kits19, [gamma_3]) == {"focal": "focal"}
    assert match_losses(kits19, [gamma_3 | {"name": "focal_3"}]) == {}


def test_other_exclusions_are_named_where_they_say_something(kits19):
    settings = paper_settings(kits19)
    del settings["exclude"]["case_00015"]
    settings["exclude"]["case_00001"] = "blurred"
    assert departures(settings, 204, False, kits19) == [
        "cases kept that were excluded: case_00015",
        "cases excluded that were not: case_00001",
    ]
    assert departures(settings, 204, True, kits19) == ["data: synthetic images instead of KiTS19"]


# Verdicts


def test_prediction_interval_by_hand():
    # s = h sqrt(5) / t and reach = t s sqrt(2/5), so that reach = h sqrt(2).
    low, high = prediction_interval(Interval(0.751, 0.057), 5)
    assert low == pytest.approx(0.751 - 0.057 * math.sqrt(2))
    assert high == pytest.approx(0.751 + 0.057 * math.sqrt(2))


def test_prediction_interval_holds_the_mean_of_new_folds_95_times_of_100():
    rng = np.random.default_rng(1)
    folds = rng.normal(0.7, 0.03, (4000, 2, 5))
    half = stats.t.ppf(0.975, 4) * folds[:, 0].std(axis=1, ddof=1) / math.sqrt(5)
    held = 0
    for mean, h, new in zip(folds[:, 0].mean(axis=1), half, folds[:, 1].mean(axis=1), strict=True):
        low, high = prediction_interval(Interval(mean, h), 5)
        held += low <= new <= high
    assert held / 4000 == pytest.approx(0.95, abs=4 * math.sqrt(0.95 * 0.05 / 4000))


@pytest.mark.parametrize(
    ("ours", "half", "folds", "departing", "expected"),
    [
        (0.80, 0.05, 5, [], "consistent"),
        (0.831, 0.05, 5, [], "consistent"),  # 0.751 + 0.057 sqrt(2) = 0.8316
        (0.832, 0.05, 5, [], "inconsistent"),
        (0.60, 0.05, 5, [], "inconsistent"),
        (0.751, 0.114, 5, [], "consistent"),
        (0.751, 0.115, 5, [], "inconclusive"),
        (0.20, 0.20, 5, [], "inconclusive"),
        (0.751, math.nan, 5, [], "inconclusive"),
        (0.751, 0.05, 4, [], "not comparable"),
        (0.751, 0.05, 5, ["epochs: 8 instead of 500", "cases: 2 instead of 3"], "not comparable"),
        (math.nan, math.nan, 0, ["epochs: 8 instead of 500"], "no scores"),
        (math.nan, math.nan, 0, [], "no scores"),
    ],
)
def test_verdicts(ours, half, folds, departing, expected):
    word, reason = verdict(Interval(0.751, 0.057), 5, ours, half, folds, departing)
    assert word == expected
    assert reason
    if departing and expected == "not comparable":
        assert reason == "; ".join(departing)


def count_verdicts(comparison):
    """Return how many published scores have each verdict of `VERDICTS`, zeros included."""
    return {word: int((comparison["verdict"] == word).sum()) for word in VERDICTS}


def test_score_comparison_of_the_paper_with_itself(kits19):
    entries = paper_settings(kits19)["losses"]
    found = score_comparison(kits19, paper_means(kits19), entries, [])
    assert count_verdicts(found) == {"consistent": 42, "inconsistent": 0, "inconclusive": 0, "not comparable": 0, "no scores": 0}
    assert (found["difference"] == 0).all()
    assert ",".join(found.columns) == "loss,class,metric,published,published_ci95,ours,ours_ci95,difference,verdict,reason"
    far = score_comparison(kits19, paper_means(kits19, shift=-0.3), entries, [])
    assert count_verdicts(far)["inconsistent"] == 42
    np.testing.assert_allclose(far["difference"], -0.3)
    demo = score_comparison(kits19, paper_means(kits19), entries, ["data: synthetic images instead of KiTS19"])
    assert count_verdicts(demo)["not comparable"] == 42
    assert (demo["ours"] == demo["published"]).all()


def test_a_loss_or_class_without_scores_is_said_so(kits19):
    entries = [entry for entry in paper_settings(kits19)["losses"] if entry["name"] != "dice"]
    means = paper_means(kits19)
    means = means[(means["class"] != "kidney") | (means["loss"] != "combo")]
    found = score_comparison(kits19, means, entries, [])
    assert count_verdicts(found)["no scores"] == 6 + 3
    absent = found[found["verdict"] == "no scores"]
    assert absent[["ours", "ours_ci95", "difference"]].isna().all(axis=None)


def test_rank_agreement(kits19):
    entries = paper_settings(kits19)["losses"]
    same = rank_agreement(score_comparison(kits19, paper_means(kits19), entries, []))
    assert len(same) == 6
    np.testing.assert_allclose(same["tau"], 1)
    means = paper_means(kits19)
    means["mean"] = -means["mean"]
    np.testing.assert_allclose(rank_agreement(score_comparison(kits19, means, entries, []))["tau"], -1)
    dsc = kits19.scores
    tumour = [dsc[loss, "tumour", "dsc"].mean for loss in kits19.losses]
    swapped = [tumour[1], tumour[0], *tumour[2:]]  # one discordant pair of 21
    means = paper_means(kits19).set_index(["class", "metric"])
    means.loc[("tumour", "dsc"), "mean"] = swapped
    found = rank_agreement(score_comparison(kits19, means.reset_index(), entries, []))
    row = found[(found["class"] == "tumour") & (found["metric"] == "dsc")].iloc[0]
    assert (row["losses"], row["tau"]) == (7, pytest.approx((20 - 1) / 21))


def test_rank_agreement_of_one_loss_is_undefined(kits19):
    entries = paper_settings(kits19)["losses"][:1]
    found = rank_agreement(score_comparison(kits19, paper_means(kits19), entries, []))
    assert (found["losses"] == 1).all()
    assert found["tau"].isna().all()


def pooled(losses, seed=0, n=60):
    """Return scores of both classes where each loss is better than the one before it."""
    rng = np.random.default_rng(seed)
    rows = [
        (loss, f"case{case}", name, rng.normal(0.5 + 0.04 * step, 0.1))
        for step, loss in enumerate(losses)
        for case in range(n)
        for name in ("kidney", "tumour")
    ]
    return pd.DataFrame(rows, columns=["loss", "case", "class", "dsc"])


def test_p_comparison(kits19):
    ranksum = ranksum_tests(pooled(kits19.losses), kits19.losses, ["kidney", "tumour"])
    entries = paper_settings(kits19)["losses"]
    found = p_comparison(kits19, ranksum, entries)
    names = "class,row,column,published_p,ours_p,published_mark,ours_mark,published_sign,ours_sign,agree"
    assert ",".join(found.columns) == names
    assert len(found) == 42
    merged = found.merge(ranksum, on=["class", "row", "column"])
    np.testing.assert_allclose(merged["ours_p"], merged["p_holm"])
    row = found[(found["class"] == "tumour") & (found["row"] == "mixed_focal") & (found["column"] == "focal")].iloc[0]
    assert (row["published_p"], row["published_mark"], row["ours_mark"], row["agree"]) == ("1.30e-4", "‡", "‡", "yes")
    row = found[(found["class"] == "kidney") & (found["row"] == "mixed_focal") & (found["column"] == "focal")].iloc[0]
    assert (row["published_p"], row["published_mark"], row["ours_mark"], row["agree"]) == ("1.00", "", "‡", "no")


def test_a_further_loss_does_not_change_the_p_comparison(kits19):
    entries = paper_settings(kits19)["losses"]
    more = [{"name": "extra", "label": "Extra", "loss": "cross_entropy", "parameters": {}}, *entries]
    losses = ["extra", *reversed(kits19.losses)]  # in another order, too: rows and columns are swapped
    scores = pd.concat([pooled(kits19.losses), pooled(["extra"], seed=9)])
    with_extra = p_comparison(kits19, ranksum_tests(scores, losses, ["kidney", "tumour"]), more)
    alone = p_comparison(kits19, ranksum_tests(scores, kits19.losses, ["kidney", "tumour"]), entries)
    pd.testing.assert_frame_equal(with_extra, alone)


@pytest.mark.parametrize("turned", [False, True])
def test_significant_in_opposite_directions_does_not_agree(kits19, turned):
    """Of the published pairs mixed focal against focal is significant on tumours, and mixed focal has the higher mean."""
    statistics = {"same": 4.0, "opposite": -4.0}
    row, column = ("focal", "mixed_focal") if turned else ("mixed_focal", "focal")
    agree = {}
    for case, statistic in statistics.items():
        test = {"class": "tumour", "row": row, "column": column, "statistic": -statistic if turned else statistic, "p": 1e-5}
        found = p_comparison(kits19, pd.DataFrame([test]), paper_settings(kits19)["losses"])
        (line,) = found[found["ours_p"].notna()].to_dict("records")
        assert (line["row"], line["column"], line["published_sign"]) == ("mixed_focal", "focal", "+")
        assert line["ours_sign"] == ("+" if case == "same" else "-")
        agree[case] = line["agree"]
    assert agree == {"same": "yes", "opposite": "no"}


def test_p_comparison_without_ours(kits19):
    few = ["focal", "dice", "tversky"]
    entries = [entry for entry in paper_settings(kits19)["losses"] if entry["name"] in few]
    ranksum = ranksum_tests(pooled(few), few, ["kidney", "tumour"])
    found = p_comparison(kits19, ranksum, entries)
    assert found["ours_p"].notna().sum() == 6
    assert set(found.loc[found["ours_p"].isna(), "agree"]) == {""}
    first = found[found["class"] == "kidney"].iloc[:3]
    np.testing.assert_allclose(first["ours_p"], adjust(ranksum.loc[ranksum["class"] == "kidney", "p"].to_numpy()))


# Tables


def test_scores_table_marks_the_best_after_rounding(kits19):
    table = scores_table(paper_means(kits19), kits19.labels, kits19.classes)
    assert list(table.columns[:6]) == [
        "loss",
        "label",
        "dsc_kidney",
        "dsc_kidney_ci95",
        "precision_kidney",
        "precision_kidney_ci95",
    ]
    assert list(table["label"]) == list(kits19.labels.values())
    best = dict(zip(table["loss"], table["best"], strict=True))
    assert best["mixed_focal"] == "dsc_kidney;recall_kidney;dsc_tumour;recall_tumour"
    assert best["focal"] == "precision_kidney"
    # Dice and combo are both printed with a tumour precision of 0.794.
    assert best["dice"] == best["combo"] == "precision_tumour"
    assert best["tversky"] == ""
    assert table.loc[6, "dsc_tumour_ci95"] == 0.057


def test_scores_table_leaves_absent_losses_empty():
    means = pd.DataFrame([{"loss": "a", "class": "x", "metric": "dsc", "mean": 0.5, "ci95": math.nan}])
    table = scores_table(means, {"a": "A", "b": "B"}, ["x"])
    assert list(table["best"]) == ["dsc_x", ""]
    assert table["recall_x"].isna().all()
    assert table["dsc_x_ci95"].isna().all()


def test_pvalue_table_has_signs_and_leaves_regions_out():
    ranksum = pd.DataFrame(
        [
            ("both", "b", "a", 1.0, 0.5, ""),
            ("tumour", "b", "a", -2.5, 0.02, "*"),
            ("kidney", "b", "a", 2.5, 0.02, "*"),
            ("kidney", "c", "a", 0.0, 1.0, ""),
            ("kidney", "c", "b", math.nan, math.nan, ""),
        ],
        columns=["class", "row", "column", "statistic", "p_holm", "mark"],
    )
    table = pvalue_table(ranksum, ["kidney", "tumour"])
    assert ",".join(table.columns) == "class,row,column,p_holm,mark,sign"
    assert list(table["class"]) == ["kidney"] * 3 + ["tumour"]
    assert list(table["sign"]) == ["+", "0", "", "-"]


def test_all_tables_come_back_from_their_files(tmp_path, kits19):
    settings = paper_settings(kits19)
    ranksum = ranksum_tests(pooled(kits19.losses), kits19.losses, ["kidney", "tumour"])
    statistics = {"means": paper_means(kits19), "ranksum": ranksum}
    tables = build(statistics, settings, ["kidney", "tumour"], 204, False, kits19)
    assert set(tables) == {"scores", "pvalues", "comparison", "comparison_p", "agreement", "claims"}
    write(tmp_path, "kits19", tables)
    write_latex(tmp_path, "kits19", tables, kits19.labels, ["kidney", "tumour"])
    for name, table in tables.items():
        back = read_frame(tmp_path / f"kits19_{name}.csv")
        pd.testing.assert_frame_equal(back, table, check_exact=True, check_dtype=False)
    assert sorted(path.name for path in tmp_path.glob("*.tex")) == ["kits19_pvalues.tex", "kits19_scores.tex"]
    assert set(tables["comparison"]["verdict"]) == {"consistent"}


def test_without_published_numbers_the_comparisons_have_no_rows(tmp_path, kits19):
    ranksum = ranksum_tests(pooled(kits19.losses), kits19.losses, ["kidney", "tumour"])
    statistics = {"means": paper_means(kits19), "ranksum": ranksum}
    tables = build(statistics, paper_settings(kits19), ["kidney", "tumour"], 12, True, None)
    assert (len(tables["scores"]), len(tables["comparison"]), len(tables["comparison_p"])) == (7, 0, 0)
    write(tmp_path, "x", tables)
    assert (tmp_path / "x_comparison.csv").read_text().startswith("loss,class,metric,published,")
