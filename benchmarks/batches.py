"""Time of one training batch and one validation batch: this project against MIScnn 1.4.0, in one run on one machine.

A batch is two patches of 80 x 160 x 160 of a case of 128 x 234 x 234 (KiTS19 after resampling), three classes, all
augmentations of the paper at probability 0.15. MIScnn does what it does in a training with prepared subfunctions: read the
pickled case, one-hot the classes, augment and crop the volume. Random draws differ between the two and from batch to batch,
so the mean over many is compared.

    OMP_NUM_THREADS=1 python -m benchmarks.batches --batches 40 --miscnn 20
"""

import argparse
import pickle
import sys
import tempfile
import time
import types
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
from scipy import ndimage

from workflow_lib.preprocessing.store import Geometry, Store, write_case, write_index
from workflow_lib.sections.augmentation import Augmentation
from workflow_lib.training.batches import prefetch, training_batch, validation_batch

SHAPE = (128, 234, 234)
PATCH = (80, 160, 160)
CASES = 4
BATCH = 2


def synthetic_case(folder: Path, number: int) -> None:
    """Write a smooth, clipped and z-scored random volume: into the project's store, and pickled as MIScnn keeps it."""
    rng = np.random.default_rng(number)
    image = ndimage.gaussian_filter(rng.standard_normal(SHAPE, dtype=np.float32), 2)
    image = np.clip(image / image.std(), -1.5, 2.5)[..., None]
    classes = (image[..., 0] > 1).astype(np.uint8) + (image[..., 0] > 1.8).astype(np.uint8)
    geometry: Geometry = {"original_shape": SHAPE, "spacing": (3, 1.6, 1.6), "image_source": "", "mask_source": ""}
    write_case(folder, str(number), image, classes, geometry)
    with open(folder / f"{number}.pickle", "wb") as stream:
        pickle.dump((image, classes), stream)


def miscnn_batches(folder: Path) -> Callable[[bool], Any]:
    """Return MIScnn's own batch generation over the pickled cases, for training or validation."""
    sys.modules.setdefault("tensorflow_addons", types.ModuleType("tensorflow_addons"))
    from miscnn.neural_network.data_generator import DataGenerator
    from miscnn.processing.data_augmentation import Data_Augmentation
    from miscnn.processing.preprocessor import Preprocessor

    def load(index: str, **_: bool) -> SimpleNamespace:
        with open(folder / f"{index}.pickle", "rb") as stream:
            image, classes = pickle.load(stream)
        return SimpleNamespace(index=index, img_data=image, seg_data=classes, classes=3)

    augmentation = Data_Augmentation(scaling=False, elastic_deform=True, mirror=True)
    data_io = SimpleNamespace(sample_loader=load, interface=SimpleNamespace(three_dim=True))
    preprocessor = Preprocessor(data_io, BATCH, data_aug=augmentation, analysis="patchwise-crop", patch_shape=PATCH)
    preprocessor.prepare_subfunctions = True
    names = [str(number) for number in range(CASES)]
    preprocessor.run_subfunctions = lambda *_: None
    generators = {
        validation: DataGenerator(names, preprocessor, training=True, validation=validation, shuffle=True)
        for validation in (False, True)
    }
    return lambda validation: generators[validation][0]


def cpu_seconds(make: Callable[[int], Any], count: int) -> np.ndarray:
    """Return the CPU seconds of `count` calls, after one that warms up."""
    make(count)
    times = []
    for step in range(count):
        begin = time.process_time()
        make(step)
        times.append(time.process_time() - begin)
    return np.array(times)


def report(name: str, ours: np.ndarray, theirs: np.ndarray) -> None:
    """Print mean, standard error and ratio."""
    ratio = theirs.mean() / ours.mean()
    relative = np.hypot(*(times.std(ddof=1) / np.sqrt(len(times)) / times.mean() for times in (ours, theirs)))
    for label, times in (("MIScnn 1.4.0", theirs), ("this project", ours)):
        error = times.std(ddof=1) / np.sqrt(len(times))
        print(f"{name:17} {label:13} {times.mean():7.3f} ± {error:.3f} CPU seconds a batch, median {np.median(times):.3f}")
    print(f"{name:17} ratio         {ratio:7.1f} ± {ratio * relative:.1f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--batches", type=int, default=40, help="batches of this project (default 40)")
    parser.add_argument("--miscnn", type=int, default=20, help="batches of MIScnn (default 20)")
    parser.add_argument("--workers", type=int, nargs="*", default=[1, 2], help="prefetching threads to time (default 1 2)")
    options = parser.parse_args()
    np.random.seed(1)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for number in range(CASES):
            synthetic_case(folder, number)
        write_index(folder)
        store, settings = Store([folder]), Augmentation()
        cases = store.case_ids

        def train(step: int) -> object:
            return training_batch(store, cases, PATCH, BATCH, settings, 1, 1, step)

        def validate(step: int) -> object:
            return validation_batch(store, cases, PATCH, BATCH, "random", 1, 1, step)

        miscnn = miscnn_batches(folder)
        ours, theirs = cpu_seconds(train, options.batches), cpu_seconds(lambda _: miscnn(False), options.miscnn)
        report("training batch", ours, theirs)
        report("validation batch", cpu_seconds(validate, options.batches), cpu_seconds(lambda _: miscnn(True), options.miscnn))
        for workers in options.workers:
            begin = time.perf_counter()
            with prefetch(train, options.batches, workers=workers) as batches:
                count = sum(1 for _ in batches)
            print(f"{workers} prefetching thread(s): {count / (time.perf_counter() - begin):.2f} training batches a second")


if __name__ == "__main__":
    main()
