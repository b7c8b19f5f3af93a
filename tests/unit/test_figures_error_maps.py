"""Every pixel of an error map has the colour that the study's specification gives it."""

import itertools

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg

from workflow_lib.figures import error_maps, style

TRUTH = np.array([[1, 1, 0, 0]], bool)
PREDICTION = np.array([[1, 0, 1, 0]], bool)


def test_colours_of_right_missed_and_marked_by_mistake():
    colours = error_maps.error_map(TRUTH, PREDICTION)
    assert colours.dtype == np.uint8
    assert colours.tolist() == [[[255, 255, 255], [0, 127, 0], [255, 0, 255], [0, 0, 0]]]


def test_outside_the_field_of_view_nothing_is_judged():
    view = np.array([[0, 0, 0, 1]], bool)
    assert error_maps.error_map(TRUTH, PREDICTION, view).tolist() == [[[64, 64, 64]] * 3 + [[0, 0, 0]]]


@pytest.mark.parametrize("channels", [1, 2, 3])
def test_any_image_can_be_shown(channels):
    image = np.random.default_rng(1).normal(50, 900, (8, 9, channels))
    shown = error_maps.shown_picture(image)
    assert shown.shape == (8, 9, 3)
    assert shown.dtype == np.uint8
    assert shown.max() == 255
    photograph = np.random.default_rng(1).integers(0, 256, (8, 9, 3)).astype(np.uint8)
    assert error_maps.shown_picture(photograph) is photograph
    assert error_maps.shown_picture(np.zeros((4, 4, 1))).max() == 0


@pytest.mark.parametrize("losses", [1, 3, 8, 30])
def test_a_panel_per_loss_and_the_errors_in_it(losses, tmp_path):
    rng = np.random.default_rng(2)
    truth = (rng.random((20, 30)) > 0.7).astype(np.uint8)
    predictions: dict[str, np.ndarray | None] = {f"Loss {n}": np.roll(truth, n, axis=1) for n in range(losses)}
    predictions["never trained"] = None
    figure = error_maps.draw(rng.random((20, 30, 1)), truth, predictions, 1)
    assert len(figure.axes) == losses + 3
    first = figure.axes[2].images[0].get_array()
    np.testing.assert_array_equal(first, error_maps.error_map(truth == 1, truth == 1))
    assert figure.axes[-1].texts[0].get_text() == "no prediction"
    boxes = [axes.get_position() for axes in figure.axes]
    assert all(0 <= box.x0 < box.x1 <= 1 and 0 <= box.y0 < box.y1 <= 1 for box in boxes)
    style.save(figure, tmp_path / "figure")


def test_the_labels_fit_below_their_panels():
    names = ["Asymmetric Unified Focal loss", "Dilated balanced cross entropy loss", "Dice", "Tversky"]
    truth = np.zeros((40, 40), np.uint8)
    figure = error_maps.draw(truth[..., None], truth, dict.fromkeys(names, truth), 1)
    FigureCanvasAgg(figure).draw()
    edges = [axes.xaxis.label.get_window_extent() for axes in figure.axes]
    assert min(edge.x0 for edge in edges) >= 0
    assert max(edge.x1 for edge in edges) <= figure.bbox.width
    assert min(edge.y0 for edge in edges) >= 0
    for left, right in itertools.pairwise(edges):
        assert left.x1 <= right.x0 or left.y0 >= right.y1


def test_the_caption_says_which_case_and_why():
    text = error_maps.caption(["Dice loss"], "vessel", "DRIVE", "21_training", view=True)
    assert "c) Dice loss" in text
    assert "the case of median DSC of vessel" in text
    assert "outside the field of view" in text
    assert "the configuration names" in error_maps.caption(["Dice loss"], "vessel", "DRIVE", "a", None)
