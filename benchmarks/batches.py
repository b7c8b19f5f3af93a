"""Time of one training batch and one validation batch: this project against MIScnn 1.4.0, in one run on one machine.

A batch is two patches of 80 x 160 x 160 of a case of 128 x 234 x 234 (KiTS19 after resampling), three classes, all
augmentations of the paper at probability 0.15. MIScnn does what it does in a training with prepared subfunctions: read the
pickled case, one-hot the classes, augment and crop the volume. Random draws differ between the two and from batch to batch,
so the mean over many is compared, and there is no agreement to tell.

    OMP_NUM_THREADS=1 python -m benchmarks.batches
"""

import pickle
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
from scipy import ndimage

from benchmarks import _miscnn
from benchmarks._measure import MISCNN, OURS, Row, alone, ratio_error, row, side
from benchmarks._synthetic import BATCH, PATCH
from workflow_lib.preprocessing.store import Geometry, Store, write_case, write_index
from workflow_lib.study.sections.augmentation import Augmentation
from workflow_lib.training.batches import BatchMaker, training_batch
from workflow_lib.training.prefetch import Prefetcher
from workflow_lib.training.workers import Processes, Threads

SHAPE = (128, 234, 234)
CASES = 4
OUR_BATCHES, THEIR_BATCHES, WORKERS = 200, 40, (1, 2)


def synthetic_case(folder: Path, number: int, shape: tuple[int, ...] = SHAPE) -> None:
    """Write a smooth, clipped and z-scored random volume: into the project's store, and pickled as MIScnn keeps it."""
    rng = np.random.default_rng(number)
    image = ndimage.gaussian_filter(rng.standard_normal(shape, dtype=np.float32), 2)
    image = np.clip(image / image.std(), -1.5, 2.5)[..., None]
    classes = (image[..., 0] > 1).astype(np.uint8) + (image[..., 0] > 1.8).astype(np.uint8)
    geometry: Geometry = {"original_shape": shape, "spacing": (3, 1.6, 1.6), "image_source": "", "mask_source": ""}
    write_case(folder, str(number), image, classes, geometry)
    with open(folder / f"{number}.pickle", "wb") as stream:
        pickle.dump((image, classes), stream)


def synthetic_store(folder: Path, shape: tuple[int, ...] = SHAPE) -> Store:
    """Write all cases and open them."""
    for number in range(CASES):
        synthetic_case(folder, number, shape)
    write_index(folder)
    return Store([folder])


def miscnn_batches(folder: Path) -> Callable[[bool], Any]:
    """Return MIScnn's own batch generation over the pickled cases, for training or validation."""
    _miscnn.allow_import()
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


def times_of(make: Callable[[int], Any], count: int) -> list[float]:
    """Return the CPU seconds of `count` calls, after one that warms up."""
    make(count)
    times = []
    for step in range(count):
        begin = time.process_time()
        make(step)
        times.append(time.process_time() - begin)
    return times


def compared(what: str, ours: Callable[[int], Any], theirs: Callable[[int], Any], counts: tuple[int, int]) -> Row:
    """Return the row of one kind of batch, by means; the ratio of the medians stands beside."""
    own, reference = side(OURS, times_of(ours, counts[0])), side(MISCNN, times_of(theirs, counts[1]))
    medians = reference["median"] / own["median"]
    return row(what, own, reference, by="mean", ratio_error=ratio_error(reference, own), ratio_of_medians=medians)


def rows(quick: bool) -> list[Row]:
    """Return the rows of training and validation batches, and how many threads and processes make ahead."""
    counts = (6, 3) if quick else (OUR_BATCHES, THEIR_BATCHES)
    np.random.seed(1)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        store = synthetic_store(folder)
        cases = tuple(store.case_ids)
        maker = BatchMaker(store, cases, cases, PATCH, 1, BATCH, Augmentation(), "random", 1)
        # Every transform once: a first call compiles, or reads the cache.
        training_batch(store, cases, PATCH, BATCH, Augmentation(probability=1.0), 1, 1, 0)
        miscnn = miscnn_batches(folder)
        made = [
            compared("training batch", lambda step: maker("training", 1, step), lambda _: miscnn(False), counts),
            compared("validation batch", lambda step: maker("validation", 1, step), lambda _: miscnn(True), counts),
        ]
        return made + [ahead(maker, kind, count, counts[0]) for kind in ("thread", "process") for count in WORKERS]


def ahead(maker: BatchMaker, kind: str, count: int, batches: int) -> Row:
    """Return the row of batches that `count` threads or processes make ahead, in wall seconds each."""
    with (Threads if kind == "thread" else Processes)(maker, count, depth=count + 2) as workers:
        source = Prefetcher(lambda step: workers.begin("training", 1, step), range(batches + 1), workers.depth)
        next(source)  # processes are there with their first batch
        begin = time.perf_counter()
        for _ in source:
            pass
        each = (time.perf_counter() - begin) / batches
    return row(f"training batches from {count} {kind}", side(OURS, [each]), per_second=1 / each)


if __name__ == "__main__":
    alone(__doc__, rows)
