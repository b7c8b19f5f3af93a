"""Fig. 1: the families of losses, and the losses from which each is built."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch

from workflow_lib.figures.interface import Drawn, LossesData
from workflow_lib.figures.style import GREY, INK, TEXT_WIDTH_MM, new_figure
from workflow_lib.figures.text import wrapped
from workflow_lib.losses.registry import FAMILIES, Node

NAME = "loss_families"
OF = "losses"
ORDER = 1
CAPTION = (
    "The losses by family: distribution-based, region-based, and compound losses that join both. Arrows lead from a loss to "
    "those that generalise it or combine it with others."
)
ALT = "Diagram of the loss functions in families, with arrows from each loss to those derived from it."

COLUMNS = ("distribution", "compound", "region", "boundary")
"""Families from left to right, with the compounds between the two families that they combine.

Families without a loss are not drawn.
"""

TINTS = {"distribution": "#dce9f5", "compound": "#ece7f0", "region": "#fbe6d6", "boundary": "#e2f0e4"}

WIDEST_COLUMN_MM = 46.0
NARROWEST_GAP_MM = 3.0
MARGIN_MM = 6.0
BOX_HEIGHT_MM = 8.0
PITCH_MM = 12.5
HEAD_MM = 12.0
FOOT_MM = 6.0
LETTERS = 17
"""Number of characters in a line of a box, which has two lines."""

Centre = tuple[float, float]


@dataclass(frozen=True)
class _Layout:
    """The positions of the families, in millimetres from the top left corner of the figure."""

    columns: dict[str, list[Node]]
    width: float
    gap: float
    rows: int

    @property
    def box(self) -> float:
        """Width of a box; the rest of the column is space for the arcs on both sides."""
        return self.width - 2 * MARGIN_MM

    def centre(self, family: str) -> float:
        """Return the horizontal centre of a family's column."""
        return self.gap + self.width / 2 + list(self.columns).index(family) * (self.width + self.gap)

    def centres(self) -> dict[str, Centre]:
        """Return the centre of each box; all columns are centred vertically."""
        return {
            node.name: (self.centre(family), HEAD_MM + ((self.rows - len(members)) / 2 + row + 0.5) * PITCH_MM)
            for family, members in self.columns.items()
            for row, node in enumerate(members)
        }


def draw(data: LossesData) -> Drawn:
    """Return the figure of the study's losses and the losses from which they are built."""
    nodes = [Node(**{**node, "built_from": tuple(node["built_from"])}) for node in data.settings["losses"]]
    return Drawn(plot(nodes, data.settings["trained"]))


def plot(nodes: Sequence[Node], trained: Collection[str]) -> Figure:
    """Return the figure of the losses `nodes`. Boxes of losses that are not in `trained` are dashed.

    Arrows point from a loss to those that generalise it or combine it with others.
    """
    layout = _layout(nodes)
    note = any(node.name not in trained for node in nodes)
    height = HEAD_MM + layout.rows * PITCH_MM + (FOOT_MM if note else 1.0)
    figure = new_figure(TEXT_WIDTH_MM, height, layout=None)
    axis = figure.add_axes((0, 0, 1, 1))
    axis.set_xlim(0, TEXT_WIDTH_MM)
    axis.set_ylim(height, 0)
    axis.axis("off")
    centres = layout.centres()
    for family in layout.columns:
        _panel(axis, family, layout)
    for node in nodes:
        for base in node.built_from:
            _arrow(axis, centres[base], centres[node.name], layout)
    for node in nodes:
        _box(axis, node.label, centres[node.name], layout.box, dashed=node.name not in trained)
    if note:
        text = "Dashed: not trained in this study, but a loss of this study is built from it."
        axis.text(TEXT_WIDTH_MM / 2, height - 2, text, ha="center", va="bottom", color=GREY, fontsize=7)
    return figure


def _layout(nodes: Sequence[Node]) -> _Layout:
    columns = {family: _descending([node for node in nodes if node.family == family]) for family in COLUMNS}
    columns = {family: members for family, members in columns.items() if members}
    rows = {node.name: row / len(members) for members in columns.values() for row, node in enumerate(members)}
    if "compound" in columns:
        columns["compound"].sort(key=lambda node: (_mean_row(node, rows), node.label))
    width = min(WIDEST_COLUMN_MM, (TEXT_WIDTH_MM - NARROWEST_GAP_MM) / len(columns) - NARROWEST_GAP_MM)
    gap = (TEXT_WIDTH_MM - len(columns) * width) / (len(columns) + 1)
    return _Layout(columns, width, gap, max(len(members) for members in columns.values()))


def _descending(members: Sequence[Node]) -> list[Node]:
    """Return the losses of a family, each followed by the losses that are built from it.

    Small groups come first, so that few arcs cross.
    """
    names = {node.name for node in members}

    def line_of(node: Node) -> list[Node]:
        below = sorted((line_of(other) for other in members if _first(other, names) == node.name), key=_size)
        return [node, *(other for line in below for other in line)]

    lines = sorted((line_of(node) for node in members if not _first(node, names)), key=_size)
    return [node for line in lines for node in line]


def _first(node: Node, names: Collection[str]) -> str:
    """Return the first loss of the same family that the loss is built from, or an empty string."""
    return next((base for base in node.built_from if base in names), "")


def _size(line: Sequence[Node]) -> tuple[int, str]:
    return len(line), line[0].label


def _mean_row(node: Node, rows: Mapping[str, float]) -> float:
    """Return the mean position of the losses that a loss is built from; 0 is the top.

    With this order, compounds are near their parts.
    """
    return sum(rows[base] for base in node.built_from) / max(len(node.built_from), 1)


def _panel(axis: Axes, family: str, layout: _Layout) -> None:
    centre = layout.centre(family)
    corner = (centre - layout.width / 2, 2.0)
    size = (layout.width, HEAD_MM + layout.rows * PITCH_MM - 3.0)
    axis.add_patch(
        FancyBboxPatch(corner, *size, boxstyle="round,pad=0,rounding_size=2", facecolor=TINTS[family], edgecolor="none", zorder=0)
    )
    heading = FAMILIES[family]
    text = f"{heading[0].upper()}{heading[1:]} losses"
    axis.text(centre, 7.0, text, ha="center", va="center", weight="bold", color=INK, fontsize=7.5)


def _box(axis: Axes, label: str, centre: Centre, width: float, dashed: bool) -> None:
    corner = (centre[0] - width / 2, centre[1] - BOX_HEIGHT_MM / 2)
    axis.add_patch(
        FancyBboxPatch(
            corner,
            width,
            BOX_HEIGHT_MM,
            boxstyle="round,pad=0,rounding_size=1.2",
            facecolor="white",
            edgecolor=GREY if dashed else INK,
            linestyle="--" if dashed else "-",
            linewidth=0.8,
            zorder=2,
        )
    )
    # The heading already contains the word "losses".
    text = wrapped(label.removesuffix(" loss"), LETTERS, 2)
    # Reduce the font size of long labels: DejaVu Sans at 7.5 pt needs at most 1.65 mm per character.
    longest = max(len(line) for line in text.split("\n"))
    size = min(7.5, 7.5 * (width - 2) / (1.65 * max(longest, 1)))
    axis.text(*centre, text, ha="center", va="center", fontsize=size, color=INK, zorder=3, linespacing=1.05)


def _arrow(axis: Axes, start: Centre, end: Centre, layout: _Layout) -> None:
    """Draw an arrow: straight between two columns, and within a column as an arc around the boxes."""
    box = layout.box
    if start[0] == end[0]:
        outward = 1 if start[0] > TEXT_WIDTH_MM / 2 else -1
        side = start[0] + outward * box / 2
        # The bulge increases with the distance, so that arcs from one box do not cross. It is limited, so
        # that the arcs remain in the panel.
        distance = abs(end[1] - start[1])
        bulge = min(1.9 * distance / PITCH_MM, MARGIN_MM - 0.8)
        bend = f"arc3,rad={-2 * outward * bulge / (distance - 3.0)}"
        ends = ((side, start[1] + 1.5), (side, end[1] - 1.5))
    else:
        outward = 1 if end[0] > start[0] else -1
        bend = "arc3,rad=0"
        ends = ((start[0] + outward * box / 2, start[1]), (end[0] - outward * box / 2, end[1]))
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
