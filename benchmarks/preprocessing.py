"""Time, memory and agreement of preprocessing one real-size case: this project against MIScnn 1.4.0, in one run on one machine.

The case has the size of a KiTS19 case, 207 x 512 x 512 voxels resampled to 128 x 234 x 234, and synthetic intensities and labels.
MIScnn's side runs its own subfunctions Clipping, Normalization and Resampling and the way back, on the installed batchgenerators
(0.25.5, whose label function has lost the argument `cval` that MIScnn passes; it is dropped on the way). The files are read and
written by nibabel there, and by `volumes` here. Every step runs in a process of its own, so that its peak memory is its own.

    OMP_NUM_THREADS=1 python -m benchmarks.preprocessing
"""

import argparse
import multiprocessing
import resource
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

from workflow_lib.preprocessing import normalise, resample
from workflow_lib.volumes import read_volume, write_labels

SHAPE, NEW_SHAPE = (207, 512, 512), (128, 234, 234)
SPACING, NEW_SPACING = (2.0, 1.5, 1.5), (3.22, 3.28, 3.28)
CLIP = (-79.0, 304.0)
RULE: resample.Rule = "batchgenerators-0.25"
CLASSES = 3
KIDNEYS_AND_TUMOURS = (((100, 250, 140), 1, 40), ((110, 255, 370), 1, 38), ((105, 270, 150), 2, 14), ((95, 230, 365), 2, 6))
"""Of each ball: centre, class and radius in voxels."""


def write_inputs(folder: Path) -> None:
    """Write a smooth random CT (int16) with two kidneys and two tumours, as KiTS19's files lie: index 0 runs fastest."""
    rng = np.random.default_rng(0)
    coarse = rng.standard_normal([side // 8 for side in SHAPE])
    image = ndimage.zoom(coarse, np.divide(SHAPE, coarse.shape), order=1) * 300 + rng.normal(0, 20, SHAPE)
    mask = np.zeros(SHAPE, dtype=np.uint8)
    z, y, x = np.ogrid[tuple(slice(0, side) for side in SHAPE)]
    for centre, label, size in KIDNEYS_AND_TUMOURS:
        distance = ((z - centre[0]) * 1.3) ** 2 + (y - centre[1]) ** 2 + (x - centre[2]) ** 2
        mask[distance < size**2] = label
    affine = np.array([[0, 0, -SPACING[2], 0], [0, -SPACING[1], 0, 0], [-SPACING[0], 0, 0, 0], [0, 0, 0, 1.0]])
    for name, array in (("image", image.astype(np.int16)), ("mask", mask)):
        nifti(array, affine).to_filename(folder / f"{name}.nii.gz")


def nifti(array: np.ndarray, affine: np.ndarray | None) -> Any:
    """Return an image of nibabel."""
    import nibabel

    return nibabel.Nifti1Image(array, affine)  # type: ignore[no-untyped-call]


def miscnn_subfunctions() -> tuple[Any, Any, Any]:
    """Return MIScnn's three subfunctions, fitted to the installed batchgenerators by dropping an argument that is gone."""
    package = types.ModuleType("miscnn")
    spec = __import__("importlib.util", fromlist=["find_spec"]).find_spec("miscnn")
    package.__path__ = list(spec.submodule_search_locations)
    sys.modules["miscnn"] = package  # MIScnn's own __init__ would load TensorFlow
    from miscnn.processing.subfunctions import clipping, normalization, resampling

    resize, augment = resampling.resize_segmentation, resampling.augment_resize
    resampling.resize_segmentation = lambda *arguments, cval=0, **named: resize(*arguments, **named)
    resampling.augment_resize = lambda *arguments, cval_seg=0, **named: augment(*arguments, **named)
    return clipping.Clipping(*CLIP), normalization.Normalization(), resampling.Resampling(NEW_SPACING)


def miscnn_sample(folder: Path, image: bool, mask: bool) -> SimpleNamespace:
    """Return a sample as MIScnn's NIfTI interface loads it: float64, channels last."""
    import nibabel

    def load(name: str) -> np.ndarray:
        loaded: Any = nibabel.load(folder / f"{name}.nii.gz")
        values: np.ndarray = loaded.get_fdata()[..., np.newaxis]
        return values

    extended = {"spacing": np.array(SPACING), "original_shape": SHAPE}
    small = np.zeros((2, 2, 2, 1))
    return SimpleNamespace(
        img_data=load("image") if image else small,
        seg_data=load("mask") if mask else None,
        extended=extended,
        get_extended_data=lambda: extended,
    )


def miscnn_read(folder: Path) -> Callable[[], np.ndarray]:
    return lambda: miscnn_sample(folder, image=True, mask=False).img_data[..., 0]


def our_read(folder: Path) -> Callable[[], np.ndarray]:
    return lambda: read_volume(folder / "image.nii.gz").data


def miscnn_image(folder: Path) -> Callable[[], np.ndarray]:
    subfunctions, sample = miscnn_subfunctions(), miscnn_sample(folder, image=True, mask=False)

    def work() -> np.ndarray:
        for subfunction in subfunctions:
            subfunction.preprocessing(sample, training=False)
        result: np.ndarray = sample.img_data[..., 0].astype(np.float32)
        return result

    return work


def our_image(folder: Path) -> Callable[[], np.ndarray]:
    image = read_volume(folder / "image.nii.gz").data

    def work() -> np.ndarray:
        transform = normalise.measure(image, CLIP, "z-score")
        return resample.resample_image(image, NEW_SHAPE, RULE, transform.apply)

    return work


def miscnn_labels(folder: Path) -> Callable[[], np.ndarray]:
    miscnn_subfunctions()
    from miscnn.processing.subfunctions import resampling

    mask = miscnn_sample(folder, image=False, mask=True).seg_data[..., 0]
    return lambda: resampling.resize_segmentation(mask, NEW_SHAPE, order=1).astype(np.uint8)


def our_labels(folder: Path) -> Callable[[], np.ndarray]:
    mask = read_volume(folder / "mask.nii.gz").data
    return lambda: resample.resample_labels(mask, NEW_SHAPE, CLASSES, RULE)


def miscnn_back(folder: Path) -> Callable[[], np.ndarray]:
    resampling = miscnn_subfunctions()[2]
    sample = miscnn_sample(folder, image=False, mask=False)
    # MIScnn's prediction is an argmax: int64.
    prediction = resample.resample_labels(read_volume(folder / "mask.nii.gz").data, NEW_SHAPE, CLASSES, RULE).astype(np.int64)
    return lambda: resampling.postprocessing(sample, prediction)


def our_back(folder: Path) -> Callable[[], np.ndarray]:
    prediction = resample.resample_labels(read_volume(folder / "mask.nii.gz").data, NEW_SHAPE, CLASSES, RULE)
    return lambda: resample.resample_labels(prediction, SHAPE, CLASSES, RULE)


def miscnn_write(folder: Path) -> Callable[[], np.ndarray]:
    mask = read_volume(folder / "mask.nii.gz").data.astype(np.uint16)

    def work() -> np.ndarray:
        nifti(mask[..., np.newaxis], None).to_filename(folder / "theirs.nii.gz")
        return mask

    return work


def our_write(folder: Path) -> Callable[[], np.ndarray]:
    mask = read_volume(folder / "mask.nii.gz").data

    def work() -> np.ndarray:
        write_labels(folder / "ours.nii.gz", mask, folder / "mask.nii.gz")
        return mask

    return work


STEPS = {
    "read the image": (miscnn_read, our_read),
    "image: clip, z-score, resample": (miscnn_image, our_image),
    "labels: resample": (miscnn_labels, our_labels),
    "labels: back to the original grid": (miscnn_back, our_back),
    "labels: write": (miscnn_write, our_write),
}


def measure(step: Callable[[Path], Callable[[], np.ndarray]], folder: Path, result: Path, queue: Any) -> None:
    """Run one step in this fresh process: CPU seconds, wall seconds, and MiB of peak memory above that before the step."""
    work = step(folder)
    before = current_memory()
    # Linux counts the peak from here on.
    Path("/proc/self/clear_refs").write_text("5")
    begin, wall = time.process_time(), time.perf_counter()
    array = work()
    seconds, wall = time.process_time() - begin, time.perf_counter() - wall
    queue.put((seconds, wall, peak_memory() - before, peak_memory()))
    np.save(result, array)


def current_memory() -> float:
    """Return the memory of this process in MiB."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 2**20


def peak_memory() -> float:
    """Return the largest memory of this process since its peak was reset, in MiB."""
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) / 1024


def run(step: Callable[[Path], Callable[[], np.ndarray]], folder: Path, result: Path) -> tuple[float, float, float, float]:
    context = multiprocessing.get_context("spawn")
    queue = context.Queue()
    process = context.Process(target=measure, args=(step, folder, result, queue))
    process.start()
    process.join()
    if process.exitcode:
        raise SystemExit(f"{step.__name__} failed")
    numbers: tuple[float, float, float, float] = queue.get()
    return numbers


def compare(theirs: np.ndarray, ours: np.ndarray) -> str:
    if theirs.dtype.kind == "f" and ours.dtype == np.float32:
        return f"largest difference {max(float(np.abs(a - b).max()) for a, b in zip(theirs, ours, strict=True)):.1e}"
    return f"{sum(int((a != b).sum()) for a, b in zip(theirs, ours, strict=True))} of {ours.size} voxels differ"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=3, help="runs of this project's side; their median counts (default 3)")
    parser.add_argument("--steps", nargs="*", default=list(STEPS), choices=list(STEPS), help="which steps (default all)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_inputs(folder)
        for title in options.steps:
            theirs, ours = STEPS[title]
            baseline = run(theirs, folder, folder / "theirs.npy")
            runs = [run(ours, folder, folder / "ours.npy") for _ in range(options.repeats)]
            median = np.median(np.array(runs), axis=0)
            print(f"{title}: {compare(*(np.load(folder / f'{side}.npy', mmap_mode='r') for side in ('theirs', 'ours')))}")
            for side, (seconds, wall, above, peak) in (("MIScnn 1.4.0", baseline), ("this project", median)):
                memory = f"peak {peak:6.0f} MiB, {above:6.0f} above its input"
                print(f"    {side}  {seconds:7.2f} CPU s  {wall:7.2f} s  {memory}")
            print(f"    ratio {baseline[0] / median[0]:.1f} in CPU seconds", flush=True)


if __name__ == "__main__":
    main()
