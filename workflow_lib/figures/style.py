"""One look for every figure of the project, and files that are the same byte for byte when drawn again.

Figures are made as `matplotlib.figure.Figure` objects, never through pyplot: no display, no state between figures.
The user's matplotlib configuration has no effect.
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
"""Width of a two-column page; `new_figure` uses it by default."""
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
"""Eight colours that differ with any colour vision: Okabe and Ito's, with wine instead of yellow, which is faint on paper."""

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
"""What each round of eight mixes its colours with: 0 is black, 1 is white; and by which share."""
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")


@dataclass(frozen=True)
class LossStyle:
    """How a loss is drawn wherever it appears: colour as `#rrggbb`, a matplotlib marker and line style."""

    colour: str
    marker: str
    linestyle: str | tuple[int, tuple[float, ...]]


def apply() -> None:
    """Set matplotlib's parameters to its defaults with the project's look over them. `new_figure` and `save` call it."""
    matplotlib.rcdefaults()
    parameters: Any = matplotlib.rcParams
    parameters.update(RC)


def new_figure(width_mm: float = TEXT_WIDTH_MM, height_mm: float = 90.0, **options: Any) -> Figure:
    """Return an empty figure of the given size in millimetres, in the project's look, with constrained layout.

    `options` go to `matplotlib.figure.Figure` (`layout=None` for hand-placed axes). Add axes with `figure.subplots(...)`.
    """
    apply()
    options.setdefault("layout", "constrained")
    return Figure(figsize=(width_mm / MM_PER_INCH, height_mm / MM_PER_INCH), **options)


def save(figure: Figure, path_without_suffix: str | Path) -> tuple[Path, Path]:
    """Write `<path>.svg` and `<path>.png` (300 dpi), each atomically, without dates or program names. Returns both paths."""
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

    Pass the study's whole list to every figure (see `look_numbers`). The first eight differ in colour and marker; from the ninth
    on the colours return darker or lighter, with another line style and marker. Up to 64 losses no two styles are the same.
    """
    return {name: _style(number) for name, number in look_numbers(names).items()}


def loss_colours(names: Iterable[str]) -> dict[str, str]:
    """Return the colour `#rrggbb` of each loss, in the order of `names`; the same as in `loss_styles`."""
    return colours_of(look_numbers(names))


def colours_of(numbers: Mapping[str, int]) -> dict[str, str]:
    """Return the colour `#rrggbb` of each loss by the number of its look, which the plan contains."""
    return {name: _style(number).colour for name, number in numbers.items()}


def label_panels(axes: Sequence[Axes]) -> None:
    """Write a), b), c) … above the top left corner of each of the axes."""
    for index, axis in enumerate(axes):
        axis.set_title(f"{chr(ord('a') + index)})", loc="left", fontstyle="italic")


def _style(index: int) -> LossStyle:
    round_, hue = divmod(index, len(PALETTE))
    # The marker moves on with every round, so that one hue never meets the same marker twice.
    marker = MARKERS[(hue + round_) % len(MARKERS)]
    return LossStyle(_shade(PALETTE[hue], round_), marker, LINESTYLES[round_])


def _shade(colour: str, round_: int) -> str:
    """Return the colour mixed with white or black by the tint of the round; black itself only gets lighter."""
    target, share = (1.0, 0.1 * round_) if colour == "#000000" else TINTS[round_]
    red, green, blue = ((1 - share) * channel + share * target for channel in to_rgb(colour))
    return to_hex((red, green, blue))
