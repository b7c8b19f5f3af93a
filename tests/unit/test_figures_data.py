"""The figures of the numbers: what is in them, gaps, hostile names, and the same bytes twice."""

import numpy as np
import pandas as pd
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_rgb

from tests.report_fixture import HOSTILE, PAPER_LOSSES, make_dataset
from workflow_lib.base.frames import read_frame
from workflow_lib.base.seeds import generator
from workflow_lib.evaluation.imbalance import percent, pooled_shares
from workflow_lib.figures import distributions, imbalance, ranking, recall_precision, style, text, training_curves
from workflow_lib.metrics.registry import PAPER
from workflow_lib.report.sources import SVG_LIMIT

LOSSES = dict(list(PAPER_LOSSES.items())[:3])
CLASSES = ["background", "kidney", "tumour"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    target = tmp_path_factory.mktemp("study")
    make_dataset(target, "kits19", CLASSES, LOSSES, cases=10, folds=2, missing=[("tversky", 2)], epochs=6)
    return target


@pytest.fixture(scope="module")
def draw(folder):
    """Functions that draw each figure from the files, by name."""

    def histories():
        found: dict[str, dict[int, pd.DataFrame]] = {}
        for path in sorted((folder / "training/kits19").glob("*/fold_*/history.csv")):
            found.setdefault(path.parent.parent.name, {})[int(path.parent.name[-1])] = read_frame(path)
        return found

    scores, statistics = read_frame(folder / "scores/kits19.csv"), folder / "statistics/kits19"
    means, ranks = read_frame(statistics / "means.csv"), read_frame(statistics / "ranking.csv")
    cases = read_frame(folder / "data/kits19/cases.csv")
    return {
        "distributions": lambda losses=LOSSES: distributions.plot(scores, CLASSES[1:], losses),
        "recall_precision": lambda losses=LOSSES: recall_precision.plot(means, CLASSES[1:], losses),
        "training_curves": lambda losses=LOSSES: training_curves.plot(histories(), losses),
        "imbalance": lambda losses=LOSSES: imbalance.plot(cases, CLASSES),
        "ranking": lambda losses=LOSSES: ranking.plot(ranks, CLASSES[1:], losses),
    }


NAMES = ["distributions", "recall_precision", "training_curves", "imbalance", "ranking"]


@pytest.mark.parametrize("name", NAMES)
def test_the_same_data_give_the_same_bytes(draw, tmp_path, name):
    first = [path.read_bytes() for path in style.save(draw[name](), tmp_path / "first")]
    again = [path.read_bytes() for path in style.save(draw[name](), tmp_path / "again")]
    assert first == again


@pytest.mark.parametrize("name", NAMES)
def test_hostile_labels_and_losses_without_data_draw(draw, tmp_path, name):
    losses = {"focal": HOSTILE["evil"], "dice": HOSTILE["long"], "tversky": HOSTILE["amp"], "absent": "$a_b $ \\frac"}
    svg, _ = style.save(draw[name](losses), tmp_path / name)
    assert svg.stat().st_size < 1_000_000


def test_every_case_is_a_point(draw):
    figure = draw["distributions"]()
    axes = figure.axes[0]
    points = [line for line in axes.lines if line.get_marker() == "."]
    assert [len(line.get_xdata()) for line in points] == [10, 10, 5]
    assert all(0 <= x <= 1 for line in points for x in line.get_xdata())
    positions = [np.asarray(line.get_ydata()) for line in points]
    assert all(np.all(np.abs(y - i) <= 0.26) for i, y in enumerate(positions))


def test_thousands_of_cases_make_no_large_file(tmp_path):
    rng, cases = generator(1, "many"), 1000
    names = [f"c{n}" for n in range(cases)]
    scores = pd.concat(pd.DataFrame({"loss": loss, "class": "organ", "fold": 1, "case": names}) for loss in LOSSES)
    for metric in PAPER:
        scores[metric] = rng.random(len(scores))
    figure = distributions.plot(scores, ["organ"], LOSSES)
    svg, _ = style.save(figure, tmp_path / "many")
    # Small enough to come with the page as it is.
    assert svg.stat().st_size < SVG_LIMIT
    assert "<image" in svg.read_text()


def test_a_loss_without_scores_says_so(draw):
    figure = draw["distributions"]({**LOSSES, "absent": "Absent loss"})
    assert [t.get_text() for t in figure.axes[0].texts] == ["no scores"]
    curves = draw["training_curves"]({**LOSSES, "absent": "Absent loss"})
    assert "not trained" in [t.get_text() for axes in curves.axes for t in axes.texts]


def test_means_lie_where_the_table_says(draw, folder):
    means = read_frame(folder / "statistics/kits19/means.csv").set_index(["loss", "class", "metric"])["mean"]
    axes = draw["recall_precision"]().axes[0]
    drawn = {(line.get_xdata()[0], line.get_ydata()[0]) for line in axes.lines if len(line.get_xdata()) == 1}
    assert (means["dice", "kidney", "recall"], means["dice", "kidney", "precision"]) in drawn


def test_the_ring_marks_the_epoch_of_the_model(draw, folder):
    history = read_frame(folder / "training/kits19/dice/fold_1/history.csv")
    axes = draw["training_curves"]().axes[1]
    rings = [line for line in axes.lines if line.get_marker() == "o"]
    assert rings[0].get_xdata()[0] == history["epoch"].to_numpy()[history["validation_loss"].to_numpy().argmin()]
    assert len(rings) == 2


def test_curves_are_logarithmic_only_where_it_helps(folder):
    history = read_frame(folder / "training/kits19/dice/fold_1/history.csv")
    wide = history.assign(training_loss=np.geomspace(100, 0.1, len(history)))
    below_zero = history.assign(training_loss=np.linspace(1, -1, len(history)))
    scales = [training_curves.plot({"dice": {1: h}}, {"dice": "Dice"}).axes[0].get_yscale() for h in (history, wide, below_zero)]
    assert scales == ["linear", "log", "linear"]


def test_shares_of_ranks_fill_the_bar(draw):
    axes = draw["ranking"]().axes[0]
    assert len(axes.patches) == 9
    widths = np.array([patch.get_width() for patch in axes.patches]).reshape(3, 3)
    np.testing.assert_allclose(widths.sum(axis=1), 100)


def case_table(shares, status="included"):
    """Return cases.csv of cases of 10 000 pixels; `shares` holds the foreground classes of each case."""
    whole = np.column_stack([1 - np.sum(shares, axis=1), shares])
    columns = {f"share_k{k}": whole[:, k] for k in range(whole.shape[1])}
    columns |= {f"voxels_k{k}": np.round(whole[:, k] * 10_000) for k in range(whole.shape[1])}
    return pd.DataFrame({"case": [f"c{n:04}" for n in range(len(whole))], "status": status, **columns})


def many_cases(cases, classes):
    """Return a table of cases with random shares of `classes` classes, background included, every one absent somewhere."""
    rng = np.random.default_rng(classes)
    shares = 10 ** rng.uniform(-5, -1.3, (cases, classes - 1))
    shares[np.arange(classes - 1) % cases, np.arange(classes - 1)] = 0
    return case_table(shares), [f"k{k}" for k in range(classes)]


def strips(axes):
    return [line for line in axes.lines if line.get_marker() == "."]


def test_every_share_is_a_point_and_the_line_is_the_pooled_share():
    table = pd.concat([case_table([[0.02], [0.0], [0.004]]), case_table([[0.9]], "excluded")])
    axes = imbalance.plot(table, ["k0", "k1"], unit="pixels").axes[0]
    assert sorted(np.asarray(strips(axes)[1].get_xdata()).tolist()) == pytest.approx([0.4, 2.0])
    lines = [np.asarray(line.get_xdata()).tolist() for line in axes.lines if line.get_marker() != "."]
    assert lines == [pytest.approx([99.2] * 2), pytest.approx([0.8] * 2)]
    texts = [t.get_text() for t in axes.texts]
    assert texts == ["99.20 %", "0.8 % (1 in 125)", "absent in 1 of 3"]
    assert axes.get_xlabel() == "Share of a case's pixels (%), 3 cases; black line: all cases pooled"


@pytest.mark.parametrize(("cases", "classes"), [(4, 2), (60, 5), pytest.param(1000, 15, marks=pytest.mark.large)])
def test_any_number_of_cases_and_classes_is_legible(cases, classes, tmp_path):
    table, names = many_cases(cases, classes)
    figure = imbalance.plot(table, names)
    axes = figure.axes[0]
    FigureCanvasAgg(figure).draw()
    texts = [text for text in axes.texts if text.get_text().startswith("absent")]
    assert len(texts) == classes - 1
    right = max(text.get_window_extent().x1 for text in texts)
    points = np.concatenate([axes.transData.transform(line.get_xydata()) for line in strips(axes)])
    assert right < points[:, 0].min()
    assert points[:, 0].max() < axes.get_window_extent().x1
    svg, png = style.save(imbalance.plot(table, names), tmp_path / "a")
    assert svg.stat().st_size < 1_000_000
    again = style.save(imbalance.plot(table, names), tmp_path / "b")
    assert [svg.read_bytes(), png.read_bytes()] == [path.read_bytes() for path in again]


def test_no_class_is_drawn_in_a_colour_that_paper_swallows():
    table, names = many_cases(20, 15)
    for line in strips(imbalance.plot(table, names).axes[0]):
        red, green, blue = to_rgb(line.get_color())
        # The contrast of WCAG; 2 is below what text needs, but these are dots with a label beside them.
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in (red, green, blue)]
        assert 1.05 / (0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2] + 0.05) > 2


def test_a_dataset_without_foreground_or_without_cases_draws(tmp_path):
    empty = case_table([[0.0], [0.0]])
    texts = [t.get_text() for t in imbalance.plot(empty, ["k0", "k1"]).axes[0].texts]
    assert texts == ["100.00 %", "absent in 2 of 2"]
    style.save(imbalance.plot(empty.assign(status="excluded"), ["k0", "k1"]), tmp_path / "none")


def test_pooled_shares_weigh_the_cases_by_their_voxels():
    cases = pd.DataFrame(
        {
            "case": ["a", "b", "c"],
            "status": ["included", "included", "excluded"],
            "voxels_bg": [90, 990, 0],
            "voxels_t": [10, 10, 9],
        }
    )
    assert pooled_shares(cases, ["bg", "t"]) == pytest.approx({"bg": 1080 / 1100, "t": 20 / 1100})


def test_shares_in_words():
    assert [percent(x) for x in (0.9755, 0.0199, 0.00462, 1.234e-5)] == ["97.55", "1.99", "0.462", "0.00123"]


def test_text_is_never_mathematics_and_never_longer_than_its_place():
    assert text.plain("$x$ a\nb") == r"\$x\$ a b"
    assert [text.heading(name) for name in ("kidney", "LV myocardium", "")] == ["Kidney", "LV myocardium", " "]
    assert len(text.plain("L" * 300, 40)) == 40
    assert max(map(len, text.wrapped("L" * 300, 20, 2).splitlines())) <= 20
    assert len(text.wrapped("word " * 80, 20, 2).splitlines()) == 2


def test_labels_that_would_be_cut_alike_carry_their_names():
    labels = {"a": "L" * 300, "b": "L" * 299 + "M", "c": "L", "n" * 40 + "1": "L" * 31, "d": "Dice\nloss"}
    told = text.distinct_labels(labels)
    assert {name: told[name] for name in ("c", "d")} == {"c": "L", "d": "Dice\nloss"}
    assert (told["a"], told["b"]) == ("LLLLLLLLLLLLL… (a)", "LLLLLLLLLLLLL… (b)")
    # In the narrowest places of all figures: a line of 34, two lines of 19.
    for place in (lambda label: text.plain(label, 34), lambda label: text.wrapped(label, 19, 2)):
        assert len({place(label) for label in told.values()}) == len(labels)
    same = text.distinct_labels({"x": "Dice loss", "y": "Dice  loss"})
    assert same == {"x": "Dice loss (x)", "y": "Dice loss (y)"}
