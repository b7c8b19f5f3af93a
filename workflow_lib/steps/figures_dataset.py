"""Draw the figures of a dataset: segmentations, galleries, distributions, balance, training curves, imbalance, ranking."""

import functools
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from workflow_lib.base.files import write_json
from workflow_lib.base.frames import read_frame
from workflow_lib.evaluation.imbalance import unit_of
from workflow_lib.evaluation.scores import read_scores
from workflow_lib.figures import (
    distributions,
    gallery,
    imbalance,
    ranking,
    recall_precision,
    segmentations,
    share_effect,
    style,
    training_curves,
)
from workflow_lib.figures.text import told_apart
from workflow_lib.steps._command import Context, run, say
from workflow_lib.steps._segmentations import Segmentations
from workflow_lib.steps._study import read_cases

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def work(context: Context) -> None:
    """Write every figure as SVG and PNG, and `choice` and `texts`: which case and slice a figure shows, and its caption."""
    draw_numbers(context)
    draw_images(context)


def draw_numbers(context: Context) -> None:
    """Draw the figures of scores, statistics and histories, which need no image."""
    settings = context.settings
    labels = _labels(settings)
    colours = style.colours_of(settings["colours"])
    statistics = {path.stem: read_frame(path) for path in context.paths["results"]}
    scores, table = read_scores(context.path("scores")), read_frame(context.path("table"))
    names, seed = read_cases(context.path("cases")).labels.names, settings["seed"]
    target = segmentations.rarest_class(_voxels(table, names))
    figures: dict[str, Callable[[], Figure]] = {
        "distributions": lambda: distributions.draw(scores, names[1:], labels, colours, seed),
        "recall_precision": lambda: recall_precision.draw(statistics["means"], names[1:], labels, colours),
        "training_curves": lambda: training_curves.draw(_histories(context.paths["histories"]), labels, colours),
        "imbalance": lambda: imbalance.draw(table, names, seed, unit_of(table)),
        "ranking": lambda: ranking.draw(statistics["ranking"], names[1:], labels),
        "share_effect": lambda: share_effect.draw(scores, table, target, labels, colours, unit_of(table)),
    }
    folder, dataset = context.paths["texts"][0].parent, settings["dataset"]
    for name, draw in figures.items():
        style.save(draw(), folder / f"{name}_{dataset}")
        say(name)
    text = share_effect.caption(settings["label"], target, unit_of(table))
    write_json(_texts(context)[f"share_effect_{dataset}"], {"class": target, "caption": text})


def draw_images(context: Context) -> None:
    """Draw the figures of segmentations, from the images, masks and predictions of the cases they show."""
    settings = context.settings
    study = read_cases(context.path("cases"))
    voxels = _voxels(read_frame(context.path("table")), study.labels.names)
    scores = read_scores(context.path("scores"))
    pictures = Segmentations(settings, study, scores, voxels, context.paths["predictions"])
    folder, dataset = context.paths["texts"][0].parent, settings["dataset"]
    shown: dict[str, Callable[[], tuple[Figure, dict[str, Any]]]] = {"segmentations": pictures.main}
    shown |= {f"gallery_{rank}": functools.partial(pictures.ranked, rank) for rank in gallery.RANKS}
    for name, choose in shown.items():
        figure, choice = choose()
        style.save(figure, folder / f"{name}_{dataset}")
        write_json(_texts(context)[f"{name}_{dataset}"], choice)
        say(name)


def _labels(settings: Mapping[str, Any]) -> dict[str, str]:
    return told_apart({entry["name"]: entry["label"] for entry in settings["losses"]})


def _voxels(table: pd.DataFrame, names: Sequence[str]) -> dict[str, float]:
    """Return the voxels of each class but the background."""
    return {name: float(table[f"voxels_{name}"].sum()) for name in names[1:]}


def _texts(context: Context) -> dict[str, Path]:
    return {path.stem: path for path in context.paths["texts"]}


def _histories(paths: list[Path]) -> dict[str, dict[int, pd.DataFrame]]:
    """Read <loss>/fold_<k>/history.csv."""
    histories: dict[str, dict[int, pd.DataFrame]] = {}
    for path in paths:
        fold = int(path.parent.name.removeprefix("fold_"))
        histories.setdefault(path.parent.parent.name, {})[fold] = read_frame(path)
    return histories


if __name__ == "__main__":
    run("figures_dataset", __doc__, work)
