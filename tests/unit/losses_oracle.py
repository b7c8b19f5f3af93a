"""Reference implementation of the losses in float64 NumPy, written from the equations of the papers.

It shares no code with the package: loops over samples and classes, plain sums, 1 - TI as printed.
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
    """Reshape (batch, spatial..., classes) to (batch, voxels, classes)."""
    return a.reshape(a.shape[0], -1, a.shape[-1])


def tversky_index(y: Array, p: Array, delta: float, s: float) -> float:
    """Return the index of one class of one sample."""
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
        entropy = 0.0
        for sample, voxel, c in np.ndindex(t.shape):
            if np.any(t[sample, voxel] > 0):  # voxels outside the volume do not count
                own, probability = float(t[sample, voxel, c]), float(q[sample, voxel, c])
                entropy -= beta * own * math.log(probability) + (1 - beta) * (1 - own) * math.log(1 - probability)
        entropy /= t.shape[0] * t.shape[1]
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


def class_focal(y: Array, p: Array, delta: float, gamma: float, foreground_gamma: float) -> float:
    """Weights 1 - delta for the background and delta for every foreground class, each class with its own exponent."""
    y, q = voxels(y), clipped(voxels(p))
    total = 0.0
    for c in range(y.shape[-1]):
        weight, exponent = (1 - delta, gamma) if c == 0 else (delta, foreground_gamma)
        total += float(np.sum(-weight * (1 - q[..., c]) ** exponent * y[..., c] * np.log(q[..., c])))
    return total / float(y.shape[0] * y.shape[1])


def symmetric_focal(y: Array, p: Array, delta: float = 0.7, gamma: float = 2.0) -> float:
    return class_focal(y, p, delta, gamma, gamma)


def asymmetric_focal(y: Array, p: Array, delta: float = 0.7, gamma: float = 2.0) -> float:
    return class_focal(y, p, delta, gamma, 0.0)


def one_class(y: Array, p: Array, c: int, of: Callable[[float], float], delta: float, options: dict[str, Any]) -> float:
    """Mean over the batch of `of(TI(q))` of class c alone, with a default smoothing of 1e-7."""
    alone = {"overlap": options.get("overlap", "sample"), "smooth": options.get("smooth", 1e-7)}
    return per_class(y[..., c : c + 1], clipped(p[..., c : c + 1]), of, delta, alone)


def reduced(values: list[float], options: dict[str, Any]) -> float:
    return sum(values) if options.get("class_reduction", "mean") == "sum" else sum(values) / len(values)


def symmetric_focal_tversky(y: Array, p: Array, delta: float = 0.7, gamma: float = 0.75, **options: Any) -> float:
    first = 0 if options.get("include_background", True) else 1
    classes = range(first, y.shape[-1])
    return reduced([one_class(y, p, c, lambda ti: max(1 - ti, 1e-7) ** (1 - gamma), delta, options) for c in classes], options)


def asymmetric_focal_tversky(y: Array, p: Array, delta: float = 0.7, gamma: float = 0.75, **options: Any) -> float:
    """The term of the background is 1 - TI itself."""
    values = [one_class(y, p, 0, lambda ti: 1 - ti, delta, options)] if options.get("include_background", True) else []
    foreground = range(1, y.shape[-1])
    values += [one_class(y, p, c, lambda ti: max(1 - ti, 1e-7) ** (1 - gamma), delta, options) for c in foreground]
    return reduced(values, options)


def symmetric_unified_focal(
    y: Array, p: Array, weight: float = 0.5, delta: float = 0.6, gamma: float = 0.5, **options: Any
) -> float:
    region = symmetric_focal_tversky(y, p, delta, gamma, **options)
    return weight * region + (1 - weight) * symmetric_focal(y, p, delta, gamma)


def asymmetric_unified_focal(
    y: Array, p: Array, weight: float = 0.5, delta: float = 0.6, gamma: float = 0.5, **options: Any
) -> float:
    region = asymmetric_focal_tversky(y, p, delta, gamma, **options)
    return weight * region + (1 - weight) * asymmetric_focal(y, p, delta, gamma)


def voxel_entropies(y: Array, p: Array) -> Array:
    """Return the sum of CE_c over the classes: (batch, voxels)."""
    t, q = voxels(y), clipped(voxels(p))
    result = np.zeros(t.shape[:2])
    for c in range(t.shape[-1]):
        result -= t[..., c] * np.log(q[..., c])
    return result


def distances(mask: Array) -> Array:
    """Return the distance in voxels from every voxel of an image to the nearest True voxel; infinite if there is none."""
    targets = np.argwhere(mask).astype(np.float64)
    result = np.full(mask.shape, np.inf)
    if len(targets):
        for index in np.ndindex(mask.shape):
            result[index] = np.sqrt(np.min(np.sum((targets - np.array(index)) ** 2, axis=-1)))
    return result


def dilated(mask: Array, radius: float) -> Array:
    return np.asarray(distances(mask) <= radius) if mask.any() else mask


def area_weights(areas: Array, overlap: str) -> Array:
    """Map (voxels, classes) memberships in D_c to voxel weights, which sum to 1, or are all 0 if no class is present."""
    weights = np.zeros(areas.shape[0])
    present = [c for c in range(areas.shape[-1]) if areas[:, c].any()]
    for c in present:
        share = areas[:, c] / float(np.sum(areas[:, c]))
        weights = np.maximum(weights, share) if overlap == "max" else weights + share / len(present)
    return weights / np.sum(weights) if present and overlap == "max" else weights


def dilated_balanced_cross_entropy(
    y: Array,
    p: Array,
    radius: float = 3.0,
    overlap: str = "sum",
    dilate_background: bool = True,
    frequencies: str = "image",
) -> float:
    masks: Array = np.zeros(y.shape, dtype=bool)
    for sample in range(y.shape[0]):
        for c in range(y.shape[-1]):
            mask = y[sample, ..., c] > 0.5
            masks[sample, ..., c] = dilated(mask, radius) if c > 0 or dilate_background else mask
    areas, entropies = voxels(masks), voxel_entropies(y, p)
    if frequencies == "batch":
        areas, entropies = areas.reshape(1, -1, y.shape[-1]), entropies.reshape(1, -1)
    totals = [float(np.sum(area_weights(area, overlap) * entropy)) for area, entropy in zip(areas, entropies, strict=True)]
    return sum(totals) / len(totals)


def balanced_cross_entropy(y: Array, p: Array, frequencies: str = "image") -> float:
    return dilated_balanced_cross_entropy(y, p, radius=0.0, frequencies=frequencies)


def dice_cross_entropy(y: Array, p: Array, dice_weight: float = 1.0, cross_entropy_weight: float = 1.0, **options: Any) -> float:
    return dice_weight * dice(y, p, **options) + cross_entropy_weight * cross_entropy(y, p)


def volume_weights(volumes: list[float], weighting: str, absent: str) -> list[float]:
    """Return the weights of the counted classes of one sample, which sum to 1."""
    power = {"square": 2, "simple": 1, "uniform": 0}[weighting]
    present = [1 / v**power for v in volumes if v > 0]
    if present:
        missing = max(present) if absent == "largest" else 0.0
        weights = [1 / v**power if v > 0 else missing for v in volumes]
    else:
        weights = [1.0 for _ in volumes]
    return [w / sum(weights) for w in weights]


def generalised_dice(
    y: Array,
    p: Array,
    weighting: str = "square",
    absent: str = "largest",
    overlap: str = "sample",
    include_background: bool = True,
    smooth: float = S,
) -> float:
    y, p = voxels(y), voxels(p)
    if overlap == "batch":
        y, p = y.reshape(1, -1, y.shape[-1]), p.reshape(1, -1, p.shape[-1])
    classes = range(0 if include_background else 1, y.shape[-1])
    total = 0.0
    for t, o in zip(y, p, strict=True):
        weights = volume_weights([float(np.sum(t[:, c])) for c in classes], weighting, absent)
        above, below = smooth, smooth
        for w, c in zip(weights, classes, strict=True):
            tp = float(np.sum(t[:, c] * o[:, c]))
            fn = float(np.sum(t[:, c] * (1 - o[:, c])))
            fp = float(np.sum((1 - t[:, c]) * o[:, c]))
            above += 2 * w * tp
            below += w * (2 * tp + fn + fp)
        total += 1 - above / below
    return total / len(y)


def log_cosh_dice(y: Array, p: Array, **options: Any) -> float:
    return math.log(math.cosh(dice(y, p, **options)))


def signed_distances(mask: Array, max_distance: float) -> Array:
    """Return the signed distances of one class of one image: positive outside, 0 on the inner rim, negative further inside."""
    if not mask.any():
        return np.zeros(mask.shape)
    if mask.all():
        return np.full(mask.shape, -max_distance)
    signed = np.where(mask, 1 - distances(~mask), distances(mask))
    return np.minimum(np.maximum(signed, -max_distance), max_distance)


def boundary(y: Array, p: Array, max_distance: float = 5.0, include_background: bool = False) -> float:
    total, terms = 0.0, 0
    for sample in range(y.shape[0]):
        for c in range(0 if include_background else 1, y.shape[-1]):
            total += float(np.mean(signed_distances(y[sample, ..., c] > 0.5, max_distance) * p[sample, ..., c]))
            terms += 1
    return total / terms


def top_k_cross_entropy(y: Array, p: Array, share: float = 0.1, over: str = "batch") -> float:
    entropies = voxel_entropies(y, p)
    if over == "batch":
        entropies = entropies.reshape(1, -1)
    n = entropies.shape[1]
    k: int = max(1, math.ceil(share * n - 1e-9))
    means = [float(np.sum(np.sort(row)[::-1][:k])) / k for row in entropies]
    return sum(means) / len(means)


def weighted_sum(y: Array, p: Array, terms: list[dict[str, Any]]) -> float:
    return float(sum(term.get("weight", 1.0) * LOSSES[term["loss"]](y, p, **term.get("parameters", {})) for term in terms))


LOSSES: dict[str, Callable[..., float]] = {
    "cross_entropy": cross_entropy,
    "focal": focal,
    "dice": dice,
    "tversky": tversky,
    "cosine_tversky": cosine_tversky,
    "focal_tversky": focal_tversky,
    "combo": combo,
    "mixed_focal": mixed_focal,
    "symmetric_focal": symmetric_focal,
    "asymmetric_focal": asymmetric_focal,
    "symmetric_focal_tversky": symmetric_focal_tversky,
    "asymmetric_focal_tversky": asymmetric_focal_tversky,
    "symmetric_unified_focal": symmetric_unified_focal,
    "asymmetric_unified_focal": asymmetric_unified_focal,
    "balanced_cross_entropy": balanced_cross_entropy,
    "dilated_balanced_cross_entropy": dilated_balanced_cross_entropy,
    "dice_cross_entropy": dice_cross_entropy,
    "generalised_dice": generalised_dice,
    "log_cosh_dice": log_cosh_dice,
    "boundary": boundary,
    "top_k_cross_entropy": top_k_cross_entropy,
    "weighted_sum": weighted_sum,
}


def gradient(loss: Callable[[Array, Array], float], y: Array, p: Array, step: float = 1e-6) -> Array:
    """Return central differences with respect to every element of p."""
    result = np.zeros_like(p)
    for index in np.ndindex(p.shape):
        up, down = p.copy(), p.copy()
        up[index] += step
        down[index] -= step
        result[index] = (loss(y, up) - loss(y, down)) / (2 * step)
    return result
