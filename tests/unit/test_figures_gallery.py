"""Galleries of volumes and the effect of class imbalance: every loss, the right colours, any size, nothing to show."""

import itertools

import numpy as np
import pandas as pd
import pytest

from tests.report_fixture_figures import phantom
from workflow_lib.figures import error_maps, gallery, share_effect, slices, style


def view_of(losses, missing=()):
    image, truth = phantom(3)
    predictions = {f"Loss {n}": None if n in missing else np.roll(truth, n % 5, axis=2) for n in range(losses)}
    return slices.cut(image, truth, predictions, "IPL", (3.0, 0.78, 0.78), 2)


def test_errors_over_an_image():
    truth, prediction = np.array([[1, 1, 0, 0]], bool), np.array([[1, 0, 1, 0]], bool)
    shown = gallery.errors_over(np.full((1, 4), 0.5), truth, prediction)
    mixed = [0.5 * (1 - gallery.TINT) + gallery.TINT * np.array(c) / 255 for c in ((255, 255, 255), gallery.GREEN, (255, 0, 255))]
    np.testing.assert_allclose(shown[0], np.array([*mixed, np.full(3, 0.5)]))


@pytest.mark.parametrize("losses", [1, 7, pytest.param(30, marks=pytest.mark.large)])
def test_every_loss_stands_beside_the_ground_truth(losses, tmp_path):
    view = view_of(losses)
    figure = gallery.draw(view, 3, 2, {"Loss 0": 0.5})
    assert len(figure.axes) == 2 * (losses + 1)
    boxes = [axes.get_position() for axes in figure.axes]
    assert all(0 <= box.x0 < box.x1 <= 1 and 0 <= box.y0 < box.y1 <= 1 for box in boxes)
    labels = [axes.get_xlabel() for axes in figure.axes[1::2]]
    assert labels[:2] == ["Ground truth", "Loss 0\nDSC 0.500"]
    assert labels[2:] == [f"Loss {n}\nDSC undefined" for n in range(1, losses)]
    # The first loss predicts the truth, so that nothing is magenta or green.
    right = np.asarray(figure.axes[3].images[0].get_array())
    np.testing.assert_allclose(right[..., 0], right[..., 1])
    if losses > 1:
        wrong = np.asarray(figure.axes[5].images[0].get_array())
        assert (wrong[..., 0] > wrong[..., 1] + 0.2).any()
        assert (wrong[..., 1] > wrong[..., 0] + 0.2).any()
    svg, _ = style.save(figure, tmp_path / "a")
    again, _ = style.save(gallery.draw(view_of(losses), 3, 2, {"Loss 0": 0.5}), tmp_path / "b")
    assert svg.read_bytes() == again.read_bytes()


def test_a_missing_prediction_and_an_absent_class_draw(tmp_path):
    view = view_of(3, missing=[1])
    figure = gallery.draw(view, 3, 2, {})
    assert figure.axes[4].texts[0].get_text() == "no prediction"
    empty = slices.SliceView(view.image, np.zeros_like(view.truth), view.predictions, 1.0, 0, 1)
    style.save(gallery.draw(empty, 3, 2, {"Loss 0": float("nan")}), tmp_path / "a")
    style.save(gallery.empty("nothing $x$ to see"), tmp_path / "b")


def test_the_caption_tells_the_rule():
    text = gallery.caption(view_of(1), ["background", "kidney", "tumour"], 2, "case_1", "worst")
    assert "The worst case, case_1, axial slice" in text
    assert "the case of worst tumour DSC, averaged over the losses" in text


def test_scores_stand_below_error_maps_of_pictures():
    truth = np.zeros((10, 12), np.uint8)
    truth[2:5, 3:6] = 1
    figure = error_maps.draw(np.zeros((10, 12, 1)), truth, {"A": truth, "B": None}, 1, None, {"A": 0.25, "B": float("nan")})
    assert [axes.get_xlabel() for axes in figure.axes[2:]] == ["c) A\nDSC 0.250", "d) B"]


def imbalanced(cases, losses):
    shares = np.logspace(-4, -1, cases)
    names = [f"c{n}" for n in range(cases)]
    table = pd.DataFrame({"case": names, "share_tumour": shares})
    rows = [
        {"loss": loss, "class": "tumour", "case": case, "dsc": (number + 1) / 10}
        for loss in losses
        for number, case in enumerate(names)
    ]
    return table, pd.DataFrame(rows, columns=["loss", "class", "case", "dsc"])


def test_every_case_stands_at_its_share_and_the_trend_follows():
    table, scores = imbalanced(10, ["dice"])
    table.loc[0, "share_tumour"] = 0.0
    scores.loc[1, "dsc"] = np.nan
    figure = share_effect.plot(scores, table, "tumour", {"dice": "Dice loss"})
    points = figure.axes[0].lines[0]
    np.testing.assert_allclose(np.asarray(points.get_xdata()), 100 * table["share_tumour"][2:])
    np.testing.assert_allclose(np.asarray(points.get_ydata()), scores["dsc"][2:])
    assert figure.axes[0].get_xscale() == "log"


def test_trend_by_hand():
    x, y = share_effect.trend(np.arange(10.0), np.arange(10.0) ** 2)
    assert (x.tolist(), y.tolist()) == ([2.0, 7.0], [4.0, 49.0])
    assert len(share_effect.trend(np.arange(9.0), np.arange(9.0))[0]) == 0
    assert len(share_effect.trend(np.arange(1000.0), np.arange(1000.0))[0]) == 6


@pytest.mark.parametrize(("cases", "losses"), [(0, 1), (1, 1), (5, 5), pytest.param(1000, 30, marks=pytest.mark.large)])
def test_any_number_of_losses_and_cases(cases, losses, tmp_path):
    labels = {f"l{n}": f"Loss $x$ {n}" for n in range(losses)}
    table, scores = imbalanced(cases, labels)
    svg, _ = style.save(share_effect.plot(scores, table, "tumour", labels), tmp_path / "a")
    assert svg.stat().st_size < 1_500_000


@pytest.mark.parametrize(("low", "high"), [(0.0013, 0.009), (0.02, 0.03), (1e-5, 0.5), (0.0011, 0.002), (0.004, 0.004)])
def test_the_numbers_of_the_axis_do_not_run_into_each_other(low, high):
    labels = {f"l{n}": f"Loss {n}" for n in range(7)}
    table, scores = imbalanced(12, labels)
    table["share_tumour"] = np.geomspace(low, high, 12)
    figure = share_effect.plot(scores, table, "tumour", labels)
    figure.draw_without_rendering()
    for axes in figure.axes[3:7]:
        left, right = axes.get_xlim()
        marks = [
            mark.label1.get_window_extent()
            for ticks in (axes.xaxis.get_major_ticks(), axes.xaxis.get_minor_ticks())
            for mark in ticks
            if mark.label1.get_text() and left <= mark.get_loc() <= right
        ]
        marks.sort(key=lambda box: box.x0)
        assert len(marks) >= 2
        assert all(a.x1 < b.x0 for a, b in itertools.pairwise(marks))


def test_the_caption_names_class_and_unit():
    assert "share of its pixels that is lesion" in share_effect.caption("Set", "lesion", "pixels")
