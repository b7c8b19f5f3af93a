"""A preprocessed case in memory, for the tests of patches and batches."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import ndimage


@dataclass(frozen=True)
class MemoryCase:
    """A stored case in memory, without files."""

    id: str
    image: np.ndarray
    classes: np.ndarray
    histogram: dict[str, Any]


def histogram(image: np.ndarray, bins: int = 4096) -> dict[str, Any]:
    """Return counts and exact statistics of every channel."""
    channels = np.moveaxis(image.astype(np.float64), -1, 0).reshape(image.shape[-1], -1)
    return {
        "counts": [np.histogram(channel, bins=bins, range=(channel.min(), channel.max()))[0] for channel in channels],
        "minimum": channels.min(axis=1),
        "maximum": channels.max(axis=1),
        "mean": channels.mean(axis=1),
        "std": channels.std(axis=1),
    }


def smooth_case(shape: tuple[int, ...], channels: int = 1, seed: int = 0, name: str = "case") -> MemoryCase:
    """Return a z-scored, clipped, smooth random image whose brightest parts are classes 1 and 2."""
    rng = np.random.default_rng(seed)
    image = np.stack([ndimage.gaussian_filter(rng.standard_normal(shape), 1.5) for _ in range(channels)], axis=-1)
    image = np.clip((image - image.mean()) / image.std(), -1.0, 2.0).astype(np.float32)
    classes = (image[..., 0] > 0.5).astype(np.uint8) + (image[..., 0] > 1.2).astype(np.uint8)
    return MemoryCase(name, image, classes, histogram(image))
