"""Small batches for the tests of the losses."""

from typing import Any

import numpy as np

from workflow_lib.base.seeds import generator
from workflow_lib.losses import registry

SHAPES = {
    "2-D binary": (2, 4, 3, 2),
    "2-D three classes": (2, 3, 4, 3),
    "3-D binary": (2, 3, 2, 2, 2),
    "3-D three classes": (2, 2, 3, 2, 3),
}

PARAMETERS: dict[str, list[dict[str, Any]]] = {
    "cross_entropy": [{}],
    "focal": [{}, {"alpha": None, "gamma": 0.0}, {"alpha_t": True, "gamma": 0.5}, {"alpha": "vector", "gamma": 1.5}],
    "dice": [{}, {"class_reduction": "sum", "overlap": "batch"}, {"include_background": False, "smooth": 0.5}],
    "tversky": [{}, {"delta": 0.2, "overlap": "batch"}, {"delta": 1.0, "class_reduction": "sum", "include_background": False}],
    "cosine_tversky": [{}, {"gamma": 2.5, "delta": 0.4}, {"gamma": 4.0, "overlap": "batch", "class_reduction": "sum"}],
    "focal_tversky": [{}, {"gamma": 3.0, "delta": 0.3}, {"gamma": 0.5, "overlap": "batch", "include_background": False}],
    "combo": [{}, {"alpha": 0.3}, {"beta": 0.8, "class_reduction": "sum"}, {"alpha": 0.6, "beta": 0.4, "overlap": "batch"}],
    "mixed_focal": [
        {},
        {"weight": 0.3},
        {"weight": 0.3, "lambda_on": "region", "alpha": None},
        {"alpha": "vector", "focal_gamma": 1.0, "delta": 0.6, "tversky_gamma": 2.0, "class_reduction": "sum"},
        {"alpha_t": True, "overlap": "batch", "include_background": False, "smooth": 0.01},
    ],
    "symmetric_focal": [{}, {"delta": 0.2, "gamma": 0.4}, {"gamma": 0.0}, {"gamma": 3.0, "delta": 1.0}],
    "asymmetric_focal": [{}, {"delta": 0.2, "gamma": 0.4}, {"gamma": 0.0}, {"gamma": 3.0, "delta": 1.0}],
    "symmetric_focal_tversky": [{}, {"gamma": 0.3, "class_reduction": "sum", "overlap": "batch"}, {"include_background": False}],
    "asymmetric_focal_tversky": [{}, {"gamma": 0.3, "class_reduction": "sum", "overlap": "batch"}, {"include_background": False}],
    "symmetric_unified_focal": [{}, {"weight": 0.2, "delta": 0.3, "gamma": 0.1}, {"overlap": "batch", "smooth": 0.1}],
    "asymmetric_unified_focal": [{}, {"weight": 0.2, "delta": 0.3, "gamma": 0.1}, {"overlap": "batch", "smooth": 0.1}],
    "balanced_cross_entropy": [{}, {"frequencies": "batch"}],
    "dilated_balanced_cross_entropy": [
        {"radius": 1},
        {},
        {"radius": 1.5, "overlap": "max"},
        {"radius": 1, "dilate_background": False},
        {"radius": 1.5, "frequencies": "batch"},
        {"radius": 1, "frequencies": "batch", "overlap": "max", "dilate_background": False},
        {"radius": 40},
    ],
    "dice_cross_entropy": [
        {},
        {"dice_weight": 0.3, "cross_entropy_weight": 2, "overlap": "batch"},
        {"include_background": False},
    ],
    "generalised_dice": [
        {},
        {"weighting": "simple", "overlap": "batch"},
        {"weighting": "uniform", "smooth": 0.1},
        {"absent": "ignore"},
        {"absent": "ignore", "weighting": "uniform", "include_background": False},
    ],
    "log_cosh_dice": [{}, {"class_reduction": "sum", "overlap": "batch"}],
    "boundary": [{}, {"max_distance": 1}, {"max_distance": 1.5, "include_background": True}, {"max_distance": 30}],
    "top_k_cross_entropy": [{}, {"share": 0.37}, {"share": 0.5, "over": "sample"}, {"share": 1}],
    "weighted_sum": [
        {"terms": [{"loss": "dice"}, {"loss": "boundary", "weight": 0.1, "parameters": {"max_distance": 2}}]},
        {"terms": [{"loss": "focal", "weight": 2.0, "parameters": {"gamma": 1}}]},
    ],
}

EXAMPLES: dict[str, dict[str, Any]] = {"weighted_sum": PARAMETERS["weighted_sum"][0]}
"""Parameters for the losses with required parameters."""

ENTROPIES: list[tuple[str, dict[str, Any]]] = [
    *(
        (name, chosen)
        for name, choices in PARAMETERS.items()
        if registry.get(name).FAMILY == "distribution"
        for chosen in choices
        if chosen.get("alpha") != "vector"
    ),
    ("focal", {"alpha": [0.1, 0.7, 1.3], "gamma": 1.5}),
    ("combo", {"alpha": 1.0}),
    ("combo", {"alpha": 1.0, "beta": 0.8}),
    ("combo", {"alpha": 1.0, "beta": 0.0}),
    ("mixed_focal", {"weight": 1.0}),
    ("symmetric_unified_focal", {"weight": 0.0}),
    ("asymmetric_unified_focal", {"weight": 0.0}),
    ("dice_cross_entropy", {"dice_weight": 0.0}),
    ("weighted_sum", {"terms": [{"loss": "cross_entropy"}, {"loss": "combo", "parameters": {"alpha": 1.0, "beta": 0.4}}]}),
]
"""Losses for three classes that are cross entropies, and compound losses whose parameters reduce them to the cross entropy."""

CHOICES = [(name, index) for name, choices in PARAMETERS.items() for index in range(len(choices))]


def parameters(name: str, index: int, n_classes: int) -> dict[str, Any]:
    """Return example parameters of a loss; `vector` is one weight per class."""
    chosen = dict(PARAMETERS[name][index])
    if chosen.get("alpha") == "vector":
        chosen["alpha"] = [0.1, 0.7, 1.3][:n_classes]
    return chosen


def random_batch(shape: tuple[int, ...], seed: int = 0, outside: bool = True) -> tuple[np.ndarray, np.ndarray]:
    """Return one-hot y and softmax p. Every class is present, and the first voxel of the last sample is outside the volume."""
    rng = generator(seed, "losses", *shape)
    classes = rng.integers(0, shape[-1], shape[:-1])
    classes.reshape(shape[0], -1)[:, : shape[-1]] = np.arange(shape[-1])
    y = np.eye(shape[-1])[classes]
    if outside:
        y[-1].reshape(-1, shape[-1])[-1] = 0
    logits = rng.normal(0, 1.5, shape)
    p = np.exp(logits)
    return y, p / p.sum(axis=-1, keepdims=True)


def outside_batch() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return (y, p, mask of the voxels outside the volume): three classes in 3-D, with a corner of each sample outside."""
    y, p = random_batch((2, 3, 3, 3, 3), outside=False)
    outside = np.zeros(y.shape[:-1], dtype=bool)
    outside[:, 1:, 1:, 1:] = True
    y[outside] = 0
    return y, p, outside


def edge_batches() -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Return {name: (y, p)} of three classes in 3-D for the edge cases of a training."""
    shape = (2, 3, 2, 2, 3)
    y, p = random_batch(shape, outside=False)
    background = np.zeros(shape)
    background[..., 0] = 1
    wrong = np.roll(y, 1, axis=-1)
    near = np.float32(1) - np.float32(2**-24)
    return {
        "no foreground": (background, p),
        "no foreground, found none": (background, background),
        "no foreground, found some": (background, wrong),
        "perfect": (y, y),
        "all wrong": (y, wrong),
        "saturated": (y, near * y + (1 - near) / 2 * (1 - y)),
        "one class only": (background, np.roll(background, 2, axis=-1)),
        "outside everywhere": (np.zeros(shape), p),
        "outside everywhere, found none": (np.zeros(shape), background),
    }
