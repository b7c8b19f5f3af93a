"""One training patch of a preprocessed case, with the augmentation of MIScnn 1.4.0 or without augmentation.

The order is mirroring, contrast, brightness, gamma, noise, and then rotation, scaling and elastic deformation
with the random crop. MIScnn changes the whole volume and one-hot classes. Here only the block that the patch
needs is read, with the same result.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np

from workflow_lib.augmentation.elastic import elastic_displacement
from workflow_lib.augmentation.intensity import Distribution, change_intensity, distribution, noise
from workflow_lib.augmentation.parameters import Parameters, draw, draw_start
from workflow_lib.augmentation.spatial import OUTSIDE, read_window, rotation_matrix, warp
from workflow_lib.base.errors import UserError
from workflow_lib.study.sections.augmentation import Augmentation

Patch = tuple[np.ndarray, np.ndarray]
"""Image (*patch, channels) float32 and classes (*patch) uint8."""


class PatchSource(Protocol):
    """A preprocessed case from which patches are cut (`preprocessing.store.StoredCase`).

    The arrays can be memory-mapped.
    """

    @property
    def id(self) -> str:
        """Name of the case."""

    @property
    def image(self) -> np.ndarray:
        """Intensities, (…, channels) float32."""

    @property
    def classes(self) -> np.ndarray:
        """Class of every voxel, (…) uint8."""

    @property
    def histogram(self) -> Mapping[str, Any]:
        """Histogram of the intensities of the whole volume, by channel."""


def augmented_patch(case: PatchSource, patch: Sequence[int], settings: Augmentation, rng: np.random.Generator) -> Patch:
    """Return an augmented random patch of a case: image (*patch, channels) float32, classes (*patch) uint8.

    Outside the volume, the image is 0 and the class OUTSIDE (255). All random numbers come from `rng`.
    """
    _check(case, patch)
    parameters = draw(settings, rng, case.classes.shape, patch, case.image.shape[-1])
    return apply(case, patch, parameters, rng)


def plain_patch(case: PatchSource, patch: Sequence[int], rng: np.random.Generator) -> Patch:
    """Return an unchanged random patch of a case: image (*patch, channels) float32, classes (*patch) uint8.

    A case smaller than the patch is centred in it. Around it, the image is 0 and the class OUTSIDE (255).
    """
    _check(case, patch)
    shape = case.classes.shape
    parameters = Parameters(mirrored=(False,) * len(shape), start=draw_start(rng, shape, patch))
    return apply(case, patch, parameters, rng)


def apply(case: PatchSource, patch: Sequence[int], parameters: Parameters, rng: np.random.Generator) -> Patch:
    """Return the patch with the changes in `parameters`; noise and elastic field are drawn from `rng`."""
    if parameters.spatial:
        return _interpolated(case, patch, parameters, rng)
    return _cropped(case, patch, parameters, rng)


def _check(case: PatchSource, patch: Sequence[int]) -> None:
    if len(patch) != case.classes.ndim:
        raise UserError(
            f"Case {case.id} has {case.classes.ndim} axes {case.classes.shape}, "
            f"but training.patch has {len(patch)}: {tuple(patch)}. Give training.patch as many sides as the images have axes."
        )


def _cropped(case: PatchSource, patch: Sequence[int], parameters: Parameters, rng: np.random.Generator) -> Patch:
    shape = case.classes.shape
    first = tuple(max(0, start) for start in parameters.start)
    last = tuple(min(size, start + side) for size, start, side in zip(shape, parameters.start, patch, strict=True))
    block, classes = _changed_block(case, first, last, parameters, rng)
    if classes.shape == tuple(patch):
        return block, classes
    inside = tuple(slice(f - s, e - s) for f, e, s in zip(first, last, parameters.start, strict=True))
    image = np.zeros((*patch, block.shape[-1]), dtype=np.float32)
    labels = np.full(tuple(patch), OUTSIDE, dtype=np.uint8)
    image[inside] = block
    labels[inside] = classes
    return image, labels


def _interpolated(case: PatchSource, patch: Sequence[int], parameters: Parameters, rng: np.random.Generator) -> Patch:
    shape = case.classes.shape
    displacement = None if parameters.elastic is None else elastic_displacement(patch, *parameters.elastic, rng)
    matrix = np.eye(len(shape)) if parameters.angles is None else rotation_matrix(parameters.angles)
    if parameters.scale is not None:
        matrix = matrix * parameters.scale
    first, last = read_window(patch, shape, matrix, parameters.centre, displacement)
    block, classes = _changed_block(case, first, last, parameters, rng)
    centre = [middle - start for middle, start in zip(parameters.centre, first, strict=True)]
    return warp(block, classes, patch, matrix, centre, displacement)


def _changed_block(
    case: PatchSource, first: Sequence[int], last: Sequence[int], parameters: Parameters, rng: np.random.Generator
) -> Patch:
    """Read the voxels of the mirrored volume from `first` to `last` (exclusive), and change their intensity."""
    window, turned = _mirrored_window(case.classes.shape, first, last, parameters.mirrored)
    classes = np.array(case.classes[window][turned], dtype=np.uint8, order="C")
    image = np.array(case.image[window][turned], dtype=np.float32, order="C")
    changes = (parameters.contrast, parameters.brightness, parameters.gamma)
    if any(change is not None for change in changes):
        for channel, volume in enumerate(distributions(case)):
            image[..., channel] = change_intensity(
                image[..., channel], volume, *(None if change is None else change[channel] for change in changes)
            )
    if parameters.noise is not None:
        image = noise(image, parameters.noise, rng)
    return image, classes


def _mirrored_window(
    shape: Sequence[int], first: Sequence[int], last: Sequence[int], mirrored: Sequence[bool]
) -> tuple[tuple[slice, ...], tuple[slice, ...]]:
    """Return the slices of the stored volume for a window of the mirrored one, and the slices that mirror it."""
    window = tuple(
        slice(size - end, size - start) if turn else slice(start, end)
        for size, start, end, turn in zip(shape, first, last, mirrored, strict=True)
    )
    return window, tuple(slice(None, None, -1) if turn else slice(None) for turn in mirrored)


def distributions(case: PatchSource) -> list[Distribution]:
    """Return the distribution of every channel of the whole volume, from the histogram of the case."""
    histogram = case.histogram
    return [
        distribution(counts, float(minimum), float(maximum), float(mean), float(std))
        for counts, minimum, maximum, mean, std in zip(
            histogram["counts"], histogram["minimum"], histogram["maximum"], histogram["mean"], histogram["std"], strict=True
        )
    ]
