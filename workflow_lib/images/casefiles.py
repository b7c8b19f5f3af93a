"""The files of a case, whatever kind they are: NIfTI volumes and pictures in, label files of the same kind out."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from workflow_lib.base.errors import UserError
from workflow_lib.images.cases import Case, Reading
from workflow_lib.images.files_read import FilesRead
from workflow_lib.images.label_files import write_labels
from workflow_lib.images.pictures.reading import is_picture, read_picture, read_picture_mask
from workflow_lib.images.pictures.writing import write_picture_labels
from workflow_lib.images.volumes import Volume, read_channels, read_volume

_ABOVE = 255
"""Value of a mask above its threshold."""


@dataclass(frozen=True)
class Image:
    """All channels of a case.

    `data` (*shape, channels) in the axes of the file. `spacing` in mm per axis; of pictures 1. `orientation` as in
    `volumes.Volume`; of pictures empty, their axes are (rows, columns). `header`: that of the first NIfTI file, byte by byte;
    of pictures empty.
    """

    data: np.ndarray
    spacing: tuple[float, ...]
    orientation: str
    header: bytes = b""


DIVERGED = "diverged.json"
"""Stands in a folder of predictions instead of them where the training diverged: epoch, step and cases."""


def read_channel_files(path: Path, reading: Reading, seen: FilesRead | None = None) -> list[Volume]:
    """Return the channels that one image file holds. Raises UserError as `read_volume` and `read_picture` do."""
    if not is_picture(path):
        return [read_volume(path, seen)] if reading.channels is None else read_channels(path, reading.channels, seen)
    picture = read_picture(path, reading.colour, seen)
    return [_plane(np.ascontiguousarray(picture[..., channel])) for channel in range(picture.shape[-1])]


def read_mask_file(path: Path, reading: Reading, seen: FilesRead | None = None) -> Volume:
    """Return one mask file, above and below the threshold if there is one. Raises UserError as `read_volume` does."""
    if is_picture(path):
        return _plane(read_picture_mask(path, reading.threshold, seen))
    mask = read_volume(path, seen)
    if reading.threshold is None:
        return mask
    data = np.where(mask.data > reading.threshold, np.uint8(_ABOVE), np.uint8(0))
    return Volume(data, mask.affine, mask.spacing, mask.orientation, mask.dtype)


def joined(masks: list[np.ndarray]) -> np.ndarray:
    """Return masks of one shape as one: where several have a value, the highest."""
    first, *others = masks
    for mask in others:
        first = np.maximum(first, mask)
    return first


def read_image(case: Case, reading: Reading, seen: FilesRead | None = None) -> Image:
    """Read all channels of a case. Raises UserError that names a file which cannot be read, or channels of different shapes."""
    volumes = [volume for path in case.images for volume in read_channel_files(path, reading, seen)]
    first = volumes[0]
    if any(volume.data.shape != first.data.shape for volume in volumes):
        raise UserError(f"{', '.join(map(str, case.images))}: the channels have different shapes.")
    # One channel, the usual case, is not copied.
    data = first.data[..., np.newaxis] if len(volumes) == 1 else np.stack([volume.data for volume in volumes], axis=-1)
    return Image(data, first.spacing, first.orientation, first.header)


def read_mask(case: Case, reading: Reading, seen: FilesRead | None = None) -> np.ndarray:
    """Read the ground truth of a case, (*shape) raw label values. Raises UserError as `read_mask_file` does."""
    masks = [read_mask_file(path, reading, seen).data for path in case.masks]
    if any(mask.shape != masks[0].shape for mask in masks):
        raise UserError(f"{', '.join(map(str, case.masks))}: the masks have different shapes.")
    return joined(masks)


def read_field_of_view(case: Case, seen: FilesRead | None = None) -> np.ndarray | None:
    """Return where the field of view of a case is, (*shape) bool, or None if the dataset has none."""
    if case.field_of_view is None:
        return None
    mask = read_mask_file(case.field_of_view, Reading(), seen).data
    # Above one half of the highest value: such masks are stored as 0 and 1 or 0 and 255, sometimes with grey edges.
    return np.asarray(mask > mask.max() / 2)


def prediction_name(case: Case) -> str:
    """Return the file name of a case's prediction: a picture for a picture, else NIfTI."""
    return f"{case.id}.png" if is_picture(case.images[0]) else f"{case.id}.nii.gz"


def write_prediction(path: Path, labels: np.ndarray, case: Case, header: bytes) -> None:
    """Write label values (*shape) uint8 on the grid of the case's image, whole or not at all.

    `header`: that of the image as `read_image` returns it; the image itself is not opened.
    """
    if is_picture(case.images[0]):
        write_picture_labels(path, labels)
    elif header:
        write_labels(path, labels, case.images[0], header)
    else:
        raise UserError(
            f"{case.id} was preprocessed by an earlier version, which kept no header of its image. Run `preprocess` again."
        )


def read_prediction(path: Path) -> np.ndarray:
    """Read what `write_prediction` wrote."""
    return read_mask_file(path, Reading()).data


def _plane(data: np.ndarray) -> Volume:
    """Return a picture's channel as a volume of two axes and pixels of unit size."""
    return Volume(data, np.eye(4), (1.0, 1.0), "", data.dtype)
