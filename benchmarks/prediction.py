"""Prediction outside the network: this project against MIScnn 1.4.0's own `Neural_Network.predict`, in one run on one machine.

A case of 207 x 512 x 512 voxels, preprocessed to 128 x 249 x 249, in 27 patches of 80 x 160 x 160 with three classes. In the
place of the network stands a function that gives prepared probabilities: those of a network that is sure of a segmentation of
two kidneys and two tumours, or random ones, the worst case, in which no two neighbours agree. Everything else is done as in a
study: cutting the patches, joining them, the most probable class, the way back to the original grid, and the NIfTI file.

Memory: the same for a case of 1059 x 512 x 512 with probabilities that are random from one cube of 4 voxels a side to the next,
in a process of its own without TensorFlow; the image and a batch of probabilities count, imports do not.

    OMP_NUM_THREADS=1 python -m benchmarks.prediction
"""

import tempfile
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

from benchmarks import _miscnn, _synthetic
from benchmarks._measure import (
    MISCNN,
    OURS,
    Row,
    alone,
    cpu_seconds,
    difference,
    in_fresh_process,
    row,
    side,
    used,
    voxels_that_differ,
)
from benchmarks._synthetic import CLASSES, CLIP, LARGEST, OVERLAP, PATCH, TARGET, Geometry
from workflow_lib.images.cases import Case, LabelMap
from workflow_lib.images.label_files import write_labels
from workflow_lib.images.volumes import read_volume
from workflow_lib.inference import _kernels
from workflow_lib.inference.grid import Blender, grid_starts
from workflow_lib.inference.predict import predict_case
from workflow_lib.preprocessing.pipeline import restore_labels
from workflow_lib.preprocessing.resample import resample_labels
from workflow_lib.study.sections.preprocessing import Preprocessing

CASE = Geometry((207, 512, 512), (2.0, 0.79, 0.79))
BATCH, REPEATS = 2, 5
SETTINGS = Preprocessing(clip=CLIP, spacing=TARGET, resampling="batchgenerators-0.25")
"""The rule whose result MIScnn gives on the installed stack."""
LABELS = LabelMap(("background", "kidney", "tumour"), ((0,), (1,), (2,)))
BLOCK = 4
"""Side of the cubes in which the largest case's random probabilities agree: single voxels take minutes and no more memory."""
SURE = 8.0
"""Logit of the right class above those of the others, which are standard normal."""


class Network:
    """In the place of a network: gives prepared probabilities (patches, *PATCH, CLASSES), batch after batch."""

    output_shape = (None, *PATCH, CLASSES)

    def __init__(self, patches: np.ndarray) -> None:
        self._patches, self._next = patches, 0

    def predict_on_batch(self, batch: np.ndarray) -> np.ndarray:
        """Return the next patches, as many as the batch holds; after the last the first follows."""
        chosen = np.arange(self._next, self._next + len(batch)) % len(self._patches)
        self._next = (self._next + len(batch)) % (len(self._patches) + len(self._patches) % BATCH)
        return self._patches[chosen[0] : chosen[0] + len(batch)] if chosen[-1] >= chosen[0] else self._patches[chosen]


def softmax(logits: np.ndarray) -> np.ndarray:
    np.exp(logits, out=logits)
    logits /= logits.sum(axis=-1, keepdims=True)
    return logits


def random_patches(count: int, block: int = 1) -> np.ndarray:
    """Return random probabilities, the same inside each cube of `block` voxels a side."""
    coarse = np.random.default_rng(0).standard_normal((count, *(size // block for size in PATCH), CLASSES), dtype=np.float32)
    for axis in (1, 2, 3) if block > 1 else ():
        coarse = np.repeat(coarse, block, axis)
    return softmax(coarse)


def sure_patches(classes: np.ndarray) -> np.ndarray:
    """Return the probabilities of a network that is sure of these classes, patch by patch."""
    starts = grid_starts(classes.shape, PATCH, OVERLAP)
    patches = np.random.default_rng(0).standard_normal((len(starts), *PATCH, CLASSES), dtype=np.float32)
    for patch, start in zip(patches, starts, strict=True):
        cut = classes[tuple(slice(first, first + size) for first, size in zip(start, PATCH, strict=True))]
        patch += SURE * np.eye(CLASSES, dtype=np.float32)[cut]
    return softmax(patches)


def our_prediction(network: Network, image: np.ndarray, case: Case, shape: tuple[int, ...], target: Path) -> None:
    """Do what the step `predict` does for one case."""
    classes = predict_case(_as_any(network), image, PATCH, OVERLAP, BATCH)
    whole = restore_labels(classes, shape, SETTINGS, CLASSES)
    write_labels(target, LABELS.to_raw(whole), case.images[0])


def miscnn_prediction(network: Network, image: np.ndarray, folder: Path) -> Callable[[], None]:
    """Return MIScnn's own `predict` on a case that is preprocessed already, with another network in its place."""
    _miscnn.allow_import()
    from miscnn.data_loading.data_io import Data_IO
    from miscnn.data_loading.interfaces.nifti_io import NIFTI_interface
    from miscnn.data_loading.sample import Sample
    from miscnn.neural_network.model import Neural_Network
    from miscnn.processing.preprocessor import Preprocessor

    extended = {"spacing": np.array(CASE.spacing), "original_shape": CASE.shape, "affine": np.eye(4)}
    data_io = Data_IO(NIFTI_interface(1, CLASSES), folder.as_posix(), output_path=folder.as_posix())
    data_io.sample_loader = lambda index, **_: Sample(index, image, 1, CLASSES, dict(extended))
    data_io.batch_cleanup = lambda: None
    steps = _miscnn.subfunctions(CLIP, TARGET)
    preprocessor = Preprocessor(data_io, BATCH, steps, None, analysis="patchwise-grid", patch_shape=PATCH)
    preprocessor.patchwise_overlap = OVERLAP
    # Preprocessed before: what `predict` reads is the sample above.
    preprocessor.prepare_subfunctions = True
    preprocessor.run_subfunctions = lambda *_: None
    neural_network = SimpleNamespace(preprocessor=preprocessor, model=network)
    return lambda: Neural_Network.predict(neural_network, ["theirs"])


def _side(name: str, seconds: list[float], usage: Row) -> Row:
    return side(name, seconds, peak_mib=usage["peak_mib"], above_mib=usage["above_mib"])


def _patches(kind: str, folder: Path) -> np.ndarray:
    if kind == "random":
        return random_patches(len(grid_starts(CASE.new_shape, PATCH, OVERLAP)))
    return sure_patches(resample_labels(read_volume(folder / "mask.nii.gz").data, CASE.new_shape, CLASSES))


def _image(geometry: Geometry) -> np.ndarray:
    return np.random.default_rng(1).standard_normal((*geometry.new_shape, 1), dtype=np.float32)


def miscnn_side(kind: str, folder: Path) -> Row:
    """Run MIScnn's prediction in this fresh process."""
    work = miscnn_prediction(Network(_patches(kind, folder)), _image(CASE), folder)
    usage, _ = used(work)
    return _side(MISCNN, [usage["cpu"]], usage)


def our_side(kind: str, folder: Path, repeats: int) -> Row:
    """Run our prediction in this fresh process."""
    network, image, case = Network(_patches(kind, folder)), _image(CASE), _case(folder)
    _compile()
    usages = [used(lambda: our_prediction(network, image, case, CASE.shape, folder / "ours.nii.gz"))[0] for _ in range(repeats)]
    return _side(OURS, [usage["cpu"] for usage in usages], usages[-1])


def _compile() -> None:
    """Compile what ours compiles at its first call, or get it from the cache."""
    classes = predict_case(_as_any(Network(random_patches(BATCH))), np.zeros((*PATCH, 1), np.float32), PATCH, OVERLAP, BATCH)
    restore_labels(classes[:8, :8, :8], (9, 9, 9), SETTINGS, CLASSES)


def _as_any(value: object) -> Any:
    return value


def _case(folder: Path) -> Case:
    return Case("case_00000", (folder / "mask.nii.gz",), ())


def whole(kind: str, title: str, folder: Path, repeats: int) -> Row:
    """Return the row of the whole part outside the network, and in how many voxels the two files differ."""
    theirs, ours = in_fresh_process(miscnn_side, kind, folder), in_fresh_process(our_side, kind, folder, repeats)
    files = [_miscnn.load(folder / f"{name}.nii.gz") for name in ("theirs", "ours")]
    agreement = voxels_that_differ(*(np.squeeze(array).astype(np.uint8) for array in files))
    patches = len(grid_starts(CASE.new_shape, PATCH, OVERLAP))
    sizes: Row = {"shape": list(CASE.shape), "new_shape": list(CASE.new_shape), "patches": patches}
    return row(title, ours, theirs, agreement, **sizes)


def largest(folder: Path) -> Row:
    """Return what the largest case takes, in this fresh process. The network gives one random batch again and again."""
    case = _case(folder)

    def work() -> None:
        network = Network(random_patches(BATCH, BLOCK))
        our_prediction(network, _image(LARGEST), case, LARGEST.shape, folder / "largest.nii.gz")

    usage, _ = used(work)
    own = side(OURS, [usage["cpu"]], peak_mib=usage["peak_mib"], above_mib=usage["above_mib"])
    return row("whole, a case of 1059 slices", own, shape=list(LARGEST.shape), new_shape=list(LARGEST.new_shape))


def parts(repeats: int) -> list[Row]:
    """Return the rows of joining the patches and of taking the most probable class."""
    _miscnn.allow_import()
    from miscnn.utils.patch_operations import concat_matrices

    shape = CASE.new_shape
    patches = random_patches(len(grid_starts(shape, PATCH, OVERLAP)))

    def joined() -> np.ndarray:
        blender = Blender(shape, PATCH, OVERLAP, CLASSES)
        for index, patch in enumerate(patches):
            blender.add(index, patch)
        return blender.result()

    def most_probable() -> np.ndarray:
        classes = np.empty(shape, np.uint8)
        _kernels.most_probable(found.reshape(-1, CLASSES), classes.reshape(-1))
        return classes

    ours, found = cpu_seconds(joined, repeats)
    own, classes = cpu_seconds(most_probable, repeats)
    numpys, expected_classes = cpu_seconds(lambda: np.argmax(found, axis=-1), 2)
    # Last, because MIScnn joins in place and spoils the patches.
    theirs, expected = cpu_seconds(lambda: concat_matrices(patches, shape, PATCH, OVERLAP, three_dim=True), 1, warm=False)
    agreement = voxels_that_differ(expected_classes.astype(np.uint8), classes)
    return [
        row("joining the patches", side(OURS, ours), side(MISCNN, theirs), difference(expected, found)),
        row("most probable class", side(OURS, own), side("NumPy's argmax", numpys), agreement),
    ]


def rows(quick: bool) -> list[Row]:
    """Return all rows."""
    repeats = 1 if quick else REPEATS
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        _synthetic.write_nifti(folder / "mask.nii.gz", _synthetic.mask(CASE), CASE)
        made = in_fresh_process(parts, repeats)
        made.append(whole("sure", "whole, a network sure of its segmentation", folder, repeats))
        made.append(whole("random", "whole, random probabilities", folder, 1))
        # Only its header is read.
        _synthetic.write_nifti(folder / "mask.nii.gz", np.zeros(LARGEST.shape, np.uint8), LARGEST)
        return [*made, in_fresh_process(largest, folder)]


if __name__ == "__main__":
    alone(__doc__, rows)
