"""An independent reading of image files with nibabel, SimpleITK and Pillow, without the project's readers."""

import gzip
import io
import tempfile
from dataclasses import dataclass
from pathlib import Path

import nibabel
import numpy as np
import SimpleITK
from PIL import Image

VOLUMES = (".nii", ".nii.gz")


class UnreadableError(Exception):
    """None of the libraries reads the file."""


@dataclass(frozen=True)
class Content:
    """Voxels with a last axis of channels (1 for volumes), spacing in mm (1 for pictures) and the directions of the axes."""

    data: np.ndarray
    spacing: tuple[float, ...]
    orientation: str
    converted: tuple[str, ...] = ()
    """What a reader has to convert or drop here, and has to say."""


def read(path: Path, axes: int) -> Content:
    """Read a file for a network with that many axes; a volume of one slice is an image if there are two."""
    if path.suffix.lower() in (".mha", ".nrrd"):
        return _itk(path)
    content = path.read_bytes()
    return _volume(content, axes) if path.name.lower().endswith(VOLUMES) else _picture(content)


def _itk(path: Path) -> Content:
    try:
        image = SimpleITK.ReadImage(str(path))
    except RuntimeError as error:
        raise UnreadableError(f"SimpleITK: {error}") from error
    data = SimpleITK.GetArrayFromImage(image).transpose(range(image.GetDimension() - 1, -1, -1))
    orientation = SimpleITK.DICOMOrientImageFilter.GetOrientationFromDirectionCosines(image.GetDirection())
    return Content(data[..., np.newaxis], tuple(image.GetSpacing()), orientation)


def _volume(content: bytes, axes: int) -> Content:
    try:
        content = gzip.decompress(content) if content[:2] == b"\x1f\x8b" else content
        image = _nibabel(content)
        data = np.asarray(image.dataobj)
    except Exception as error:
        raise UnreadableError(f"nibabel: {error}") from error
    spacing, orientation = _geometry(content, image)
    converted: tuple[str, ...] = ("units",) if int(image.header["xyzt_units"]) & 7 in (1, 3) else ()
    while data.ndim > 3 and data.shape[-1] == 1:
        data = data[..., 0]
    if axes == 2 and data.ndim == 3 and 1 in data.shape:
        across = data.shape.index(1)
        data = np.squeeze(data, across)
        converted += ("an axis dropped",)
        spacing = tuple(side for axis, side in enumerate(spacing) if axis != across)
    return Content(data[..., np.newaxis], spacing[: data.ndim], orientation, converted)


def _nibabel(content: bytes) -> nibabel.Nifti1Image:
    second = int.from_bytes(content[:4], "little") == 540 or int.from_bytes(content[:4], "big") == 540
    return (nibabel.Nifti2Image if second else nibabel.Nifti1Image).from_bytes(content)


def _geometry(content: bytes, image: nibabel.Nifti1Image) -> tuple[tuple[float, ...], str]:
    """Return spacing and directions by ITK, which applies the units of the header; by nibabel if ITK refuses the file."""
    orientation = "".join(nibabel.aff2axcodes(image.affine))
    with tempfile.NamedTemporaryFile(suffix=".nii") as stream:
        stream.write(content)
        stream.flush()
        try:
            reader = SimpleITK.ImageFileReader()
            reader.SetFileName(stream.name)
            reader.ReadImageInformation()
            direction = reader.GetDirection()
            if len(direction) == 9:
                orientation = SimpleITK.DICOMOrientImageFilter.GetOrientationFromDirectionCosines(direction)
            return tuple(reader.GetSpacing()[:3]), orientation
        except RuntimeError:
            return tuple(float(side) for side in image.header.get_zooms()[:3]), orientation


def _picture(content: bytes) -> Content:
    try:
        with Image.open(io.BytesIO(content)) as image:
            if getattr(image, "n_frames", 1) != 1:
                raise UnreadableError("several pages")
            mode = image.mode
            plain = image.convert("RGBA" if "transparency" in image.info else "RGB") if mode in ("P", "PA") else image
            data = np.asarray(plain)
    except UnreadableError:
        raise
    except Exception as error:
        raise UnreadableError(f"Pillow: {error}") from error
    converted = ("ink as colours",) if mode == "CMYK" else ()
    if data.ndim == 3 and data.shape[-1] in (2, 4) and mode != "CMYK" and (data[..., -1] != 255).any():
        converted = ("transparency",)
    data = data.astype(np.uint8) * 255 if data.dtype == bool else data
    return Content(data[..., np.newaxis] if data.ndim == 2 else data, (1.0, 1.0), "", converted)
