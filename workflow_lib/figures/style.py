"""The common style of all figures, and reproducible figure files.

A figure that is drawn again gives identical bytes. Figures are `matplotlib.figure.Figure` objects without
pyplot: they need no display and share no state. The user's matplotlib configuration has no effect.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.colors import to_hex, to_rgb
from matplotlib.figure import Figure

from workflow_lib.base.files import atomic_path
from workflow_lib.figures.looks import look_numbers

MM_PER_INCH = 25.4
TEXT_WIDTH_MM = 180.0
"""Text width of a two-column page, the default of `new_figure`."""
PNG_DPI = 300

RC: dict[str, Any] = {
    "font.family": "DejaVu Sans",
    "mathtext.fontset": "dejavusans",
    "font.size": 8,
    "axes.titlesize": 8,
    "axes.labelsize": 8,
    "xtick.labelsize": 7,
    "ytick.labelsize": 7,
    "legend.fontsize": 7,
    "legend.frameon": False,
    "figure.titlesize": 9,
    "figure.dpi": 100,
    "savefig.dpi": PNG_DPI,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.6,
    "axes.axisbelow": True,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "grid.color": "#d9d9d9",
    "grid.linewidth": 0.5,
    "lines.linewidth": 1.2,
    "lines.markersize": 4,
    "boxplot.flierprops.markersize": 3,
    "svg.fonttype": "path",
    "svg.hashsalt": "workflow_lib",
}

INK = "#1a1a1a"
GREY = "#767676"

PALETTE = ("#000000", "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#882255")
"""Eight colours for all types of colour vision: those of Okabe and Ito, with wine instead of pale yellow."""

LINESTYLES: tuple[str | tuple[int, tuple[float, ...]], ...] = (
    "-",
    (0, (5, 1.5)),
    (0, (1, 1)),
    (0, (5, 1.5, 1, 1.5)),
    (0, (8, 1.5, 1, 1.5, 1, 1.5)),
    (0, (3, 3)),
    (0, (8, 4)),
    (0, (1, 3)),
)
TINTS = ((0.0, 0.0), (0.0, 0.35), (1.0, 0.35), (0.0, 0.55), (1.0, 0.5), (0.0, 0.2), (1.0, 0.2), (0.0, 0.7))
"""For each round of eight colours: the colour to mix with (0 is black, 1 is white), and its share."""
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")


@dataclass(frozen=True)
class LossStyle:
    """The style of a loss in all figures: colour as `#rrggbb`, matplotlib marker and line style."""

    colour: str
    marker: str
    linestyle: str | tuple[int, tuple[float, ...]]


def apply() -> None:
    """Set matplotlib's parameters to its defaults and the style of the project.

    `new_figure` and `save` call this function.
    """
    matplotlib.rcdefaults()
    parameters: Any = matplotlib.rcParams
    parameters.update(RC)


def new_figure(width_mm: float = TEXT_WIDTH_MM, height_mm: float = 90.0, **options: Any) -> Figure:
    """Return an empty figure of the given size in millimetres, in the project's style, with constrained layout.

    `options` are passed to `matplotlib.figure.Figure` (`layout=None` for manually placed axes). Add axes with
    `figure.subplots(...)`.
    """
    apply()
    options.setdefault("layout", "constrained")
    return Figure(figsize=(width_mm / MM_PER_INCH, height_mm / MM_PER_INCH), **options)


def save(figure: Figure, path_without_suffix: str | Path) -> tuple[Path, Path]:
    """Write `<path>.svg` and `<path>.png` (300 dpi) atomically, and return both paths.

    The files contain no dates or program names.
    """
    apply()
    base = Path(path_without_suffix)
    svg, png = base.with_name(base.name + ".svg"), base.with_name(base.name + ".png")
    with atomic_path(svg) as temporary:
        figure.savefig(temporary, format="svg", metadata={"Date": None, "Creator": None})
    with atomic_path(png) as temporary:
        figure.savefig(temporary, format="png", dpi=PNG_DPI, metadata={"Software": None})
    return svg, png


def loss_styles(names: Iterable[str]) -> dict[str, LossStyle]:
    """Return the style of each loss, in the order of `names`.

    Pass all losses of the study to every figure (see `look_numbers`). The first eight styles differ in colour
    and marker. From the ninth on, the colours are repeated darker or lighter, with other line styles and
    markers. All 64 styles are different.
    """
    return {name: _style(number) for name, number in look_numbers(names).items()}


def loss_colours(names: Iterable[str]) -> dict[str, str]:
    """Return the colour `#rrggbb` of each loss, in the order of `names`, as in `loss_styles`."""
    return colours_of(look_numbers(names))


def colours_of(numbers: Mapping[str, int]) -> dict[str, str]:
    """Return the colour `#rrggbb` of each loss from its style number, which is in the plan."""
    return {name: _style(number).colour for name, number in numbers.items()}


def label_panels(axes: Sequence[Axes]) -> None:
    """Write a), b), c) … above the top left corner of the axes."""
    for index, axis in enumerate(axes):
        axis.set_title(f"{chr(ord('a') + index)})", loc="left", fontstyle="italic")


def _style(index: int) -> LossStyle:
    round_, hue = divmod(index, len(PALETTE))
    # The marker is shifted in every round, so that each hue has a different marker in each round.
    marker = MARKERS[(hue + round_) % len(MARKERS)]
    return LossStyle(_shade(PALETTE[hue], round_), marker, LINESTYLES[round_])


def _shade(colour: str, round_: int) -> str:
    """Return the colour mixed with white or black by the tint of the round; black is only made lighter."""
    target, share = (1.0, 0.1 * round_) if colour == "#000000" else TINTS[round_]
    red, green, blue = ((1 - share) * channel + share * target for channel in to_rgb(colour))
    return to_hex((red, green, blue))
