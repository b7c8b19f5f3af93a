"""Figures 1 and 2: what they show comes from the registry."""

import subprocess
import sys

import numpy as np
import pytest
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch

from workflow_lib.figures import gamma_curves, loss_families
from workflow_lib.losses import registry

PAPER = ("focal", "dice", "tversky", "cosine_tversky", "focal_tversky", "combo", "mixed_focal")


def data(line):
    return np.asarray(line.get_xdata(), dtype=float), np.asarray(line.get_ydata(), dtype=float)


def test_gamma_curves_are_the_paper_s():
    figure = gamma_curves.plot()
    assert len(figure.axes) == 3
    expected = {
        "Focal loss": lambda x, gamma: -((1 - x) ** gamma) * np.log(x),
        "Focal Tversky loss": lambda x, gamma: (1 - x) ** (1 / gamma),
        "Cosine Tversky loss": lambda x, gamma: np.cos(np.pi / 2 * x) ** gamma,
    }
    gammas = {"Focal loss": "0 1 2 3", "Focal Tversky loss": "1 4/3 2 3", "Cosine Tversky loss": "1 2 3 4"}
    for axis, letter in zip(figure.axes, "abc", strict=True):
        label = axis.get_ylabel()
        assert axis.get_title(loc="left") == f"{letter})"
        assert " ".join(str(line.get_label()).removeprefix("γ = ") for line in axis.lines) == gammas[label]
        assert len({line.get_linestyle() for line in axis.lines}) == 4
        for line, gamma in zip(axis.lines, gammas[label].split(), strict=True):
            x, y = data(line)
            value = 4 / 3 if gamma == "4/3" else float(gamma)
            inner = (x > 0.01) & (x < 0.99)
            np.testing.assert_allclose(y[inner], expected[label](x, value)[inner], atol=2e-6, rtol=1e-4)


def test_the_curves_follow_the_registry(monkeypatch):
    _, before = data(gamma_curves.plot().axes[1].lines[0])
    real = registry.build
    monkeypatch.setattr(registry, "build", lambda name, parameters: real("dice" if name == "focal_tversky" else name, {}))
    _, after = data(gamma_curves.plot().axes[1].lines[2])
    np.testing.assert_allclose(after, before, atol=1e-5)


def boxes(figure):
    return [patch for patch in figure.axes[0].patches if isinstance(patch, FancyBboxPatch)]


def arrows(figure):
    return [patch for patch in figure.axes[0].patches if isinstance(patch, FancyArrowPatch)]


def texts(figure):
    return [text.get_text() for text in figure.axes[0].texts]


def tree(*names):
    return loss_families.plot([registry.node(name) for name in registry.with_components(names)], names)


def label(name):
    return registry.get(name).LABEL.removesuffix(" loss")


def test_the_families_of_the_paper():
    figure = tree(*PAPER)
    shown = texts(figure)
    assert {label(name) for name in [*PAPER, "cross_entropy"]} <= set(shown)
    assert any("Dashed" in text for text in shown)
    assert {"Distribution-based losses", "Region-based losses", "Compound losses"} <= set(shown)
    # cross entropy -> focal, combo; dice -> tversky, combo; tversky -> two; focal, focal tversky -> mixed focal
    assert len(arrows(figure)) == 8
    assert sum(box.get_linestyle() in ("--", "dashed") for box in boxes(figure)) == 1
    complete = tree("cross_entropy", *PAPER)
    assert not any("Dashed" in text for text in texts(complete))


def test_distribution_left_region_right_compounds_between_and_parents_above():
    figure = tree(*PAPER)
    places = {text.get_text().replace("\n", " "): text.get_position() for text in figure.axes[0].texts}
    x = {name: places[label(name)][0] for name in [*PAPER, "cross_entropy"]}
    y = {name: places[label(name)][1] for name in [*PAPER, "cross_entropy"]}
    assert x["cross_entropy"] == x["focal"] < x["combo"] == x["mixed_focal"] < x["dice"] == x["tversky"] == x["cosine_tversky"]
    assert y["cross_entropy"] < y["focal"]
    assert y["dice"] < y["tversky"] < min(y["cosine_tversky"], y["focal_tversky"])
    assert y["combo"] < y["mixed_focal"]


EVERY = tuple(name for name in registry.names() if name != "weighted_sum")


@pytest.mark.parametrize("names", [PAPER, ("dice",), ("mixed_focal", "combo"), ("cross_entropy", "focal"), EVERY])
def test_every_loss_has_its_own_place_in_the_picture(names):
    figure = tree(*names)
    losses = [box for box in boxes(figure) if box.get_facecolor() == (1, 1, 1, 1)]
    assert len(losses) == len(registry.with_components(names))
    places = [(box.get_x(), box.get_y()) for box in losses]
    assert len(set(places)) == len(places)
    width, height = figure.get_size_inches() * 25.4
    for x, y in places:
        assert 0 <= x <= width - losses[0].get_width()
        assert 0 <= y <= height - loss_families.BOX_HEIGHT_MM


@pytest.mark.parametrize("names", [PAPER, EVERY])
def test_labels_stay_in_their_boxes_and_are_fit_for_print(names):
    figure = tree(*names)
    figure.draw_without_rendering()
    axis = figure.axes[0]
    inside = axis.transData.inverted()
    white = [box for box in boxes(figure) if box.get_facecolor() == (1, 1, 1, 1)]
    labels = {label(name) for name in names}
    for text in axis.texts:
        if text.get_text().replace("\n", " ") in labels:
            (left, bottom), (right, top) = inside.transform(text.get_window_extent())
            assert right - left < white[0].get_width()
            assert abs(top - bottom) < loss_families.BOX_HEIGHT_MM
            assert text.get_fontsize() >= 6.5


def test_a_composed_loss_stands_in_the_tree_with_what_it_is_composed_of():
    nodes = [registry.node("dice"), registry.node("boundary"), registry.Node("mine", "x" * 300, "compound", ("dice", "boundary"))]
    figure = loss_families.plot(nodes, ["mine"])
    assert len(arrows(figure)) == 2
    assert "Boundary-based losses" in texts(figure)
    assert "Distribution-based losses" not in texts(figure)


def test_no_deep_learning_library_is_loaded():
    code = (
        "import sys\n"
        "from workflow_lib.figures import gamma_curves, loss_families, loss_plots\n"
        "from workflow_lib.losses import registry\n"
        "gamma_curves.plot()\n"
        "loss_plots.draw('boundary')\n"
        "loss_families.plot([registry.node(n) for n in registry.with_components(['combo'])], ['combo'])\n"
        "print([m for m in ('keras', 'tensorflow', 'matplotlib.pyplot') if m in sys.modules])"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "[]"
