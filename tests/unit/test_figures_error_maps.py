"""Every pixel of an error map has the colour that the study's specification gives it."""

import itertools

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from PIL import Image

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


def test_numbers_count_as_masks_and_shapes_must_agree():
    expected = error_maps.error_map(TRUTH, PREDICTION).tolist()
    assert error_maps.error_map(TRUTH.astype(np.uint8), 7 * PREDICTION.astype(np.int16)).tolist() == expected
    for other in (PREDICTION.T, PREDICTION[:, :1]):
        with pytest.raises(ValueError, match="differ in shape"):
            error_maps.error_map(TRUTH, other)
    with pytest.raises(ValueError, match="differ in shape"):
        error_maps.error_map(TRUTH, PREDICTION, np.ones((2, 4), bool))


def test_every_pixel_of_random_masks_has_its_colour():
    rng = np.random.default_rng(0)
    truth, prediction, view = rng.random((3, 40, 30)) > 0.5
    colours = {(1, 1): (255, 255, 255), (0, 1): (255, 0, 255), (1, 0): (0, 127, 0), (0, 0): (0, 0, 0)}
    drawn = error_maps.error_map(truth, prediction, view)
    for row, column in np.ndindex(truth.shape):
        judged = colours[int(truth[row, column]), int(prediction[row, column])]
        assert tuple(drawn[row, column]) == (judged if view[row, column] else (64, 64, 64))


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


@pytest.mark.parametrize("shape", [(10, 12), (30, 12), (8, 20)])
def test_pixels_are_square_and_the_file_is_the_same_again(shape, tmp_path):
    truth = np.zeros(shape, np.uint8)
    truth[2:5, 3:6] = 2
    losses = {f"Asymmetric unified focal loss {n}": np.roll(truth, 1, 0) for n in range(6)}
    files = []
    for name in "ab":
        figure = error_maps.draw(truth[..., None], truth, losses, 2)
        files.append([path.read_bytes() for path in style.save(figure, tmp_path / name)])
    assert files[0] == files[1]
    for axes in figure.axes:
        box = axes.get_window_extent()
        assert box.height / box.width == pytest.approx(shape[0] / shape[1])


def test_the_file_holds_no_colours_but_those_of_the_legend(tmp_path):
    """Smoothing would invent some: pixels inside the panels of the saved file are checked, at the resolution of the page."""
    rng = np.random.default_rng(3)
    truth, prediction = (rng.random((2, 700, 900)) > 0.5).astype(np.uint8)
    figure = error_maps.draw(truth[..., None], truth, {"Dice": prediction}, 1)
    box = figure.axes[2].get_position()
    _, png = style.save(figure, tmp_path / "figure")
    with Image.open(png) as opened:
        page = np.asarray(opened.convert("RGB"))
    rows, columns = page.shape[:2]
    panel = page[
        int((1 - box.y1) * rows) + 2 : int((1 - box.y0) * rows) - 2, int(box.x0 * columns) + 2 : int(box.x1 * columns) - 2
    ]
    expected = {(255, 255, 255), (255, 0, 255), (0, 127, 0), (0, 0, 0)}
    assert {tuple(colour) for colour in np.unique(panel.reshape(-1, 3), axis=0).tolist()} == expected


def test_real_pictures_with_synthetic_predictions(shared_data, tmp_path):
    folder = shared_data / "DRIVE" / "training"
    if not folder.is_dir():
        pytest.skip("no DRIVE here")
    image, truth, view = (np.asarray(Image.open(min((folder / part).iterdir()))) for part in ("images", "1st_manual", "mask"))
    vessels, seen = (truth > 0).astype(np.uint8), view > 0
    figure = error_maps.draw(image, vessels, {"Synthetic: shifted": np.roll(vessels, 2, axis=1)}, 1, seen)
    np.testing.assert_array_equal(figure.axes[0].images[0].get_array(), image)
    drawn = np.asarray(figure.axes[2].images[0].get_array())
    colours, counts = np.unique(drawn.reshape(-1, 3), axis=0, return_counts=True)
    areas = {tuple(colour): int(count) for colour, count in zip(colours.tolist(), counts, strict=True)}
    shifted = np.roll(vessels, 2, axis=1)
    assert areas[255, 255, 255] == np.sum(vessels * shifted * seen)
    assert areas[255, 0, 255] == np.sum((1 - vessels) * shifted * seen)
    assert areas[0, 127, 0] == np.sum(vessels * (1 - shifted) * seen)
    assert areas[64, 64, 64] == np.sum(~seen)
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
