"""CPU time of prediction outside the network: this project against MIScnn 1.4.0, in one run on one machine.

A case of 130 x 250 x 250 voxels in 27 patches of 80 x 160 x 160 with three classes, whose probabilities are random: joining the
patches, and taking the most probable class. MIScnn's side is its `concat_matrices` and NumPy's argmax, as its `Neural_Network`
calls them. The way back to the original grid is in `benchmarks.preprocessing`.

    OMP_NUM_THREADS=1 python -m benchmarks.prediction
"""

import statistics
import sys
import time
import types
from collections.abc import Callable

import numpy as np

from workflow_lib.inference import _kernels
from workflow_lib.inference.grid import Blender

SHAPE, PATCH, OVERLAP, CLASSES = (130, 250, 250), (80, 160, 160), (40, 80, 80), 3
REPEATS = 5


def stitched(patches: np.ndarray) -> np.ndarray:
    """Return the probabilities of the case, joined by this project."""
    blender = Blender(SHAPE, PATCH, OVERLAP, CLASSES)
    for index, patch in enumerate(patches):
        blender.add(index, patch)
    return blender.result()


def most_probable(probabilities: np.ndarray) -> np.ndarray:
    """Return the classes of the case, by this project."""
    classes = np.empty(probabilities.shape[:-1], np.uint8)
    _kernels.most_probable(probabilities.reshape(-1, CLASSES), classes.reshape(-1))
    return classes


def miscnn_stitched(patches: np.ndarray) -> np.ndarray:
    """Return the probabilities of the case, joined by MIScnn."""
    sys.modules.setdefault("tensorflow_addons", types.ModuleType("tensorflow_addons"))
    from miscnn.utils.patch_operations import concat_matrices

    joined: np.ndarray = concat_matrices(patches, SHAPE, PATCH, OVERLAP, three_dim=True)
    return joined


def seconds(work: Callable[[np.ndarray], np.ndarray], given: np.ndarray, repeats: int) -> tuple[float, np.ndarray]:
    """Return the median CPU seconds of some calls, after one that is not counted, and the result.

    Every call gets a copy of its own, which is not counted either: MIScnn joins in place.
    """
    result = work(given.copy())
    times = []
    for _ in range(repeats):
        copy = given.copy()
        begin = time.process_time()
        result = work(copy)
        times.append(time.process_time() - begin)
    return statistics.median(times), result


def main() -> None:
    """Print times, ratios and agreement."""
    rng = np.random.default_rng(0)
    count = len(Blender(SHAPE, PATCH, OVERLAP, CLASSES).starts)
    patches = rng.random((count, *PATCH, CLASSES), dtype=np.float32)
    theirs, expected = seconds(miscnn_stitched, patches, 1)
    ours, found = seconds(stitched, patches, REPEATS)
    print(f"joining {count} patches: MIScnn {theirs:.2f} s, ours {ours:.2f} s, ratio {theirs / ours:.0f}, ", end="")
    print(f"largest difference {np.abs(found - expected).max():.1e}")
    argmax, reference = seconds(lambda array: np.argmax(array, axis=-1), found, 2)
    own, classes = seconds(most_probable, found, REPEATS)
    print(f"most probable class: NumPy {argmax:.2f} s, ours {own:.3f} s, ratio {argmax / own:.1f}, ", end="")
    print(f"{np.count_nonzero(classes != reference)} voxels differ")


if __name__ == "__main__":
    main()
