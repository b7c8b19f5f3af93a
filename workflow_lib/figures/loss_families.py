"""Fig. 1: the family of losses and what is built from what, drawn from the registry."""

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch

from workflow_lib.figures.style import GREY, INK, TEXT_WIDTH_MM, new_figure
from workflow_lib.losses import registry

COLUMNS = ("distribution", "compound", "region")
"""Families from left to right: the compounds stand between the two that they combine."""

TINTS = {"distribution": "#dce9f5", "compound": "#ece7f0", "region": "#fbe6d6"}

COLUMN_MM = 46.0
BOX_MM = 34.0
BOX_HEIGHT_MM = 8.0
PITCH_MM = 14.0
HEAD_MM = 12.0
FOOT_MM = 6.0

Centre = tuple[float, float]


def draw(names: Sequence[str]) -> Figure:
    """Return the figure for the registry's losses `names`.

    Losses that one of them is built from are drawn too, dashed when they are not in `names`. Arrows lead from a loss to those
    that generalise it or combine it with others. Raises UserError for a name that is not in the registry.
    """
    shown = registry.with_components(names)
    columns = {family: registry.family(shown, family) for family in COLUMNS}
    rows = max(len(members) for members in columns.values())
    note = len(shown) > len(set(names))
    height = HEAD_MM + rows * PITCH_MM + (FOOT_MM if note else 1.0)
    figure = new_figure(TEXT_WIDTH_MM, height, layout=None)
    axis = figure.add_axes((0, 0, 1, 1))
    axis.set_xlim(0, TEXT_WIDTH_MM)
    axis.set_ylim(height, 0)
    axis.axis("off")
    centres = _place(columns, rows)
    for family, members in columns.items():
        _panel(axis, family, bool(members), rows)
    for name in shown:
        for base in registry.built_from(name):
            _arrow(axis, base, name, centres)
    for name, centre in centres.items():
        _box(axis, registry.get(name).LABEL, centre, dashed=name not in names)
    if note:
        text = "Dashed: not trained in this study, but a loss of this study is built from it."
        axis.text(TEXT_WIDTH_MM / 2, height - 2, text, ha="center", va="bottom", color=GREY, fontsize=7)
    return figure


def _column_centre(family: str) -> float:
    gap = (TEXT_WIDTH_MM - len(COLUMNS) * COLUMN_MM) / (len(COLUMNS) + 1)
    return gap + COLUMN_MM / 2 + COLUMNS.index(family) * (COLUMN_MM + gap)


def _place(columns: dict[str, list[str]], rows: int) -> dict[str, Centre]:
    """Return the centre of each box in millimetres; a short column is centred on the tallest."""
    return {
        name: (_column_centre(family), HEAD_MM + ((rows - len(members)) / 2 + row + 0.5) * PITCH_MM)
        for family, members in columns.items()
        for row, name in enumerate(members)
    }


def _panel(axis: Axes, family: str, used: bool, rows: int) -> None:
    if not used:
        return
    centre = _column_centre(family)
    corner = (centre - COLUMN_MM / 2, 2.0)
    size = (COLUMN_MM, HEAD_MM + rows * PITCH_MM - 3.0)
    axis.add_patch(
        FancyBboxPatch(corner, *size, boxstyle="round,pad=0,rounding_size=2", facecolor=TINTS[family], edgecolor="none", zorder=0)
    )
    heading = registry.FAMILIES[family]
    axis.text(centre, 7.0, f"{heading[0].upper()}{heading[1:]} losses", ha="center", va="center", weight="bold", color=INK)


def _box(axis: Axes, label: str, centre: Centre, dashed: bool) -> None:
    corner = (centre[0] - BOX_MM / 2, centre[1] - BOX_HEIGHT_MM / 2)
    axis.add_patch(
        FancyBboxPatch(
            corner,
            BOX_MM,
            BOX_HEIGHT_MM,
            boxstyle="round,pad=0,rounding_size=1.2",
            facecolor="white",
            edgecolor=GREY if dashed else INK,
            linestyle="--" if dashed else "-",
            linewidth=0.8,
            zorder=2,
        )
    )
    # A label of any length stays in its box: DejaVu Sans at 8 pt is about 1.7 mm a letter.
    size = min(8.0, 8.0 * (BOX_MM - 2) / (1.7 * max(len(label), 1)))
    axis.text(*centre, label, ha="center", va="center", fontsize=size, color=INK, zorder=3)


def _arrow(axis: Axes, base: str, name: str, centres: dict[str, Centre]) -> None:
    """Draw an arrow between two columns from side to side, and within a column around the boxes between the two."""
    start, end = centres[base], centres[name]
    if start[0] == end[0]:
        outward = 1 if start[0] > TEXT_WIDTH_MM / 2 else -1
        side = start[0] + outward * BOX_MM / 2
        # Farther boxes get an arc that stands out more, so that arcs from one box do not cross; all stay in the panel.
        distance = abs(end[1] - start[1])
        bulge = min(2.1 * distance / PITCH_MM, (COLUMN_MM - BOX_MM) / 2 - 0.8)
        bend = f"arc3,rad={-2 * outward * bulge / (distance - 3.0)}"
        ends = ((side, start[1] + 1.5), (side, end[1] - 1.5))
    else:
        outward = 1 if end[0] > start[0] else -1
        bend = "arc3,rad=0"
        ends = ((start[0] + outward * BOX_MM / 2, start[1]), (end[0] - outward * BOX_MM / 2, end[1]))
    axis.add_patch(
        FancyArrowPatch(
            *ends,
            connectionstyle=bend,
            arrowstyle="-|>,head_length=2.5,head_width=1.3",
            color=INK,
            linewidth=0.9,
            shrinkA=0,
            shrinkB=0.5,
            zorder=1,
        )
    )
