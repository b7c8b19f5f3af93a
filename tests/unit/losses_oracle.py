"""The losses once more, in float64 NumPy, written from the equations of the papers one voxel and one class at a time.

Nothing is shared with the package: loops over samples and classes, plain sums, 1 - TI as printed.
"""

import math
from collections.abc import Callable
from typing import Any

import numpy as np

Array = np.ndarray
S = 1e-6


def clipped(p: Array) -> Array:
    inner: Array = np.minimum(np.maximum(p, 1e-7), 1 - 1e-7)
    return inner


def voxels(a: Array) -> Array:
    """(batch, spatial..., classes) -> (batch, voxels, classes)."""
    return a.reshape(a.shape[0], -1, a.shape[-1])


def tversky_index(y: Array, p: Array, delta: float, s: float) -> float:
    """Of one class of one sample."""
    tp = float(np.sum(y * p))
    fn = float(np.sum(y * (1 - p)))
    fp = float(np.sum((1 - y) * p))
    return (tp + s) / (tp + delta * fn + (1 - delta) * fp + s)


def per_class(y: Array, p: Array, of: Callable[[float], float], delta: float, options: dict[str, Any]) -> float:
    """Mean over the batch of the mean (or sum) over the classes of `of(TI)`."""
    y, p = voxels(y), voxels(p)
    if options.get("overlap", "sample") == "batch":
        y, p = y.reshape(1, -1, y.shape[-1]), p.reshape(1, -1, p.shape[-1])
    first = 0 if options.get("include_background", True) else 1
    totals = []
    for sample in range(y.shape[0]):
        classes = range(first, y.shape[-1])
        values = [of(tversky_index(y[sample, :, c], p[sample, :, c], delta, options.get("smooth", S))) for c in classes]
        totals.append(sum(values) if options.get("class_reduction", "mean") == "sum" else sum(values) / len(values))
    return sum(totals) / len(totals)


def cross_entropy(y: Array, p: Array) -> float:
    return focal(y, p, alpha=None, gamma=0.0)


def focal(y: Array, p: Array, alpha: Any = 0.25, gamma: float = 2.0, alpha_t: bool = False) -> float:
    y, q = voxels(y), clipped(voxels(p))
    total = 0.0
    for c in range(y.shape[-1]):
        if alpha is None:
            weight = 1.0
        elif isinstance(alpha, (list, tuple)):
            weight = alpha[c]
        else:
            weight = 1 - alpha if alpha_t and c == 0 else alpha
        total += float(np.sum(-weight * (1 - q[..., c]) ** gamma * y[..., c] * np.log(q[..., c])))
    return total / float(y.shape[0] * y.shape[1])


def dice(y: Array, p: Array, **options: Any) -> float:
    return per_class(y, p, lambda ti: 1 - ti, 0.5, options)


def tversky(y: Array, p: Array, delta: float = 0.7, **options: Any) -> float:
    return per_class(y, p, lambda ti: 1 - ti, delta, options)


def cosine_tversky(y: Array, p: Array, delta: float = 0.7, gamma: float = 1.0, **options: Any) -> float:
    return per_class(y, p, lambda ti: max(math.cos(math.pi / 2 * min(max(ti, 0.0), 1.0)), 0.0) ** gamma, delta, options)


def focal_tversky(y: Array, p: Array, delta: float = 0.7, gamma: float = 4 / 3, **options: Any) -> float:
    return per_class(y, clipped(p), lambda ti: max(1 - ti, 0.0) ** (1 / gamma), delta, options)


def combo(y: Array, p: Array, alpha: float | None = None, beta: float | None = None, **options: Any) -> float:
    overlap = per_class(y, p, lambda ti: ti, 0.5, options)
    if beta is None:
        entropy = cross_entropy(y, p)
    else:
        t, q = voxels(y), clipped(voxels(p))
        entropy = -float(np.sum(beta * t * np.log(q) + (1 - beta) * (1 - t) * np.log(1 - q))) / (t.shape[0] * t.shape[1])
    return entropy - overlap if alpha is None else alpha * entropy - (1 - alpha) * overlap


def mixed_focal(
    y: Array,
    p: Array,
    weight: float | None = None,
    lambda_on: str = "focal",
    alpha: Any = 0.25,
    alpha_t: bool = False,
    focal_gamma: float = 2.0,
    delta: float = 0.7,
    tversky_gamma: float = 4 / 3,
    **options: Any,
) -> float:
    distribution = focal(y, p, alpha, focal_gamma, alpha_t)
    region = focal_tversky(y, p, delta, tversky_gamma, **options)
    if weight is None:
        return distribution + region
    if lambda_on == "focal":
        return weight * distribution + (1 - weight) * region
    return weight * region + (1 - weight) * distribution


LOSSES: dict[str, Callable[..., float]] = {
    "cross_entropy": cross_entropy,
    "focal": focal,
    "dice": dice,
    "tversky": tversky,
    "cosine_tversky": cosine_tversky,
    "focal_tversky": focal_tversky,
    "combo": combo,
    "mixed_focal": mixed_focal,
}


def gradient(loss: Callable[[Array, Array], float], y: Array, p: Array, step: float = 1e-6) -> Array:
    """Central differences with respect to every element of p."""
    result = np.zeros_like(p)
    for index in np.ndindex(p.shape):
        up, down = p.copy(), p.copy()
        up[index] += step
        down[index] -= step
        result[index] = (loss(y, up) - loss(y, down)) / (2 * step)
    return result
