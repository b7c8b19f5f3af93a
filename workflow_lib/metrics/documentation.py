"""Generation of docs/metrics.md from the registry (`make generated`)."""

import math

import numpy as np

from workflow_lib.metrics import registry
from workflow_lib.metrics.interface import EMPTY_NOTES, EMPTY_PREDICTION, EMPTY_REFERENCE, Counts, Measured, Surfaces

HEAD = r"""# Metrics

<!-- Written by `make generated` from the files in workflow_lib/metrics; do not edit. -->

Every case is scored on its original grid, each foreground class and each region by itself. The scores of a study,
`results/<study>/scores/<dataset>.csv`, have one column per metric, under the name given here.

The statistics, tables and figures that rebuild the paper compare the losses in DSC, precision and recall. Metrics of surfaces are
empty with `surface: false` in the section `evaluation` of a dataset.

```python
from workflow_lib.metrics.dsc import dsc
from workflow_lib.metrics.interface import Counts

dsc(Counts(tp=6, fp=2, fn=2))  # 0.75
```

## Notation

$R$ is the reference mask, $P$ the predicted one. TP are the voxels in both, FP those in $P$ alone, FN those in $R$ alone. $v$ is
the size of a voxel; $V_R = v \, (\mathrm{TP} + \mathrm{FN})$ and $V_P = v \, (\mathrm{TP} + \mathrm{FP})$ are the volumes.

$S_R$ and $S_P$ are the surfaces: the voxels of a mask with a face neighbour outside it, the border of the image being outside.
$d(a, S)$ is the Euclidean distance from the centre of voxel $a$ to the nearest centre in $S$.

Lengths are in mm and volumes in ml; of pictures, which have no voxel size, in pixels (px, px²). A NIfTI image of two axes has
areas in mm².

## Empty masks

The column `note` of the scores says which mask is empty. Statistics leave out cases where both are.
"""


def text() -> str:
    """Return the content of docs/metrics.md.

    Returns
    -------
    str
        The whole page.
    """
    return "\n".join([HEAD, _empty_masks(), *map(_metric, registry.names())]).rstrip() + "\n"


def _empty_masks() -> str:
    lines = [f"| metric | {' | '.join(EMPTY_NOTES)} |", "|---|" + "---|" * len(EMPTY_NOTES)]
    values = {name: [_where_empty(name, note) for note in EMPTY_NOTES] for name in registry.names()}
    lines += [f"| `{name}` | {' | '.join(cells)} |" for name, cells in values.items()]
    return "\n".join(lines) + "\n"


def _where_empty(name: str, note: str) -> str:
    """Return the value of a metric for an empty mask, or "by the equation" if it depends on the other mask."""
    first, second = (registry.function(name)(_example(registry.get(name).MEASURED, note, size)) for size in (4, 7))
    if math.isnan(first):
        return "undefined"
    return f"{first:g}" if first == second else "by the equation"


def _example(measured: Measured, note: str, size: int) -> Counts | Surfaces:
    """Return a measurement with this note, and `size` voxels in the mask that is not empty."""
    missed, added = size * (note == EMPTY_PREDICTION), size * (note == EMPTY_REFERENCE)
    if measured == "counts":
        return Counts(0, added, missed)
    return Surfaces(np.full(missed, np.inf), np.full(added, np.inf), tolerance=1.0)


def _metric(name: str) -> str:
    metric = registry.get(name)
    low, high = metric.RANGE
    closed = "]" if math.isfinite(high) else ")"
    bounds = f"[{low:g}, {'∞' if math.isinf(high) else format(high, 'g')}{closed}"
    better = {"higher": "Higher is better", "lower": "Lower is better", "near 0": "Best near 0"}[metric.BETTER]
    unit = f", in {metric.UNIT}" if metric.UNIT else ""
    measured = {"counts": "counts of voxels", "surfaces": "the distances between the surfaces"}[metric.MEASURED]
    parts = [f"## {metric.LABEL}: `{name}`", f"$${metric.EQUATION}$$"]
    parts.append(f"{better}. Values in {bounds}{unit}. Computed from {measured}.")
    if registry.notes(name):
        parts.append("\n".join(f"- {note}" for note in registry.notes(name)))
    return "\n\n".join([*parts, f"Source: {metric.CITATION}"]) + "\n"
