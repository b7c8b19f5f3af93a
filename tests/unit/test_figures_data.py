"""The figures of the numbers: what is in them, gaps, hostile names, and the same bytes twice."""

import numpy as np
import pandas as pd
import pytest

from tests.report_fixture import HOSTILE, PAPER_LOSSES, make_dataset
from workflow_lib.evaluation.frames import read_frame
from workflow_lib.evaluation.imbalance import percent, pooled_shares
from workflow_lib.figures import distributions, imbalance, ranking, recall_precision, style, text, training_curves

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
        "distributions": lambda losses=LOSSES: distributions.draw(scores, CLASSES[1:], losses),
        "recall_precision": lambda losses=LOSSES: recall_precision.draw(means, CLASSES[1:], losses),
        "training_curves": lambda losses=LOSSES: training_curves.draw(histories(), losses),
        "imbalance": lambda losses=LOSSES: imbalance.draw(cases, CLASSES),
        "ranking": lambda losses=LOSSES: ranking.draw(ranks, CLASSES[1:], losses),
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
    scales = [training_curves.draw({"dice": {1: h}}, {"dice": "Dice"}).axes[0].get_yscale() for h in (history, wide, below_zero)]
    assert scales == ["linear", "log", "linear"]


def test_shares_of_ranks_fill_the_bar(draw):
    axes = draw["ranking"]().axes[0]
    assert len(axes.patches) == 9
    widths = np.array([patch.get_width() for patch in axes.patches]).reshape(3, 3)
    np.testing.assert_allclose(widths.sum(axis=1), 100)


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
    assert len(text.plain("L" * 300, 40)) == 40
    assert max(map(len, text.wrapped("L" * 300, 20, 2).splitlines())) <= 20
    assert len(text.wrapped("word " * 80, 20, 2).splitlines()) == 2
