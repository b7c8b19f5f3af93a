"""Time, memory and agreement of preprocessing one case of real size: this project against MIScnn 1.4.0, and the step as a whole.

The case has the size of a KiTS19 case, 207 x 512 x 512 voxels resampled to 128 x 234 x 234, and synthetic intensities and labels.
MIScnn's side runs its own subfunctions Clipping, Normalization and Resampling and the way back. The files are read and written by
nibabel there, and by `volumes` here. Every part runs in a process of its own, so that its peak memory is its own.

The step is `python -m workflow_lib.steps.preprocess` on files of this case and of one of 1059 slices: peak memory of its process,
and what the same process needs for its imports alone (`--help`). Imports that the step makes only when it works count to it.

    OMP_NUM_THREADS=1 python -m benchmarks.preprocessing
"""

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import _miscnn, _synthetic
from benchmarks._measure import (
    MISCNN,
    OURS,
    Row,
    alone,
    difference,
    in_fresh_process,
    row,
    side,
    used,
    used_by_module,
    voxels_that_differ,
)
from benchmarks._synthetic import CASE, CLASSES, CLIP, LARGEST, TARGET, Geometry
from workflow_lib.base.files import canonical_json
from workflow_lib.images.label_files import write_labels
from workflow_lib.images.volumes import read_volume
from workflow_lib.preprocessing import normalise, resample

RULE: resample.Rule = "batchgenerators-0.25"
"""Whose result MIScnn gives on the installed stack."""
REPEATS = 3
Work = Callable[[], np.ndarray]


def _mask(folder: Path) -> np.ndarray:
    return read_volume(folder / "mask.nii.gz").data


def _load_kernels() -> None:
    """Let numba read its cache, once for a process and for all its cases."""
    resample.resample_labels(np.eye(3, dtype=np.uint8)[np.newaxis], (2, 5, 5), CLASSES, RULE)
    image = np.eye(3, dtype=np.float32)[np.newaxis]
    resample.resample_image(image, (2, 5, 5), RULE, normalise.measure(image, None, "z-score").apply)


def miscnn_read(folder: Path) -> Work:
    return lambda: _miscnn.load(folder / "image.nii.gz")[..., 0]


def our_read(folder: Path) -> Work:
    return lambda: read_volume(folder / "image.nii.gz").data


def miscnn_image(folder: Path) -> Work:
    _miscnn.allow_import_without_tensorflow()
    steps = _miscnn.subfunctions(CLIP, TARGET)
    sample = _miscnn.sample(_miscnn.load(folder / "image.nii.gz"), None, CASE.spacing, CASE.shape)

    def work() -> np.ndarray:
        for step in steps:
            step.preprocessing(sample, training=False)
        result: np.ndarray = sample.img_data[..., 0].astype(np.float32)
        return result

    return work


def our_image(folder: Path) -> Work:
    image = read_volume(folder / "image.nii.gz").data
    _load_kernels()

    def work() -> np.ndarray:
        transform = normalise.measure(image, CLIP, "z-score")
        return resample.resample_image(image, CASE.new_shape, RULE, transform.apply)

    return work


def miscnn_labels(folder: Path) -> Work:
    _miscnn.allow_import_without_tensorflow()
    from miscnn.processing.subfunctions import resampling

    mask = _miscnn.load(folder / "mask.nii.gz")[..., 0]
    resize = _miscnn.fitted(resampling).resize_segmentation
    return lambda: resize(mask, CASE.new_shape, order=1).astype(np.uint8)


def our_labels(folder: Path) -> Work:
    mask = _mask(folder)
    _load_kernels()
    return lambda: resample.resample_labels(mask, CASE.new_shape, CLASSES, RULE)


def miscnn_back(folder: Path) -> Work:
    _miscnn.allow_import_without_tensorflow()
    resampling = _miscnn.subfunctions(CLIP, TARGET)[2]
    sample = _miscnn.sample(np.zeros((2, 2, 2, 1)), None, CASE.spacing, CASE.shape)
    # MIScnn's prediction is an argmax: int64.
    prediction = resample.resample_labels(_mask(folder), CASE.new_shape, CLASSES, RULE).astype(np.int64)
    return lambda: resampling.postprocessing(sample, prediction)


def our_back(folder: Path) -> Work:
    prediction = resample.resample_labels(_mask(folder), CASE.new_shape, CLASSES, RULE)
    return lambda: resample.resample_labels(prediction, CASE.shape, CLASSES, RULE)


def miscnn_write(folder: Path) -> Work:
    import nibabel

    labels = _mask(folder).astype(np.uint16)

    def work() -> np.ndarray:
        made: Any = nibabel.Nifti1Image(labels[..., np.newaxis], None)  # type: ignore[no-untyped-call]
        made.to_filename(folder / "theirs.nii.gz")
        return labels

    return work


def our_write(folder: Path) -> Work:
    labels = _mask(folder)

    def work() -> np.ndarray:
        write_labels(folder / "ours.nii.gz", labels, folder / "mask.nii.gz")
        return labels

    return work


PARTS: dict[str, tuple[Callable[[Path], Work], Callable[[Path], Work], Callable[[np.ndarray, np.ndarray], Row]]] = {
    "read the image": (miscnn_read, our_read, difference),
    "clip, z-score, cubic resampling": (miscnn_image, our_image, difference),
    "resample the labels": (miscnn_labels, our_labels, voxels_that_differ),
    "labels back to the original grid": (miscnn_back, our_back, voxels_that_differ),
    "write the labels": (miscnn_write, our_write, voxels_that_differ),
}


def measure(part: Callable[[Path], Work], folder: Path, result: Path) -> Row:
    """Prepare and run one part in this fresh process, write its array, and return what it took."""
    work = part(folder)
    usage, array = used(work)
    np.save(result, array)
    return usage


def _side(name: str, usages: list[Row]) -> Row:
    memory = {key: float(np.median([usage[key] for usage in usages])) for key in ("peak_mib", "above_mib")}
    return side(name, [usage["cpu"] for usage in usages], **memory)


def compared(title: str, folder: Path, repeats: int) -> Row:
    """Return the row of one part: MIScnn once, ours several times."""
    theirs, ours, agreement = PARTS[title]
    files = {name: folder / f"{name}.npy" for name in ("theirs", "ours")}
    reference = _side(MISCNN, [in_fresh_process(measure, theirs, folder, files["theirs"])])
    own = _side(OURS, [in_fresh_process(measure, ours, folder, files["ours"]) for _ in range(repeats)])
    results = [np.load(file, mmap_mode="r") for file in files.values()]
    return row(title, own, reference, agreement(*results))


def whole_step(title: str, geometry: Geometry, cases: Path, repeats: int) -> Row:
    """Return the row of the whole step for one case: its CPU seconds, and its peak memory above that of its imports."""
    module = "workflow_lib.steps.preprocess"
    settings = {"dataset": "benchmark", "preprocessing": {"clip": CLIP, "spacing": TARGET}, "shard": 1, "shards": 1}
    arguments = ["--settings", canonical_json(settings), "--cases", str(cases), "--store", str(cases.parent / "store")]
    arguments += ["--record", str(cases.parent / "record.json")]
    imports = used_by_module(module, "--help")["peak_mib"]
    usages = [used_by_module(module, *arguments) for _ in range(repeats)]
    peak = max(usage["peak_mib"] for usage in usages)
    voxels, resampled = np.prod(geometry.shape), np.prod(geometry.new_shape)
    # int16 image and uint8 mask as they are read; float32 image and uint8 classes as they are stored.
    held = float(3 * voxels + 5 * resampled) / 2**20
    own = side(OURS, [usage["cpu"] for usage in usages], peak_mib=peak, wall=float(np.median([u["wall"] for u in usages])))
    sizes: Row = {"shape": list(geometry.shape), "new_shape": list(geometry.new_shape)}
    return row(title, own, imports_mib=imports, above_imports_mib=peak - imports, held_mib=held, **sizes)


def rows(quick: bool) -> list[Row]:
    """Return the rows of all parts and of the whole step."""
    repeats = 1 if quick else REPEATS
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        cases = _synthetic.write_case(folder / "case", CASE)
        made = [compared(title, folder / "case", repeats) for title in PARTS]
        made.append(whole_step("the step, a case of 207 slices", CASE, cases, repeats))
        largest = _synthetic.write_case(folder / "largest", LARGEST)
        return [*made, whole_step("the step, a case of 1059 slices", LARGEST, largest, 1)]


if __name__ == "__main__":
    alone(__doc__, rows)
