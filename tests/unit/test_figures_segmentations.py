"""Choice of case and slice, orientation on the page, and what the panels show."""

import numpy as np
import pandas as pd
import pytest

from tests.report_fixture import PAPER_LOSSES
from tests.report_fixture_figures import phantom
from workflow_lib.base.errors import UserError
from workflow_lib.figures import segmentations as seg
from workflow_lib.figures import slices, style


def scores(table):
    """Return scores from {case: {loss: dsc}} for the class "tumour"."""
    rows = [
        {"case": case, "loss": loss, "class": "tumour", "dsc": value}
        for case, of_case in table.items()
        for loss, value in of_case.items()
    ]
    return pd.DataFrame(rows)


def test_rarest_class_has_the_fewest_voxels_but_some():
    assert slices.rarest_class({"kidney": 900, "tumour": 30, "cyst": 0}) == "tumour"
    with pytest.raises(UserError, match="No case contains"):
        slices.rarest_class({"tumour": 0})


def test_case_of_median_best_and_worst_mean_over_the_losses():
    table = scores({"a": {"x": 0.9, "y": 0.1}, "b": {"x": 0.6, "y": 0.8}, "c": {"x": 0.2, "y": 0.3}})
    assert slices.choose_case(table, "tumour") == "a"
    assert slices.choose_case(table, "tumour", "best") == "b"
    assert slices.choose_case(table, "tumour", "worst") == "c"


def test_of_an_even_number_the_lower_middle_and_of_equals_the_first_name():
    assert slices.choose_case(scores({"d": {"x": 0.4}, "a": {"x": 0.1}, "c": {"x": 0.3}, "b": {"x": 0.2}}), "tumour") == "b"
    assert slices.choose_case(scores({"b": {"x": 0.5}, "a": {"x": 0.5}, "c": {"x": 0.5}}), "tumour", "worst") == "a"


def test_a_case_that_a_loss_could_not_be_scored_on_takes_no_part():
    table = scores({"a": {"x": 0.9, "y": np.nan}, "b": {"x": 0.5, "y": 0.5}})
    assert slices.choose_case(table, "tumour", "best") == "b"
    with pytest.raises(UserError, match="no case can be chosen"):
        slices.choose_case(table, "cyst")


@pytest.mark.parametrize(("orientation", "axis"), [("IPL", 0), ("LPS", 2), ("RAS", 2), ("RSA", 1)])
def test_axial_axis(orientation, axis):
    assert slices.axial_axis(orientation) == axis


def test_slice_with_the_largest_area_of_the_class():
    truth = np.zeros((4, 5, 5), np.uint8)
    truth[1, :2, :2] = 2
    truth[2, :3, :3] = 2
    truth[3] = 1
    assert slices.choose_slice(truth, 2, 0) == 2
    assert slices.choose_slice(truth, 7, 0) == 3
    assert slices.choose_slice(np.zeros_like(truth), 2, 0) == 2


@pytest.mark.parametrize("orientation", ["IPL", "SAR", "RAS", "LPS", "ALS", "PRI", "SLP"])
def test_anterior_is_up_and_the_patients_left_on_the_right(orientation):
    shape = {"I": 3, "S": 3, "A": 6, "P": 6, "L": 5, "R": 5}
    volume = np.zeros([shape[code] for code in orientation])
    # A mark in the patient's anterior left corner.
    corner = [0 if code in "PR" else -1 for code in orientation]
    index = [slice(None) if code in "IS" else c for code, c in zip(orientation, corner, strict=True)]
    volume[tuple(index)] = 1
    plane = slices.display_plane(volume, orientation, 1)
    assert plane.shape == (6, 5)
    assert np.argwhere(plane).tolist() == [[0, 4]]


def test_pixels_keep_their_proportion_whatever_the_axis_order():
    truth = np.zeros((4, 6, 5), np.uint8)
    truth[2, 2, 2] = 1
    view = slices.cut(truth.astype(float), truth, {}, "IPL", (5.0, 0.8, 0.4), 1)
    assert view.aspect == pytest.approx(2.0)
    assert (view.index, view.slices) == (2, 4)
    transposed = slices.cut(truth.T.astype(float), truth.T, {}, "LPI", (0.4, 0.8, 5.0), 1)
    assert transposed.aspect == pytest.approx(2.0)
    np.testing.assert_array_equal(transposed.truth, view.truth)


def test_two_dimensional_data_and_channels_are_shown_as_they_are():
    truth = np.zeros((8, 9), np.uint8)
    truth[2:4, 2:5] = 1
    view = slices.cut(np.ones((8, 9, 3)), truth, {"x": truth}, "", (1.0, 1.0), 1)
    assert view.image.shape == (8, 9)
    assert "slice" not in seg.caption(view, ["background", "polyp"], 1, "CVC", "1")


def test_grey_values():
    np.testing.assert_allclose(slices.grey(np.array([-1000.0, -160.0, 40.0, 240.0, 900.0]), slices.CT_WINDOW), [0, 0, 0.5, 1, 1])
    assert slices.grey(np.full((3, 3), 7.0), None).max() == 0.0


def test_the_box_holds_the_region_and_stays_in_the_picture():
    truth = np.zeros((100, 80), np.uint8)
    truth[0:10, 70:80] = 2
    left, top, side, tall = slices.region_box(truth, 2, 2.0)
    assert left <= 69.5
    assert left + side == pytest.approx(79.5)
    assert top == pytest.approx(-0.5)
    assert tall == pytest.approx(side / 2)


def test_letters_go_on_after_z():
    assert [slices.letter(i) for i in (0, 7, 25, 26, 27, 52)] == ["a", "h", "z", "aa", "ab", "ba"]


def views(n_classes, losses):
    image, truth = phantom(n_classes)
    predictions = {label: np.roll(truth, i, axis=2) for i, label in enumerate(losses)}
    return slices.cut(image, truth, predictions, "IPL", (3.0, 0.8, 0.8), n_classes - 1)


def texts(figure):
    return [text.get_text() for axes in figure.axes for text in axes.texts]


def test_figure_3_has_two_rows_of_four_with_insets():
    view = views(3, PAPER_LOSSES.values())
    figure = seg.plot(view, 3, 2, slices.CT_WINDOW)
    assert [t for t in texts(figure) if t.endswith(")")] == [f"{c})" for c in "abcdefgh"]
    assert len(figure.axes) == 8
    assert all(len(axes.child_axes) == 1 for axes in figure.axes)
    rows = {round(axes.get_position().y0, 3) for axes in figure.axes}
    assert len(rows) == 2
    caption = seg.caption(view, ["background", "kidney", "tumour"], 2, "KiTS19", "case_00003")
    assert "h) Mixed Focal loss" in caption
    assert "kidney red, tumour blue" in caption
    assert "the case of median tumour DSC" in caption


def test_figure_4_has_the_magnified_contours_in_a_row_below():
    view = views(2, list(PAPER_LOSSES.values())[-3:])
    figure = seg.plot(view, 2, 1)
    assert len(figure.axes) == 8
    assert not any(axes.child_axes for axes in figure.axes)
    assert "magnified below" in seg.caption(view, ["background", "tumour"], 1, "BraTS20", "x", None)


def test_overlay_is_thirty_per_cent_of_the_class_colour():
    view = views(3, [])
    figure = seg.plot(view, 3, 2, slices.CT_WINDOW)
    shown = np.asarray(figure.axes[0].images[0].get_array())
    grey = slices.grey(view.image, slices.CT_WINDOW)
    row, column = np.argwhere(view.truth == 2)[0]
    expected = 0.7 * grey[row, column] + 0.3 * np.array([0x2F, 0x6B, 0xFF]) / 255
    np.testing.assert_allclose(shown[row, column], expected)
    outside = view.truth == 0
    np.testing.assert_allclose(shown[outside], np.repeat(grey[outside][:, None], 3, axis=1))


def test_a_missing_prediction_is_an_open_gap():
    image, truth = phantom(3)
    view = slices.cut(image, truth, {"a": truth, "b": None}, "IPL", (3.0, 0.8, 0.8), 2)
    assert texts(seg.plot(view, 3, 2)).count("no prediction") == 1


def test_empty_masks_and_hostile_labels_draw(tmp_path):
    image, truth = phantom(3)
    view = slices.cut(image, truth * 0, {"$x^2$ <script>": truth * 0, "L" * 300: truth}, "IPL", (3.0, 0.8, 0.8), 2)
    style.save(seg.plot(view, 3, 2), tmp_path / "figure")


@pytest.mark.parametrize("losses", [1, 4, 30])
def test_any_number_of_losses(losses):
    view = views(3, [f"loss {i}" for i in range(losses)])
    assert len(seg.plot(view, 3, 2).axes) >= losses + 1
