"""The scores of one case: every metric of every class and region."""

import itertools
import math
from collections.abc import Iterable, Sequence

import numpy as np

from workflow_lib.evaluation.counts import count_voxels, voxel_size
from workflow_lib.evaluation.surface import surface_distances
from workflow_lib.images.cases import LabelMap
from workflow_lib.metrics import registry
from workflow_lib.metrics.interface import Surfaces


def score_case(
    truth: np.ndarray,
    prediction: np.ndarray,
    labels: LabelMap,
    spacing: Sequence[float],
    tolerance: float | None,
    metrics: Sequence[str],
) -> list[dict[str, object]]:
    """Return one row per foreground class, then one per region of `labels`.

    Parameters
    ----------
    truth, prediction : numpy.ndarray
        Class indices, uint8, of the same shape, two or three axes.
    labels : LabelMap
        The classes and regions.
    spacing : sequence of float
        Voxel size per axis in mm; 1 for pictures.
    tolerance : float or None
        Distance up to which surfaces count as the same. None: surfaces are not measured, and the metrics that need them are NaN.
    metrics : sequence of str
        Names of the metrics, in the order of their columns.

    Returns
    -------
    list of dict
        `class`, `kind` ("class" or "region"), the numbers of voxels `tp`, `fp` and `fn` (integers), the value of each metric (NaN
        where it is undefined) and `note`, which says which mask is empty (`metrics.interface.EMPTY_NOTES`).

    Raises
    ------
    UserError
        If the shapes differ, a class index is not in `labels`, or there is no such metric.
    """
    names = [(name, "class") for name in labels.names[1:]] + [(name, "region") for name in labels.regions]
    members = [(index,) for index in range(1, labels.n_classes)] + [tuple(region) for region in labels.regions.values()]
    functions = [(name, registry.get(name).MEASURED, registry.function(name)) for name in metrics]
    every = count_voxels(truth, prediction, members, labels.n_classes, voxel_size(spacing))
    distances: Iterable[Surfaces | None] = itertools.repeat(None, len(members))
    if tolerance is not None and any(measured == "surfaces" for _, measured, _ in functions):
        distances = surface_distances(truth, prediction, members, spacing, tolerance)
    rows = []
    for (name, kind), counts, surfaces in zip(names, every, distances, strict=True):
        measurements = {"counts": counts, "surfaces": surfaces}
        row: dict[str, object] = {"class": name, "kind": kind, "tp": counts.tp, "fp": counts.fp, "fn": counts.fn}
        for metric, measured, function in functions:
            measurement = measurements[measured]
            row[metric] = math.nan if measurement is None else function(measurement)
        rows.append(row | {"note": counts.note})
    return rows
