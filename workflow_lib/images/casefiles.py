"""Read and write the files of a case: NIfTI volumes or pictures as input, label files of the same kind as output."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from workflow_lib.base.errors import UserError
from workflow_lib.images.cases import Case, Reading
from workflow_lib.images.files_read import FilesRead
from workflow_lib.images.label_files import write_labels
from workflow_lib.images.merging import merged
from workflow_lib.images.pictures.reading import is_picture, read_coloured_mask, read_picture, read_picture_mask
from workflow_lib.images.pictures.writing import write_picture_labels
from workflow_lib.images.readers.dicom import is_segmentation
from workflow_lib.images.rounding import rounded
from workflow_lib.images.volumes import read_channels, read_header, read_volume
from workflow_lib.images.voxels import Volume, flat, on_grid

_ABOVE = 255
"""Value of mask voxels above the threshold."""


@dataclass(frozen=True)
class Image:
    """All channels of a case.

    `data`: (*shape, channels) in the axes of the file. `spacing`: mm per axis, 1 for pictures. `orientation`: as in
    `volumes.Volume`, empty for pictures, whose axes are (rows, columns). `header`: the bytes of the first NIfTI file's header,
    empty for pictures.
    """

    data: np.ndarray
    spacing: tuple[float, ...]
    orientation: str
    header: bytes = b""


DIVERGED = "diverged.json"
"""File that replaces the predictions if the training diverged. It contains epoch, step and cases."""


def read_channel_files(path: Path, reading: Reading, seen: FilesRead | None = None) -> list[Volume]:
    """Return the channels of one image file. Raises UserError as `read_volume` and `read_picture` do."""
    if not is_picture(path):
        volumes = [read_volume(path, seen)] if reading.channels is None else read_channels(path, reading.channels, seen)
        return [_flat(path, volume, seen) for volume in volumes] if reading.flat else volumes
    picture = read_picture(path, reading.colour, seen)
    return [_plane(np.ascontiguousarray(picture[..., channel])) for channel in range(picture.shape[-1])]


def _flat(path: Path, volume: Volume, seen: FilesRead | None) -> Volume:
    """Return a volume of one slice as an image, with a remark, and others unchanged."""
    image = flat(volume)
    if image is not volume and seen is not None:
        seen.remark(
            path, f"one slice of shape {' x '.join(map(str, volume.data.shape))}, which was read as an image with two axes"
        )
    return image


def read_mask_file(path: Path, reading: Reading, seen: FilesRead | None = None) -> Volume:
    """Return one mask, binarised if there is a threshold, else with values close to whole numbers rounded.

    Raises UserError as `read_volume` and `read_picture_mask` do.
    """
    if is_picture(path):
        colours = dict(reading.colours)
        labels = read_coloured_mask(path, colours, seen) if colours else read_picture_mask(path, reading.threshold, seen)
        return _plane(labels)
    mask = read_volume(path, seen)
    if reading.flat:
        mask = _flat(path, mask, seen)
    if reading.threshold is None:
        return replace(mask, data=rounded(path, mask.data, seen))
    data = np.where(mask.data > reading.threshold, np.uint8(_ABOVE), np.uint8(0))
    return Volume(data, mask.affine, mask.spacing, mask.orientation, mask.dtype)


def read_image(case: Case, reading: Reading, seen: FilesRead | None = None) -> Image:
    """Read all channels of a case. Raises UserError if a file cannot be read, or if channels have different shapes."""
    volumes = [volume for path in case.images for volume in read_channel_files(path, reading, seen)]
    first = volumes[0]
    if any(volume.data.shape != first.data.shape for volume in volumes):
        raise UserError(f"{', '.join(map(str, case.images))}: the channels have different shapes.")
    # A single channel, the usual case, is not copied.
    data = first.data[..., np.newaxis] if len(volumes) == 1 else np.stack([volume.data for volume in volumes], axis=-1)
    return Image(data, first.spacing, first.orientation, first.header)


def read_mask(case: Case, reading: Reading, seen: FilesRead | None = None) -> np.ndarray:
    """Read the ground truth of a case as raw label values (*shape). Raises UserError as `read_mask_file` and `merged` do."""
    masks = [read_mask_file(path, reading, seen) for path in case.masks]
    if any(is_segmentation(path) for path in case.masks):
        image = read_header(case.images[0])
        masks = [on_grid(mask, image.affine, image.shape) for mask in masks]
    return merged(case, [mask.data for mask in masks], reading.overlaps, seen)


def read_field_of_view(case: Case, reading: Reading, seen: FilesRead | None = None) -> np.ndarray | None:
    """Return the field of view of a case as a boolean array (*shape), or None if it has none."""
    if case.field_of_view is None:
        return None
    mask = read_mask_file(case.field_of_view, Reading(flat=reading.flat), seen).data
    # The threshold is half of the maximum, because such masks are stored as 0/1 or 0/255, sometimes with grey edges.
    return np.asarray(mask > mask.max() / 2)


def prediction_name(case: Case) -> str:
    """Return the file name of a case's prediction: PNG for a picture, else NIfTI."""
    return f"{case.id}.png" if is_picture(case.images[0]) else f"{case.id}.nii.gz"


def write_prediction(path: Path, labels: np.ndarray, case: Case, header: bytes) -> None:
    """Write label values (*shape), uint8, on the grid of the case's image. The file is written atomically.

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


def read_prediction(path: Path, reading: Reading) -> np.ndarray:
    """Read a file that `write_prediction` wrote, in the shape of the mask that is read with `reading`."""
    return read_mask_file(path, Reading(flat=reading.flat)).data


def _plane(data: np.ndarray) -> Volume:
    """Return a picture's channel as a volume with two axes and unit spacing."""
    return Volume(data, np.eye(4), (1.0, 1.0), "", data.dtype)
