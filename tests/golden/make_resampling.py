"""Make resampling.npz: what MIScnn 1.4.0 gives on the stack it runs on unmodified, for tests/unit/test_preprocessing_golden.py.

Run once, by hand, in a throw-away environment of Python 3.11:

    python3.11 -m venv golden
    golden/bin/pip install numpy==1.26.4 scipy==1.11.4 scikit-image==0.20.0 pandas scikit-learn
    golden/bin/pip install --no-deps batchgenerators==0.21 miscnn==1.4.0
    golden/bin/pip install future unittest2 threadpoolctl
    OMP_NUM_THREADS=1 golden/bin/python tests/golden/make_resampling.py

scikit-image 0.20.0 is the oldest with a wheel for Python 3.11. All releases from 0.19 on give the same; 0.18, which can be
compiled for Python 3.11, treats the border of images and all 2-D images differently. The inputs come from NumPy's RandomState,
whose stream never changes, so that the tests can make them again.
"""

import importlib.metadata
import importlib.util
import sys
import types
from pathlib import Path
from typing import Any

import numpy as np

OUTPUT = Path(__file__).with_name("resampling.npz")

# Shape before and after: down, up, both, an even factor (ties at one half), one plane, a line's length of one, 2-D.
GRIDS: dict[str, tuple[tuple[int, ...], tuple[int, ...]]] = {
    "down": ((18, 40, 44), (11, 19, 20)),
    "up": ((9, 16, 15), (20, 21, 26)),
    "anisotropic": ((12, 34, 30), (30, 16, 30)),
    "even": ((12, 16, 20), (6, 8, 10)),
    "plane": ((1, 30, 28), (1, 17, 40)),
    "thin": ((5, 24, 3), (2, 31, 1)),
    "flat": ((40, 52), (23, 61)),
    "flat_even": ((24, 32), (48, 16)),
}
CLASSES = (3, 4)
CT_SHAPE, CT_SPACING, CT_NEW_SPACING, CT_CLIP = (16, 44, 48), (5.0, 1.48, 1.48), (3.22, 3.28, 3.28), (-79.0, 304.0)
SPECKS = 0.002
"""Share of voxels that become islands of one voxel."""


def image(shape: tuple[int, ...], seed: int) -> np.ndarray:
    """Return noise plus a ramp, float64 that fits float32; its mean is not 0, so that a border of 0 is seen."""
    rng = np.random.RandomState(seed)
    ramp = np.indices(shape).sum(axis=0) / sum(shape)
    result: np.ndarray = rng.standard_normal(shape) + 3 * ramp
    return result.astype(np.float32).astype(np.float64)


def labels(shape: tuple[int, ...], classes: int, seed: int) -> np.ndarray:
    """Return nested blobs of 1 .. classes - 1 in the background, with islands of single voxels; uint8."""
    rng = np.random.RandomState(seed)
    centre = [rng.uniform(0.35, 0.65) * side for side in shape]
    axes = zip(np.indices(shape), centre, shape, strict=True)
    scaled = [((index - middle) / max(side * 0.35, 1)) ** 2 for index, middle, side in axes]
    distance = np.sum(scaled, axis=0) + rng.normal(0, 0.05, shape)
    result = np.zeros(shape, dtype=np.uint8)
    for label in range(1, classes):
        result[distance < (1 - (label - 1) / (classes - 1)) ** 2] = label
    specks = rng.random_sample(shape) < SPECKS
    result[specks] = rng.randint(1, classes, int(specks.sum()))
    return result


def ct(shape: tuple[int, ...], seed: int) -> np.ndarray:
    """Return HU-like integers, air included (int16)."""
    rng = np.random.RandomState(seed)
    coarse = rng.normal(0, 250, [max(side // 4, 1) for side in shape])
    for axis, side in enumerate(shape):
        coarse = np.repeat(coarse, 4 + 1, axis=axis).take(range(side), axis=axis)
    return np.clip(coarse + rng.normal(0, 30, shape), -1024, 2000).astype(np.int16)


def miscnn_subfunctions() -> tuple[Any, Any, Any]:
    """Import MIScnn's subfunctions without MIScnn's own __init__, which would need TensorFlow."""
    package = types.ModuleType("miscnn")
    spec = importlib.util.find_spec("miscnn")
    package.__path__ = list(spec.submodule_search_locations or []) if spec else []
    sys.modules["miscnn"] = package
    from miscnn.processing.subfunctions import clipping, normalization, resampling

    return (
        clipping.Clipping(*CT_CLIP),
        normalization.Normalization(mode="z-score"),
        resampling.Resampling(CT_NEW_SPACING),
    )


def miscnn_chain() -> dict[str, Any]:
    """Run MIScnn's chain on a CT-like case, and its way back on a prediction."""
    extended: dict[str, Any] = {"spacing": np.array(CT_SPACING)}
    mask = labels(CT_SHAPE, 3, 7)
    sample = types.SimpleNamespace(
        img_data=ct(CT_SHAPE, 6).astype(np.float64)[..., np.newaxis],  # as get_fdata of its NIfTI interface
        seg_data=mask.astype(np.float64)[..., np.newaxis],
        extended=extended,
        get_extended_data=lambda: extended,
    )
    subfunctions = miscnn_subfunctions()
    for subfunction in subfunctions:
        subfunction.preprocessing(sample, training=True)
    extended["original_shape"] = CT_SHAPE
    prediction = sample.seg_data[..., 0].astype(np.int64)  # the argmax of a perfect network
    return {
        "chain/image": sample.img_data[..., 0].astype(np.float32),
        "chain/labels": sample.seg_data[..., 0].astype(np.uint8),
        "chain/back": subfunctions[2].postprocessing(sample, prediction).astype(np.uint8),
    }


def main() -> None:
    """Write the file beside this script."""
    from batchgenerators.augmentations.utils import resize_multichannel_image, resize_segmentation

    results: dict[str, Any] = miscnn_chain()
    for name, (shape, new_shape) in GRIDS.items():
        results[f"{name}/image"] = resize_multichannel_image(image(shape, 1)[np.newaxis], new_shape)[0].astype(np.float32)
        shifted = image(shape, 2) + 10
        results[f"{name}/shifted"] = resize_multichannel_image(shifted[np.newaxis], new_shape)[0].astype(np.float32)
        for classes in CLASSES:
            results[f"{name}/labels{classes}"] = resize_segmentation(labels(shape, classes, 3), new_shape, order=1)
    packages = ("numpy", "scipy", "scikit-image", "batchgenerators", "miscnn")
    results["versions"] = np.array(", ".join(f"{package} {importlib.metadata.version(package)}" for package in packages))
    np.savez_compressed(OUTPUT, **results)
    print(results["versions"], OUTPUT.stat().st_size, "bytes")


if __name__ == "__main__":
    main()
