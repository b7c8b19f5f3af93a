"""The figures of a dataset, drawn from its files like in the step, with a small volume of nested bodies."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from workflow_lib.base.files import write_json
from workflow_lib.base.seeds import generator


def draw_figures(
    folder: Path, name: str, label: str, classes: Sequence[str], losses: Mapping[str, str], every: Sequence[str]
) -> None:
    """Draw the dataset's figures from the files, like the step."""
    from workflow_lib.base.frames import read_frame
    from workflow_lib.figures import (
        distributions,
        gallery,
        imbalance,
        ranking,
        recall_precision,
        segmentations,
        share_effect,
        slices,
        style,
        training_curves,
    )

    colours = {k: v for k, v in style.loss_colours(every).items() if k in losses}
    target = folder / "figures"
    scores = read_frame(folder / f"scores/{name}.csv")
    means = read_frame(folder / f"statistics/{name}/means.csv")
    foreground = list(classes)[1:]
    style.save(distributions.plot(scores, foreground, losses, colours), target / f"distributions_{name}")
    style.save(recall_precision.plot(means, foreground, losses, colours), target / f"recall_precision_{name}")
    cases, ranks = read_frame(folder / f"data/{name}/cases.csv"), read_frame(folder / f"statistics/{name}/ranking.csv")
    style.save(imbalance.plot(cases, classes), target / f"imbalance_{name}")
    style.save(ranking.plot(ranks, foreground, losses), target / f"ranking_{name}")
    histories: dict[str, dict[int, pd.DataFrame]] = {}
    for loss in losses:
        for path in sorted((folder / f"training/{name}/{loss}").glob("fold_*/history.csv")):
            history = read_frame(path)
            histories.setdefault(loss, {})[int(path.parent.name.split("_")[1])] = history
    style.save(training_curves.plot(histories, losses, colours), target / f"training_curves_{name}")
    image, truth = phantom(len(classes))
    predictions: dict[str, np.ndarray | None] = {text: np.roll(truth, i % 5, axis=2) for i, text in enumerate(losses.values())}
    view = slices.cut(image, truth, predictions, "IPL", (3.0, 0.78, 0.78), len(classes) - 1)
    style.save(segmentations.plot(view, len(classes), len(classes) - 1, slices.CT_WINDOW), target / f"segmentations_{name}")
    text = segmentations.caption(view, classes, len(classes) - 1, label, "case_00003")
    write_json(target / f"segmentations_{name}.json", {"caption": text})
    rarest = len(classes) - 1
    every_rank: tuple[slices.Rank, ...] = ("worst", "median", "best")
    for case, rank in enumerate(every_rank):
        values = dict(zip(losses.values(), 0.4 + 0.02 * np.arange(len(losses)) + 0.2 * case, strict=True))
        figure = gallery.draw(view, len(classes), rarest, values, slices.CT_WINDOW)
        style.save(figure, target / f"gallery_{rank}_{name}")
        write_json(target / f"gallery_{rank}_{name}.json", {"caption": gallery.caption(view, classes, rarest, "case_3", rank)})
    style.save(share_effect.plot(scores, cases, classes[rarest], losses, colours), target / f"share_effect_{name}")


def phantom(n_classes: int) -> tuple[np.ndarray, np.ndarray]:
    """Return a small CT-like volume (slice axis first) with nested ellipsoids as classes 1, 2, ..."""
    z, y, x = np.ogrid[:20, :128, :128]
    truth = np.zeros((20, 128, 128), np.uint8)
    for index in range(1, n_classes):
        radius = 14.0 / index
        centre = (y - 78) ** 2 + (x - 92 + 6 * index) ** 2 + (3 * (z - 9 - index)) ** 2
        truth[centre < radius**2] = index
    body = ((y - 64) / 50) ** 2 + ((x - 64) / 60) ** 2 < 1
    image = np.where(body, 20.0 + 0 * z, -1000.0) + 60.0 * truth + generator(1, "noise").normal(0, 12, truth.shape)
    return image, truth
