"""Tables, sentences and small texts of the report."""

from dataclasses import replace
from typing import Any

import pandas as pd
import pytest

from tests.report_fixture import PAPER_LOSSES, make_study, shown
from tests.report_fixture_scores import write
from workflow_lib.base.frames import write_frame
from workflow_lib.report import details, paper, score_tables, sensitivity, text, words
from workflow_lib.report.sources import Sources, png_size, svg_size
from workflow_lib.report.study import Dataset, Loss, read_dataset
from workflow_lib.statistics import surface
from workflow_lib.statistics.holm import mark
from workflow_lib.statistics.signed_rank import signed_rank_tests

LOSSES = dict(list(PAPER_LOSSES.items())[-3:])


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("results")
    study = make_study(folder, losses=LOSSES, cases=8, folds=2, missing=[("combo", 2)])
    return shown(study), Sources(folder)


def test_scores_in_the_paper_s_form(made):
    study, sources = made
    dataset = study.datasets[0]
    table = score_tables.score_table(sources, dataset, {"combo": "without fold 2"})
    assert table["classes"] == ["kidney", "tumour"]
    assert [row["label"] for row in table["rows"]] == list(LOSSES.values())
    assert [row["gap"] for row in table["rows"]] == [None, "without fold 2", None]
    rows = sources.rows("tables/kits19_scores.csv")
    first, cell = rows[0], table["rows"][0]["cells"][0]
    assert cell["text"] == f"{float(first['dsc_kidney']):.3f} ± {float(first['dsc_kidney_ci95']):.3f}"
    assert cell["sort"] == first["dsc_kidney"]
    assert cell["published"] == "0.943 ± 0.015"
    assert cell["difference"] == f"{float(first['dsc_kidney']) - 0.943:+.3f}"
    for column in range(6):
        best = [row["cells"][column]["text"] for row in table["rows"] if row["cells"][column]["best"]]
        assert len({value[:5] for value in best}) == 1
        assert best[0][:5] == max(row["cells"][column]["text"][:5] for row in table["rows"])


def test_p_values_are_a_lower_triangle_with_a_line_per_class(made):
    study, sources = made
    table = score_tables.p_table(sources, study.datasets[0])
    assert table["columns"] == list(LOSSES.values())
    for position, group in enumerate(table["groups"]):
        assert [line["class"] for line in group["lines"]] == ["kidney", "tumour"]
        assert all(len(line["cells"]) == position for line in group["lines"])
        assert all(line["empty"] == 2 - position for line in group["lines"])


def test_signs_are_shape_and_colour(made, tmp_path):
    study, _ = made
    dataset = study.datasets[0]
    columns = ["class", "row", "column", "p_holm", "mark", "sign"]
    rows: list[dict[str, object]] = [
        {"class": "kidney", "row": "combo", "column": "focal_tversky", "p_holm": 0.00083, "mark": "‡", "sign": "+"},
        {"class": "kidney", "row": "mixed_focal", "column": "focal_tversky", "p_holm": 0.0209, "mark": "*", "sign": "-"},
        {"class": "kidney", "row": "mixed_focal", "column": "combo", "p_holm": None, "mark": "", "sign": ""},
    ]
    write(tmp_path / "tables/kits19_pvalues.csv", columns, rows)
    table = score_tables.p_table(Sources(tmp_path), dataset)
    higher = table["groups"][1]["lines"][0]["cells"][0]
    assert (higher["arrow"], higher["css"], higher["text"], higher["mark"]) == ("▲", "higher", "8.30 × 10⁻⁴", "‡")
    lower, undefined = table["groups"][2]["lines"][0]["cells"]
    assert (lower["arrow"], lower["css"], lower["text"]) == ("▼", "lower", "0.0209")
    assert undefined["text"] is None


def p_cell(shown, ours, published, agree):
    marks = {"ours_mark": mark(ours), "published_mark": mark(published)}
    row = {"p_holm": str(shown), "mark": mark(shown), "sign": "+"}
    return score_tables._p_cell(row, {"published_p": str(published), "ours_p": str(ours), "agree": agree, **marks})


def test_what_is_held_against_a_published_p_is_told_where_it_is_another_verdict_than_the_cell():
    """A cell is adjusted over all pairs of the study, the comparison with the publication over the published pairs."""
    same = p_cell(0.04, 0.01, 0.03, "yes")
    assert "disagrees" not in same
    assert "of_published" not in same
    further_losses = p_cell(0.06, 0.03, 0.02, "yes")
    assert (further_losses["text"], further_losses["mark"]) == ("0.0600", "")
    assert (further_losses["of_published"], further_losses["of_published_mark"]) == ("0.0300", "*")
    fewer_losses = p_cell(0.04, 0.06, 0.02, "no")
    assert fewer_losses["of_published"] == "0.0600"
    assert fewer_losses["disagrees"] == "one is significant and the other is not"
    assert p_cell(0.01, 0.01, 0.02, "no")["disagrees"] == "both are significant, in opposite directions"


def test_verdicts_are_counted_over_all_datasets(made):
    study, sources = made
    counts = {item["name"]: item["count"] for item in score_tables.verdict_counts(sources, study.datasets)}
    assert counts == {"consistent": 9, "inconsistent": 9, "inconclusive": 9, "not comparable": 0, "no scores": 0}
    assert score_tables.verdict_counts(sources, []) == []


def test_a_long_list_of_departures_is_not_repeated_in_every_line(tmp_path):
    columns = ["loss", "class", "metric", "published", "published_ci95", "ours", "ours_ci95", "difference", "verdict", "reason"]
    reasons = ["epochs: 8 instead of 500; cases: 12 instead of 204", "a; b; c; d; e"]
    rows = [dict(zip(columns, ["x", "t", "dsc", 0.5, 0.1, 0.4, 0.1, -0.1, "not comparable", r], strict=True)) for r in reasons]
    write(tmp_path / "tables/d_comparison.csv", columns, rows)
    lines = score_tables.comparison_rows(Sources(tmp_path), Dataset("d"))
    assert [line["reason"] for line in lines] == [reasons[0], "the protocol departs in 5 points, listed on the first screen"]


@pytest.mark.parametrize(
    ("bounds", "hd95", "nsd"),
    [
        (("2", "", "0.5", "0.75"), "4.0 [2.0, ∞]", "0.625 [0.500, 0.750]"),
        (("", "", "", ""), "4.0", "0.625"),
    ],
)
def test_surface_distances_without_an_interval_have_no_brackets(tmp_path, bounds, hd95, nsd):
    columns = "loss,class,cases,failures,hd95_median,hd95_low,hd95_high,nsd_mean,nsd_low,nsd_high"
    low, high, nsd_low, nsd_high = bounds
    (tmp_path / "statistics/d").mkdir(parents=True)
    row = f"a,kidney,3,0,4,{low},{high},0.625,{nsd_low},{nsd_high}"
    (tmp_path / "statistics/d/surface.csv").write_text(f"{columns}\n{row}\n", encoding="utf-8")
    table = details.surface_table(Sources(tmp_path), Dataset("d"))
    assert table is not None
    (found,) = table["rows"]
    assert (found["hd95"]["text"], found["nsd"]["text"]) == (hd95, nsd)


def test_surface_distances_of_a_loss_without_scores_are_not_called_infinite(tmp_path):
    columns = ["loss", "class", "note", "fold", "case", "hd95", "nsd"]
    frame = pd.DataFrame([("a", "kidney", "", 1, "case", 4.0, 0.5)], columns=columns)
    table = surface.surface_table(frame, ["a", "diverged"], ["kidney"], 10, 0.95, 1)
    write_frame(tmp_path / "statistics/d/surface.csv", table)
    shown = details.surface_table(Sources(tmp_path), Dataset("d"))
    assert shown is not None
    texts = [(row["hd95"]["text"], row["nsd"]["text"], row["cases"]) for row in shown["rows"]]
    assert texts == [("4.0", "0.500", "1"), ("–", "–", "0")]


def test_friedman_in_words(tmp_path):
    columns = ["class", "n", "k", "chi2", "p", "f", "p_f", "kendalls_w"]
    rows = [
        ["LV a", 2, 3, 4.0, 0.02, float("inf"), 1 / 6, 1.0],
        ["b", 1, 3, 2.0, 0.4, "", "", 1.0],
        ["c", 200, 7, 1200.0, 1e-250, float("inf"), 0.0, 1.0],
        ["d", 20, 3, 9.0, 0.01, 5.51, 0.0079, 0.225],
    ]
    write(tmp_path / "statistics/d/friedman.csv", columns, [dict(zip(columns, row, strict=True)) for row in rows])
    assert details.friedman(Sources(tmp_path), Dataset("d")) == [
        "LV a, 2 cases and 3 losses: no difference between the losses is shown "
        "(Friedman test, the same order in every case, exact p = 0.167; Kendall's W = 1.00).",
        "B, 1 case and 3 losses: the Friedman test is not defined.",
        "C, 200 cases and 7 losses: the losses differ "
        "(Friedman test, the same order in every case, exact p < 10⁻³⁰⁰; Kendall's W = 1.00).",
        "D, 20 cases and 3 losses: the losses differ (Friedman test, Iman–Davenport F = 5.51, p = 0.00790; Kendall's W = 0.23).",
    ]


def test_gaps(made):
    study, sources = made
    first = study.datasets[0]
    assert details.gaps(sources, first, {}) == {"combo": "without fold 2"}
    runs: dict[str, dict[int, dict[str, Any]]] = {"combo": {1: {"diverged": None}, 2: {"diverged": {"epoch": 7}}}}
    assert details.gaps(sources, first, runs) == {"combo": "fold 2 diverged in epoch 7"}
    extra = replace(study.datasets[0], losses=(Loss("absent", "Absent"),))
    assert details.gaps(sources, extra, {}) == {"absent": "no scores"}


def test_a_large_study_shows_the_pairs_of_the_best_loss(made, monkeypatch):
    study, sources = made
    dataset = study.datasets[0]
    full = details.pairs_table(sources, dataset)
    assert full is not None
    assert (len(full["rows"]), full["cut"]) == (6, False)
    monkeypatch.setattr(details, "MOST_PAIRS", 5)
    cut = details.pairs_table(sources, dataset)
    assert cut is not None
    best = {
        dataset.losses[[loss.name for loss in dataset.losses].index(names[0])].label
        for names in details.best_losses(sources, dataset).values()
    }
    assert cut["cut"]
    assert cut["total"] == 6
    assert len(cut["rows"]) == 4
    assert all(best & {row["row"], row["column"]} for row in cut["rows"])


def significant(tmp_path, ranksum, signed, means=(0.5, 0.7, 0.6), published=True):
    """Return the finding on a study of three losses, of which "b" is the best."""
    rows = zip("abc", means, strict=True)
    means = [{"loss": n, "class": "t", "metric": "dsc", "mean": m, "ci95": 0.01} for n, m in rows]
    write(tmp_path / "statistics/d/means.csv", ["loss", "class", "metric", "mean", "ci95"], means)
    columns = ["class", "row", "column", "statistic", "p_holm"]
    write(tmp_path / "statistics/d/ranksum.csv", columns, [dict(zip(columns, ("t", *row), strict=True)) for row in ranksum])
    columns = [*columns, "rank_biserial"]
    write(tmp_path / "statistics/d/signed_rank.csv", columns, [dict(zip(columns, ("t", *row), strict=True)) for row in signed])
    losses = [{"name": n, "label": f"Loss {n.upper()}"} for n in "abc"]
    dataset = read_dataset(
        {"name": "d", "classes": ["background", "t"], "losses": losses, "published": "kits19" if published else None}
    )
    return words.findings(Sources(tmp_path), dataset)


def test_the_rank_sum_test_is_called_published_only_beside_a_publication(tmp_path):
    (found,) = significant(tmp_path, ranksum=[("b", "a", 2.5, 0.01)], signed=[], published=False)
    assert found["text"].startswith("Rank-sum test: significantly above the other.")


def test_findings_know_which_side_of_a_pair_is_better(tmp_path):
    (found,) = significant(
        tmp_path,
        ranksum=[("b", "a", 2.5, 0.01), ("c", "b", -2.5, 0.2), ("c", "a", 3.0, 0.001)],
        signed=[("b", "a", 40.0, 0.01, 0.2), ("c", "b", 40.0, 0.04, -0.1), ("c", "a", 3.0, 0.9, 0.1)],
    )
    assert found["best"] == [{"name": "b", "loss": "Loss B", "score": "0.700 ± 0.010"}]
    assert found["text"] == (
        "Rank-sum test, as published: significantly above one of the two others (Loss A). "
        "Paired signed-rank test: significantly above all of the two others."
    )


def test_findings_say_when_the_best_mean_is_significantly_below_another(tmp_path):
    (found,) = significant(tmp_path, ranksum=[("c", "b", 2.5, 0.01), ("b", "a", 1.0, None)], signed=[])
    assert found["text"].startswith("Rank-sum test, as published: significantly above none, significantly below Loss C.")
    assert found["text"].endswith("Paired signed-rank test: no pair could be tested.")


def test_losses_that_share_the_highest_mean_after_rounding_are_all_named(tmp_path):
    """As in the table: 0.7004 and 0.6996 are both shown as 0.700, and both in bold."""
    tests = [("b", "a", 0.1, 0.9), ("c", "b", -2.5, 0.01), ("c", "a", -2.0, 0.2)]
    (found,) = significant(tmp_path, ranksum=tests, signed=[], means=(0.6996, 0.7004, 0.6))
    assert [(item["name"], item["score"]) for item in found["best"]] == [("a", "0.700 ± 0.010"), ("b", "0.700 ± 0.010")]
    untested = "Paired signed-rank test: no pair could be tested."
    assert found["text"] == (
        f"Loss A: Rank-sum test, as published: significantly above none of the two others. {untested} "
        f"Loss B: Rank-sum test, as published: significantly above one of the two others (Loss C). {untested}"
    )


def test_of_many_losses_with_the_same_mean_the_tests_are_not_told_one_by_one(tmp_path):
    rows = [{"loss": n, "class": "t", "metric": "dsc", "mean": 0.0, "ci95": 0.0} for n in "abcdefghi"]
    write(tmp_path / "statistics/d/means.csv", ["loss", "class", "metric", "mean", "ci95"], rows)
    for names, named in (("abcd", "ABCD"), ("abcdefghi", "ABC")):
        losses = [{"name": n, "label": n.upper()} for n in names]
        (found,) = words.findings(
            Sources(tmp_path), read_dataset({"name": "d", "classes": ["background", "t"], "losses": losses, "published": None})
        )
        assert "".join(item["loss"] for item in found["best"]) == named
        assert found["more"] == len(names) - len(named)
        assert found["text"] == "The tables show the tests of each."


def test_the_direction_is_that_of_the_rank_sums_where_most_differences_are_zero(tmp_path):
    """Then the Hodges-Lehmann estimate is exactly 0, but the test may be significant."""
    dsc = {"a": [0.5] * 40, "b": [0.5] * 30 + [0.5 + 0.01 * step for step in range(1, 11)]}
    scores = [(loss, f"case{i}", "t", value) for loss, values in dsc.items() for i, value in enumerate(values)]
    tests = signed_rank_tests(pd.DataFrame(scores, columns=["loss", "case", "class", "dsc"]), ["a", "b"], ["t"], 0.95)
    assert (tests["hodges_lehmann"][0], tests["p_holm"][0] < 0.05) == (0, True)
    write_frame(tmp_path / "statistics/d/signed_rank.csv", tests)
    means = [{"loss": n, "class": "t", "metric": "dsc", "mean": sum(values) / 40, "ci95": 0.01} for n, values in dsc.items()]
    write(tmp_path / "statistics/d/means.csv", ["loss", "class", "metric", "mean", "ci95"], means)
    losses = [{"name": n, "label": f"Loss {n.upper()}"} for n in "ab"]
    (found,) = words.findings(
        Sources(tmp_path), read_dataset({"name": "d", "classes": ["background", "t"], "losses": losses, "published": None})
    )
    assert found["text"] == "Paired signed-rank test: significantly above the other."


def test_the_sentence_names_losses_cases_folds_and_data(made):
    study, sources = made
    assert words.sentence(sources, study).replace("\u2011", "-") == (
        "Three loss functions are used to train a 3-D U-Net on KITS19 (8 cases, 2 folds, synthetic), "
        "three on BRATS20 (8 cases, 2 folds, synthetic). "
        "Only the loss differs: cases, initial weights, patches and augmentations are the same."
    )


def test_of_one_loss_the_sentence_does_not_say_that_only_the_loss_differs(made):
    study, sources = made
    one = [replace(dataset, losses=dataset.losses[:1]) for dataset in study.datasets]
    assert words.sentence(sources, replace(study, datasets=tuple(one))).replace("\u2011", "-") == (
        "One loss function is used to train a 3-D U-Net on KITS19 (8 cases, 2 folds, synthetic), "
        "one on BRATS20 (8 cases, 2 folds, synthetic)."
    )
    assert "Only the loss differs" in words.sentence(sources, replace(study, datasets=(one[0], study.datasets[1])))


def test_cost_counts_every_attempt(made):
    study, _ = made
    dataset = study.datasets[0]
    runs: dict[str, dict[int, dict[str, Any]]] = {
        "combo": {
            1: {
                "seconds": 100.0,
                "waiting_seconds": 7.0,
                "peak_memory_mib": 10.0,
                "attempts": [{"host": "b", "device": "CPU"}, {"host": "a", "device": "CPU"}],
            },
            2: {"seconds": 300.0, "waiting_seconds": 3.0, "peak_memory_mib": None, "attempts": [{"host": "a", "device": "CPU"}]},
        }
    }
    row = details.cost_rows(replace(dataset, losses=(Loss("combo", "Combo"),)), runs)[0]
    assert (row["trainings"], row["restarts"], row["hosts"], row["memory"]) == (2, 1, "a, b", "10 MiB")
    assert (row["total"]["sort"], row["median"]["sort"]) == ("400.0", "200.0")
    assert row["waited"] == {"text": "2.5%", "sort": "0.025"}
    assert row["gpu"]["text"] == "0.0"


def test_gpu_hours_are_those_of_all_attempts_on_gpus(made):
    dataset = replace(made[0].datasets[0], losses=tuple(Loss(n, n) for n in ("combo", "dice", "absent")))
    attempts = [
        {"device": "NVIDIA H100", "seconds": 1800.0},
        {"device": "cpu", "seconds": 900.0},
        {"device": "starting", "seconds": 5},
    ]
    run = {"seconds": 2700.0, "waiting_seconds": 0.0, "attempts": attempts}
    rows = details.cost_rows(dataset, {"combo": {1: run, 2: run}, "dice": {1: run}, "absent": {}}, gpus=2)
    assert [row["gpu"]["text"] for row in rows] == ["2.0", "1.0", "0.0"]
    assert details.cost_total(rows) == {"trainings": 3, "total": "2 h 15 min", "gpu": "3.0", "restarts": 6}
    assert details.cost_total(rows[2:])["total"] == "–"


@pytest.mark.parametrize(
    ("seconds", "words_"),
    [(0, "0 s"), (89, "89 s"), (90, "2 min"), (3600, "60 min"), (11100, "3 h 05 min"), (187200, "2 d 4 h"), (float("nan"), "–")],
)
def test_durations(seconds, words_):
    assert text.duration(seconds) == words_


def test_counts_and_lists():
    assert [text.count(n, "case") for n in (0, 1, 2)] == ["0 cases", "1 case", "2 cases"]
    assert text.grouped(1234567) == "1\u202f234\u202f567"
    assert [text.listed(items) for items in ([], ["a"], ["a", "b"], ["a", "b", "c"])] == ["", "a", "a and b", "a, b and c"]


def test_figures_are_embedded_as_svg_unless_large(tmp_path):
    folder = tmp_path / "figures"
    folder.mkdir()
    (folder / "x.svg").write_text('<?xml?><svg height="36pt" width="72.5pt"></svg>')
    png = b"\x89PNG\r\n\x1a\n" + bytes(8) + (600).to_bytes(4, "big") + (300).to_bytes(4, "big")
    (folder / "x.png").write_bytes(png)
    small = Sources(tmp_path).figure("x")
    assert small is not None
    assert small["uri"].startswith("data:image/svg+xml;base64,")
    assert (small["width"], small["height"]) == (97, 48)
    (folder / "x.svg").write_text("<svg>" + " " * 400_000)
    large = Sources(tmp_path).figure("x")
    assert large is not None
    assert large["uri"].startswith("data:image/png;base64,")
    assert (large["width"], large["height"]) == png_size(png) == (192, 96)
    assert Sources(tmp_path).figure("y") is None
    assert svg_size(b"<svg>") == (0, 0)


def test_models_show_how_many_cases_they_were_trained_and_chosen_on(made):
    study, sources = made
    dataset = study.datasets[0]
    rows = details.model_rows(dataset, details.trainings(sources, dataset))
    assert rows
    assert {row["cases"] for row in rows} == {"16 / 4"}


def test_the_paper_s_claims_and_contradictions(made):
    study, sources = made
    part = paper.describe(sources, study.datasets[0], departs=True)
    assert part is not None
    assert [row["repeated"] for row in part["claims"]][:3] == [False, True, False]
    # The study has three of the paper's seven losses, so claims about all seven cannot be checked.
    best, again = part["claims"][:2]
    assert (best["class"], best["published"]["state"], best["ours"]["state"]) == ("kidney", "holds", "no scores")
    assert best["claim"] == again["claim"]
    assert [item["used"] for item in part["contradictions"]] == ["± 0.057"]
    assert {item["claim"] for item in part["unsupported"]} == {
        "The Mixed Focal loss is best on all metrics.",
        "The Mixed Focal loss significantly outperforms the other losses.",
        "The Mixed Focal loss has the best balance of recall and precision.",
    }
    totals = paper.totals([part])
    assert totals is not None
    assert (totals["all"], totals["published"]) == (14, 8)
    assert totals["ours"] <= totals["run"] < totals["all"]
    assert paper.describe(sources, replace(study.datasets[0], published=None), departs=False) is None
    assert paper.totals([]) is None


def panel(tmp_path, outcomes, means, family=None, **dataset):
    """Return the panel's lines. By (variant, class), `outcomes` is {(row, column): (sign, p)} and `means` is {loss: mean}."""
    rows = [
        {"variant": v, "class": c, "row": r, "column": k, "sign": sign, "p_holm": p}
        for (v, c), pairs in outcomes.items()
        for (r, k), (sign, p) in pairs.items()
    ]
    write(tmp_path / "statistics/d/sensitivity.csv", ["variant", "class", "row", "column", "sign", "p_holm"], rows)
    rows = [{"variant": v, "class": c, "loss": n, "mean": m} for (v, c), of in means.items() for n, m in of.items()]
    write(tmp_path / "statistics/d/sensitivity_means.csv", ["variant", "class", "loss", "mean"], rows)
    losses = [{"name": n, "label": n.upper()} for n in "abc"]
    shown = sensitivity.panel(Sources(tmp_path), read_dataset({"name": "d", "losses": losses, **dataset}), family)
    assert shown is not None
    return {(line["choice"], line["class"]): line for line in shown["rows"]}


def test_the_sensitivity_panel_tells_what_changes(tmp_path):
    published = {("b", "a"): ("+", 0.01), ("c", "a"): ("-", 0.2), ("c", "b"): ("-", 0.04)}
    outcomes = {
        ("published", "t"): published,
        ("uncorrected", "t"): published | {("c", "a"): ("-", 0.04)},
        ("folds", "t"): {pair: (sign, 0.5) for pair, (sign, _) in published.items()},
        ("paired", "t"): published | {("b", "a"): ("-", 0.01), ("c", "a"): ("", "")},
    }
    means = {("published", "t"): {"a": 0.5, "b": 0.7, "c": 0.6}, ("paired", "t"): {"a": 0.7, "b": 0.6, "c": 0.7001}}
    lines = {choice: line for (choice, _), line in panel(tmp_path, outcomes, means, classes=["background", "t"]).items()}
    plain, corrected, folds, paired = (lines[sensitivity.CHOICES[v][1]] for v in ("published", "uncorrected", "folds", "paired"))
    assert (plain["best"], plain["mean"], plain["significant"], plain["changes"]) == ("B", "0.700", "2 of 3", "none")
    assert plain["tau"]["text"] == "1.00"
    assert (corrected["significant"], corrected["changes"]) == ("3 of 3", "now significant: A above C")
    assert folds["changes"] == "no longer significant: B above A, B above C"
    assert (paired["best"], paired["significant"], paired["changes"]) == ("A, C", "2 of 2", "reversed: A above B")


def test_a_region_stands_for_its_first_class(tmp_path):
    outcomes = {("published", name): {("b", "a"): ("+", p)} for name, p in (("kidney", 0.2), ("tumour", 0.2), ("both", 0.01))}
    means = {("published", name): {"a": 0.5, "b": 0.7} for name in ("kidney", "tumour", "both")}
    classes = ["background", "kidney", "tumour"]
    lines = panel(tmp_path, outcomes, means, classes=classes, regions={"both": [1, 2]})
    assert set(lines) == {
        (sensitivity.CHOICES["published"][1], "kidney"),
        (sensitivity.CHOICES["published"][1], "tumour"),
        ("the region both instead of the class kidney", "kidney"),
    }
    assert lines["the region both instead of the class kidney", "kidney"]["changes"] == "now significant: B above A"
    assert sensitivity.panel(Sources(tmp_path / "empty"), Dataset("d", classes=tuple(classes))) is None


def test_holm_over_the_whole_study_by_hand(tmp_path):
    columns = ["class", "row", "column", "statistic", "p"]
    tests = {
        "d": [("t", "b", "a", 2.0, 0.02), ("both", "b", "a", 3.0, 1e-9), ("t", "x", "a", 3.0, 1e-9)],
        "e": [("u", "b", "a", -1.0, 0.03)],
    }
    for name, rows in tests.items():
        write(tmp_path / f"statistics/{name}/ranksum.csv", columns, [dict(zip(columns, row, strict=True)) for row in rows])
    losses = [{"name": n, "label": n.upper()} for n in "ab"]
    datasets = [
        read_dataset({"name": n, "classes": ["background", c], "losses": losses})
        for n, c in (("d", "t"), ("e", "u"), ("absent", "t"))
    ]
    # With two tests the smaller p is doubled. Regions and losses that are not listed are ignored.
    family = sensitivity.study_family(Sources(tmp_path), datasets)
    assert family == {("d", "t", "b", "a"): 0.04, ("e", "u", "b", "a"): 0.04}
    assert sensitivity.study_family(Sources(tmp_path), datasets[:1]) == {}
    outcomes = {("published", "t"): {("b", "a"): ("+", 0.02)}}
    shown = panel(tmp_path, outcomes, {}, classes=["background", "t"], family={("d", "t", "b", "a"): 0.06})
    assert shown[sensitivity.CHOICES["study"][1], "t"]["changes"] == "no longer significant: B above A"
    assert (sensitivity.CHOICES["study"][1], "t") not in panel(tmp_path, outcomes, {}, classes=["background", "t"])
