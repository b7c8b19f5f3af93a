"""Sweeps are found by what differs, and drawn over the numbers."""

import itertools
import math
from typing import Any

import pandas as pd
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg

from workflow_lib.figures import style, sweep
from workflow_lib.losses import registry
from workflow_lib.statistics.sweeps import Sweep, find_sweeps


def entry(name, loss, **parameters):
    return {"name": name, "label": name, "loss": loss, "parameters": registry.resolved_parameters(loss, parameters)}


DBCE = "dilated_balanced_cross_entropy"
ENTRIES = [
    entry("cross_entropy", "cross_entropy"),
    entry("r8", DBCE, radius=8),
    entry("r1", DBCE, radius=1),
    entry("r3", DBCE, radius=3),
    entry("dice", "dice"),
]


def means(names, classes):
    rows = [
        {"loss": n, "class": c, "metric": "dsc", "mean": 0.5 + 0.1 * i, "ci95": 0.02}
        for i, n in enumerate(names)
        for c in classes
    ]
    return pd.DataFrame([*rows, {"loss": names[0], "class": classes[0], "metric": "recall", "mean": 0.1, "ci95": 0.1}])


def test_losses_that_differ_in_one_number_are_a_sweep():
    assert find_sweeps(ENTRIES) == [Sweep(DBCE, "radius", {"r1": 1.0, "r3": 3.0, "r8": 8.0})]


@pytest.mark.parametrize(
    "entries",
    [
        ENTRIES[:3],  # two values
        [entry("a", DBCE, radius=1), entry("b", DBCE, radius=2), entry("c", DBCE, radius=2)],  # one of them twice
        [entry("a", DBCE, radius=1), entry("b", DBCE, radius=2), entry("c", DBCE, radius=3, overlap="max")],  # two differences
        [entry(n, "dice", include_background=b) for n, b in (("a", True), ("b", False))],  # no numbers
        [],
    ],
)
def test_what_is_no_sweep(entries):
    assert find_sweeps(entries) == []


def test_a_sweep_inside_a_larger_grid():
    entries = [entry(f"g{g}d{d}", "focal_tversky", gamma=g, delta=d) for g in (1.0, 2.0) for d in (0.5, 0.7, 0.9)]
    found = find_sweeps(entries)
    assert [(s.parameter, list(s.values.values())) for s in found] == [("delta", [0.5, 0.7, 0.9])] * 2


def curve_of(axes):
    """Return the points of the sweep in a panel."""
    container: Any = axes.containers[0]
    return container.lines[0]


def test_points_lie_at_the_values_and_the_other_losses_are_lines():
    names = [e["name"] for e in ENTRIES]
    frame = means(names, ["kidney", "tumour"])
    found = find_sweeps(ENTRIES)
    labels = dict(zip(names, names, strict=True))
    figure = sweep.plot(frame, ["kidney", "tumour"], found, labels, {DBCE: "DBCE"}, style.loss_colours(names))
    for axes in figure.axes[:2]:
        assert curve_of(axes).get_xdata().tolist() == [1.0, 3.0, 8.0]
        assert curve_of(axes).get_ydata().tolist() == pytest.approx([0.7, 0.8, 0.6])
        lines: list[Any] = [line for line in axes.lines if line is not curve_of(axes)]
        assert {0.5, 0.9} <= {round(float(line.get_ydata()[0]), 6) for line in lines}


def test_missing_scores_leave_points_out_and_break_nothing(tmp_path):
    names = [e["name"] for e in ENTRIES]
    frame = means(names, ["tumour"])
    frame.loc[frame["loss"] == "r3", "mean"] = math.nan
    frame.loc[frame["loss"] == "r8", "ci95"] = math.nan
    labels = {name: f"<b>{name}</b> $x" for name in names}
    found = find_sweeps(ENTRIES)
    figure = sweep.plot(frame, ["tumour"], found, labels, {DBCE: "DBCE"}, style.loss_colours(names))
    assert curve_of(figure.axes[0]).get_xdata().tolist() == [1.0, 8.0]
    svg, _ = style.save(figure, tmp_path / "a")
    again, _ = style.save(sweep.plot(frame, ["tumour"], found, labels, {DBCE: "DBCE"}, style.loss_colours(names)), tmp_path / "b")
    assert svg.read_bytes() == again.read_bytes()
    empty = sweep.plot(frame.iloc[:0], ["tumour"], found, labels, {DBCE: "DBCE"}, style.loss_colours(names))
    assert empty.axes[0].texts[0].get_text() == "no scores"
    assert "radius of the DBCE" in sweep.caption(found, "Toy", {DBCE: "DBCE"})


def swept(loss, parameter, values, mean=0.5, ci95=0.1):
    """Return a figure of one class over the values of one parameter, and the names of the losses."""
    entries = [entry(f"v{value:g}", loss, **{parameter: value}) for value in values]
    names = [e["name"] for e in entries]
    frame = pd.DataFrame([{"loss": n, "class": "tumour", "metric": "dsc", "mean": mean, "ci95": ci95} for n in names])
    labels = dict(zip(names, names, strict=True))
    return sweep.plot(frame, ["tumour"], find_sweeps(entries), labels, {loss: "Swept loss"}, style.loss_colours(names))


@pytest.mark.parametrize(
    ("loss", "parameter", "values", "scale"),
    [
        ("focal", "gamma", [0.1, 0.5, 5.0], "log"),
        ("focal", "gamma", [0.5, 1.0, 5.0], "linear"),  # a decade, not more
        ("focal", "gamma", [0.0, 0.1, 5.0], "linear"),  # zero has no logarithm
        (DBCE, "radius", [1.0, 5.0, 30.0], "linear"),  # a length
    ],
)
def test_the_axis_is_logarithmic_where_that_helps(loss, parameter, values, scale):
    assert swept(loss, parameter, values).axes[0].get_xscale() == scale


def test_an_unknown_interval_has_no_bar():
    def ends(ci95):
        container: Any = swept(DBCE, "radius", [1, 2, 3], ci95=ci95).axes[0].containers[0]
        return [[float(y) for _, y in segment] for segment in container.lines[2][0].get_segments()]

    assert ends(0.1) == [pytest.approx([0.4, 0.6])] * 3
    assert ends(math.nan) == [[]] * 3


def test_the_legend_tells_the_curve_from_the_lines():
    names = [e["name"] for e in ENTRIES]
    labels = dict(zip(names, names, strict=True))
    figure = sweep.plot(means(names, ["a"]), ["a"], find_sweeps(ENTRIES), labels, {DBCE: "DBCE"}, style.loss_colours(names))
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["DBCE", "cross_entropy", "dice"]


def test_values_close_together_do_not_run_into_each_other():
    """Three panels side by side are the narrowest."""
    entries = [entry(f"r{radius}", DBCE, radius=radius) for radius in (0, 1, 2, 3, 4, 5, 8, 13, 21, 34)]
    names, classes = [e["name"] for e in entries], ["a", "b", "c"]
    labels = dict(zip(names, names, strict=True))
    frame = means(names, classes)
    figure = sweep.plot(frame, classes, find_sweeps(entries), labels, {DBCE: "DBCE"}, style.loss_colours(names))
    FigureCanvasAgg(figure).draw()
    for axes in figure.axes:
        assert len(axes.get_xticks()) == 10
        shown = [label for label in axes.get_xticklabels() if label.get_text()]
        assert {"0", "8", "13", "21", "34"} <= {label.get_text() for label in shown}
        boxes = [label.get_window_extent() for label in shown]
        assert all(left.x1 < right.x0 for left, right in itertools.pairwise(boxes))
