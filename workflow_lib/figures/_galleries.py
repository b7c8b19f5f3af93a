"""The common drawing function of the galleries of the worst, the median and the best case."""

from __future__ import annotations

from workflow_lib.figures import _shown, error_maps, gallery
from workflow_lib.figures.interface import Data, Drawn
from workflow_lib.figures.slices import Rank


def ranked(data: Data, rank: Rank) -> Drawn:
    """Return the figure of the case with that rank, and a description of its content."""
    chosen = _shown.choose(data, rank)
    if chosen is None:
        return _shown.nothing(data)
    shown, names, index = _shown.read(data, chosen), data.classes, data.target_index
    scores = _shown.scores_of(data, chosen)
    if data.study.axes == 2:
        label, limited = data.settings["label"], shown.view is not None
        text = error_maps.caption(list(shown.predictions), data.target, label, chosen, rank, limited)
        figure = error_maps.draw(shown.image.data, shown.truth, shown.predictions, index, shown.view, scores)
        return Drawn(figure, {"case": chosen, "class": data.target, "caption": text})
    view = _shown.cut(data, shown)
    text = gallery.caption(view, names, index, chosen, rank)
    figure = gallery.draw(view, len(names), index, scores, _shown.window(data))
    return Drawn(figure, {"case": chosen, "slice": view.index + 1, "of": view.slices, "class": data.target, "caption": text})
