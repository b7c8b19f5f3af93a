"""Scores of one case of real size: this project against MIScnn 1.4.0, NumPy and SciPy, in one run on one machine.

The reference is a synthetic mask of 207 x 512 x 512 voxels of 2 x 0.741 x 0.741 mm, two kidneys with a tumour each; the
prediction is the same moved by a voxel or two, with a rough surface.

- Overlap: MIScnn's `compute_dice` on the arrays as its interface loads them (float64), which gives DSC alone; and NumPy on
  uint8, one comparison per class, for the counts behind DSC, precision and recall. Ours gives the counts of all classes and
  regions.
- Surfaces: HD95 and NSD of kidney, tumour and both together, against SciPy in the plain way: crop to both masks, the border by
  `binary_erosion`, distances by `cKDTree`; also for a prediction with stray voxels all over the volume.

    OMP_NUM_THREADS=1 python -m benchmarks.evaluation
"""

import math
from typing import Any

import numpy as np

from benchmarks import _miscnn, _synthetic
from benchmarks._measure import MISCNN, OURS, Row, alone, cpu_seconds, row, side, significant
from benchmarks._synthetic import CASE, Geometry
from workflow_lib.evaluation.case import score_case
from workflow_lib.evaluation.surface import bounding_box, surface_distances
from workflow_lib.images.cases import LabelMap
from workflow_lib.metrics.hd95 import PERCENTILE, hd95
from workflow_lib.metrics.nsd import nsd
from workflow_lib.metrics.registry import PAPER

LABELS = LabelMap(("background", "kidney", "tumour"), ((0,), (1,), (2,)), {"kidney and tumour": (1, 2)})
MEMBERS = ((1,), (2,), (1, 2))
TOLERANCE = 2.0
REPEATS = 5
STRAYS = 2000
"""Voxels of a prediction that has learned little, spread over the volume."""


def prediction_of(truth: np.ndarray) -> np.ndarray:
    """Return the mask moved by a voxel or two, with one voxel in ten near it taken from its neighbour."""
    moved = np.roll(truth, (1, 2, -1), (0, 1, 2))
    rough = np.random.default_rng(0).random(truth.shape, dtype=np.float32) < 0.1
    result: np.ndarray = np.where(rough, np.roll(moved, 1, 1), moved)
    return result


def with_strays(prediction: np.ndarray, count: int = STRAYS) -> np.ndarray:
    """Return the prediction with single voxels of the first class all over the volume."""
    result = prediction.copy()
    result.ravel()[np.random.default_rng(1).integers(0, result.size, count)] = 1
    return result


def numpy_counts(truth: np.ndarray, prediction: np.ndarray) -> list[tuple[int, int, int]]:
    """Return TP, FP and FN of every class but the background, and of all together, the plain way."""
    pairs = [(truth == index, prediction == index) for index in (1, 2)] + [(truth > 0, prediction > 0)]
    counts = []
    for expected, found in pairs:
        both = int(np.logical_and(expected, found).sum())
        counts.append((both, int(found.sum()) - both, int(expected.sum()) - both))
    return counts


def our_surfaces(truth: np.ndarray, prediction: np.ndarray, geometry: Geometry) -> list[dict[str, float]]:
    """Return HD95 and NSD of the two classes and their union."""
    every = surface_distances(truth, prediction, MEMBERS, geometry.spacing, TOLERANCE)
    return [{"hd95": hd95(surfaces), "nsd": nsd(surfaces)} for surfaces in every]


def scipy_surfaces(truth: np.ndarray, prediction: np.ndarray, geometry: Geometry) -> list[dict[str, float]]:
    """Return HD95 and NSD of the two classes and their union, the plain way."""
    crop = bounding_box((truth > 0) | (prediction > 0))
    truth, prediction = truth[crop], prediction[crop]
    return [_scipy_surface(np.isin(truth, few), np.isin(prediction, few), geometry.spacing) for few in MEMBERS]


def _scipy_surface(truth: np.ndarray, prediction: np.ndarray, spacing: tuple[float, ...]) -> dict[str, float]:
    from scipy.ndimage import binary_erosion
    from scipy.spatial import cKDTree

    first, second = (np.argwhere(mask & ~binary_erosion(mask)) * spacing for mask in (truth, prediction))
    there, back = cKDTree(second).query(first)[0], cKDTree(first).query(second)[0]
    near = np.count_nonzero(there <= TOLERANCE) + np.count_nonzero(back <= TOLERANCE)
    largest = max(float(np.percentile(there, PERCENTILE)), float(np.percentile(back, PERCENTILE)))
    return {"hd95": largest, "nsd": float(near) / (len(there) + len(back))}


def _largest(pairs: list[tuple[float, float]]) -> Row:
    return {"largest_difference": significant(max(abs(a - b) for a, b in pairs), 2)}


def overlap(truth: np.ndarray, prediction: np.ndarray, repeats: int) -> list[Row]:
    """Return the rows of the overlap."""
    ours, scores = cpu_seconds(lambda: score_case(truth, prediction, LABELS, (1.0,) * 3, None, PAPER), repeats)
    own = side(OURS, ours)
    numpys, counts = cpu_seconds(lambda: numpy_counts(truth, prediction), repeats)
    found = [tuple(int(str(score[key])) for key in ("tp", "fp", "fn")) for score in scores]
    equal = _largest([(a, b) for pair in zip(counts, found, strict=True) for a, b in zip(*pair, strict=True)])
    _miscnn.allow_import()
    from miscnn.evaluation.detailed_validation import compute_dice

    as_loaded = [array.astype(np.float64)[..., np.newaxis] for array in (truth, prediction)]
    theirs, dice = cpu_seconds(lambda: compute_dice(*as_loaded, LABELS.n_classes), min(repeats, 3), warm=False)
    agreement = _largest([(float(a), float(str(score["dsc"]))) for a, score in zip(dice[1:], scores, strict=False)])
    return [
        row("DSC (MIScnn), all counts (ours)", own, side(MISCNN, theirs), agreement),
        row("counts for DSC, precision, recall", own, side("NumPy, class by class", numpys), equal),
    ]


def surfaces(truth: np.ndarray, prediction: np.ndarray, geometry: Geometry, repeats: int) -> list[Row]:
    """Return the rows of the surfaces."""

    def compared(what: str, predicted: np.ndarray, count: int) -> Row:
        times, found = cpu_seconds(lambda: our_surfaces(truth, predicted, geometry), count)
        plain, expected = cpu_seconds(lambda: scipy_surfaces(truth, predicted, geometry), 1, warm=False)
        pairs = [(a[key], b[key]) for a, b in zip(expected, found, strict=True) for key in ("hd95", "nsd")]
        if any(math.isnan(value) for pair in pairs for value in pair):
            raise SystemExit("A mask of the benchmark is empty; its geometry is too coarse.")
        values: dict[str, Any] = {key: [score[key] for score in found] for key in ("hd95", "nsd")}
        return row(what, side(OURS, times), side("SciPy's cKDTree", plain), _largest(pairs), **values)

    return [
        compared("HD95 and NSD of three regions", prediction, repeats),
        compared(f"the same with {STRAYS} stray voxels", with_strays(prediction), 1),
    ]


def rows(quick: bool, geometry: Geometry = CASE) -> list[Row]:
    """Return all rows."""
    repeats = 1 if quick else REPEATS
    truth = _synthetic.mask(geometry)
    prediction = prediction_of(truth)
    return overlap(truth, prediction, repeats) + surfaces(truth, prediction, geometry, repeats)


if __name__ == "__main__":
    alone(__doc__, rows)
