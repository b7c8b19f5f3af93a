"""Overlap metrics of one case from integer counts of voxels."""

import math

import numpy as np

from workflow_lib.base.errors import UserError
from workflow_lib.images.cases import LabelMap

METRICS = ("dsc", "precision", "recall")

BOTH_EMPTY = "both empty"
EMPTY_PREDICTION = "empty prediction"
EMPTY_REFERENCE = "empty reference"

_WORD = 8
_CHUNK = 1 << 20  # bytes looked at in one go: small enough to stay in the processor's cache


def score_case(truth: np.ndarray, prediction: np.ndarray, labels: LabelMap) -> list[dict[str, object]]:
    """Return one row per foreground class, then one per region of `labels`.

    `truth` and `prediction` are class indices, uint8, of the same shape (any number of axes). A row holds `class`, `kind`
    ("class" or "region"), the numbers of voxels `tp`, `fp` and `fn` (integers), `dsc`, `precision` and `recall` in [0, 1] (NaN
    where undefined) and `note`, which tells which mask is empty:

    - "both empty": neither mask holds the class; all three are undefined;
    - "empty prediction": dsc, precision and recall are 0 (0/0 in precision is set to 0, the class was missed);
    - "empty reference": dsc and precision are 0, recall is undefined.

    Raises UserError when the shapes differ or a class index is not in `labels`.
    """
    matrix = confusion_matrix(truth, prediction, labels.n_classes)
    rows = [_row(labels.names[index], "class", *_counts(matrix, (index,))) for index in range(1, labels.n_classes)]
    return rows + [_row(name, "region", *_counts(matrix, members)) for name, members in labels.regions.items()]


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
    """Return both as 1-D arrays in one common order, without a copy where they lie in memory alike."""
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


def _row(name: str, kind: str, tp: int, fp: int, fn: int) -> dict[str, object]:
    dsc = precision = recall = math.nan
    note = ""
    if tp + fp + fn == 0:
        note = BOTH_EMPTY
    elif tp + fp == 0:
        dsc, precision, recall, note = 0.0, 0.0, 0.0, EMPTY_PREDICTION
    elif tp + fn == 0:
        dsc, precision, note = 0.0, 0.0, EMPTY_REFERENCE
    else:
        dsc, precision, recall = 2 * tp / (2 * tp + fp + fn), tp / (tp + fp), tp / (tp + fn)
    counts = {"tp": tp, "fp": fp, "fn": fn}
    return {"class": name, "kind": kind, **counts, "dsc": dsc, "precision": precision, "recall": recall, "note": note}


def _shape(array: np.ndarray) -> str:
    return " x ".join(map(str, array.shape))
