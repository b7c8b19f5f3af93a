"""Count the voxels of one case in both masks or in only one of them, for every class."""

import math
from collections.abc import Sequence

import numpy as np

from workflow_lib.base.errors import UserError
from workflow_lib.metrics.interface import Counts

_WORD = 8
_CHUNK = 1 << 20  # bytes that are processed at a time: small enough for the processor's cache

_MM3_PER_ML = 1000.0


def count_voxels(
    truth: np.ndarray, prediction: np.ndarray, members: Sequence[tuple[int, ...]], n_classes: int, voxel: float
) -> list[Counts]:
    """Return the counts of each union of classes in `members`.

    Parameters
    ----------
    truth, prediction : numpy.ndarray
        Class indices, uint8, of the same shape (any number of axes).
    members : sequence of tuple of int
        Indices of the classes of each union: one for a class, several for a region.
    n_classes : int
        Number of classes, the background included.
    voxel : float
        Size of a voxel, see `voxel_size`.

    Raises
    ------
    UserError
        If the shapes differ or a class index is `n_classes` or more.
    """
    matrix = confusion_matrix(truth, prediction, n_classes)
    return [Counts(*_counts(matrix, classes), voxel) for classes in members]


def voxel_size(spacing: Sequence[float]) -> float:
    """Return the size of a voxel: its volume in ml for three axes, its area in mm² for two (1 px² for pictures)."""
    return math.prod(spacing) / (_MM3_PER_ML if len(spacing) == 3 else 1.0)


def confusion_matrix(truth: np.ndarray, prediction: np.ndarray, n_classes: int) -> np.ndarray:
    """Return the numbers of voxels by (class in `truth`, class in `prediction`), int64, shape (n_classes, n_classes).

    Voxels that are background in both, most of a volume, are skipped eight at a time.
    Raises UserError when the shapes differ, an array is not uint8 or holds an index of `n_classes` or more.
    """
    if truth.shape != prediction.shape:
        raise UserError(
            f"the reference has shape {_shape(truth)}, the prediction {_shape(prediction)}. "
            "They must lie on the same grid; make the prediction again from the same images."
        )
    if truth.dtype != np.uint8 or prediction.dtype != np.uint8:
        raise UserError(f"classes must be uint8; the reference is {truth.dtype}, the prediction {prediction.dtype}.")
    flat_truth, flat_prediction = _flat(truth, prediction)
    matrix = np.zeros(n_classes * n_classes, dtype=np.int64)
    for start in range(0, flat_truth.size, _CHUNK):
        t, p = _foreground(flat_truth[start : start + _CHUNK], flat_prediction[start : start + _CHUNK])
        for name, classes in (("reference", t), ("prediction", p)):
            if classes.size and classes.max() >= n_classes:
                raise UserError(f"the {name} holds class {classes.max()}, but the classes are 0 to {n_classes - 1}.")
        matrix += np.bincount(t.astype(np.intp) * n_classes + p, minlength=matrix.size)
    matrix[0] += flat_truth.size - matrix.sum()
    return matrix.reshape(n_classes, n_classes)


def _flat(truth: np.ndarray, prediction: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return both as 1-D arrays in one common order, without a copy if they have the same memory layout."""
    if truth.flags.f_contiguous and prediction.flags.f_contiguous:
        return truth.ravel(order="F"), prediction.ravel(order="F")
    return truth.ravel(order="C"), prediction.ravel(order="C")


def _foreground(truth: np.ndarray, prediction: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the voxels of two 1-D arrays without most of those that are 0 in both."""
    whole = truth.size - truth.size % _WORD
    t_words, p_words = truth[:whole].view(np.uint64), prediction[:whole].view(np.uint64)
    words = np.flatnonzero(t_words | p_words)
    t = np.concatenate([t_words[words].view(np.uint8), truth[whole:]])
    p = np.concatenate([p_words[words].view(np.uint8), prediction[whole:]])
    return t, p


def _counts(matrix: np.ndarray, members: tuple[int, ...]) -> tuple[int, int, int]:
    """Return TP, FP and FN of the union of the classes `members`."""
    index = list(members)
    tp = int(matrix[np.ix_(index, index)].sum())
    return tp, int(matrix[:, index].sum()) - tp, int(matrix[index, :].sum()) - tp


def _shape(array: np.ndarray) -> str:
    return " x ".join(map(str, array.shape))
