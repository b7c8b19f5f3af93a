"""Preprocess a case for the network, and restore the predicted classes to the original grid of the case."""

from collections.abc import Sequence
from typing import Literal, overload

import numpy as np

from workflow_lib.base.errors import UserError
from workflow_lib.images.cases import LabelMap
from workflow_lib.images.orientation import reorientation
from workflow_lib.preprocessing.normalise import measure
from workflow_lib.preprocessing.resample import resample_image, resample_labels, resampled_shape
from workflow_lib.study.sections.preprocessing import Preprocessing


@overload
def preprocess(
    image: np.ndarray,
    mask: np.ndarray,
    spacing: Sequence[float],
    settings: Preprocessing,
    labels: LabelMap,
    orientation: str = "",
) -> tuple[np.ndarray, np.ndarray]: ...
@overload
def preprocess(
    image: np.ndarray, mask: None, spacing: Sequence[float], settings: Preprocessing, labels: LabelMap, orientation: str = ""
) -> tuple[np.ndarray, None]: ...
def preprocess(
    image: np.ndarray,
    mask: np.ndarray | None,
    spacing: Sequence[float],
    settings: Preprocessing,
    labels: LabelMap,
    orientation: str = "",
) -> tuple[np.ndarray, np.ndarray | None]:
    """Reorient, clip and resample one case; return image (*new shape, channels) float32 and classes (*new shape) uint8.

    `image` (*shape, channels), two or three axes and the channels, of any real type: passing the type of the file saves memory.
    `mask` (*shape) raw label values of the dataset, or None where there is no ground truth. `spacing` in mm, per axis.
    `orientation`: the directions of the axes, such as "LPS", which the settings may change; empty for pictures.
    Mean and deviation of the z-score are those of the whole array, all channels together, as in MIScnn, or of each channel
    (`z-score-channel`); with one channel it is the same.
    Raises UserError for a label value that is not declared, a mask of another shape, or a spacing that leaves no voxel.
    """
    shape, channels = image.shape[:-1], image.shape[-1]
    if mask is not None and mask.shape != shape:
        raise UserError(f"The image has {shape} voxels, its mask {mask.shape}. Check that the two files belong together.")
    if settings.orientation is not None:
        change = reorientation(orientation, settings.orientation)
        # Contiguous, so that sums do not depend on the axes of the file.
        image = np.ascontiguousarray(change.apply(image))
        mask, spacing = None if mask is None else change.apply(mask), change.ordered(spacing)
        shape = image.shape[:-1]
    new_shape = _new_shape(shape, spacing, settings)
    method: Literal["z-score", "none"] = "none" if settings.normalise == "none" else "z-score"
    by_channel = settings.normalise == "z-score-channel"
    whole = None if by_channel else measure(image, settings.clip, method)
    result = np.empty((*new_shape, channels), dtype=np.float32)
    for channel in range(channels):
        transform = whole or measure(image[..., channel], settings.clip, method)
        result[..., channel] = resample_image(image[..., channel], new_shape, settings.resampling, transform.apply)
    if mask is None:
        return result, None
    return result, resample_labels(labels.to_classes(mask), new_shape, labels.n_classes, settings.resampling)


def _new_shape(shape: Sequence[int], spacing: Sequence[float], settings: Preprocessing) -> tuple[int, ...]:
    if settings.size is not None:
        if len(settings.size) != len(shape):
            raise UserError(f"preprocessing.size has {len(settings.size)} axes, and the image {len(shape)}.")
        return tuple(settings.size)
    return resampled_shape(shape, spacing, settings.spacing) if settings.spacing is not None else tuple(shape)


def restore_labels(
    classes: np.ndarray, original_shape: Sequence[int], settings: Preprocessing, n_classes: int, orientation: str = ""
) -> np.ndarray:
    """Return predicted classes (uint8) on the case's original grid, by the label rule of the settings.

    `orientation`: the directions of the axes of that grid, for settings that change them.
    """
    if settings.orientation is None:
        return resample_labels(classes, original_shape, n_classes, settings.resampling)
    change = reorientation(orientation, settings.orientation)
    shape = [original_shape[axis] for axis in change.axes]
    return np.ascontiguousarray(change.undo(resample_labels(classes, shape, n_classes, settings.resampling)))
