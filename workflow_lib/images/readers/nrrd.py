"""NRRD files: .nrrd, .nhdr with its voxels in a second file, and 3D Slicer's segmentations .seg.nrrd."""

import re
from pathlib import Path

import numpy as np

from workflow_lib.base.errors import UserError
from workflow_lib.images.files_read import FilesRead
from workflow_lib.images.readers import _itk
from workflow_lib.images.readers.interface import finished, opened
from workflow_lib.images.voxels import Volume

SUFFIXES: tuple[str, ...] = (".nrrd", ".nhdr")
_HEADER_BYTES = 1 << 20
_SEGMENT = re.compile(r"segment(\d+)_(labelvalue|layer|name)$")


def _fields(path: Path) -> dict[str, str]:
    """Return the fields and key/value pairs of a header, which ends with an empty line."""
    with open(path, "rb") as file:
        begin = file.read(_HEADER_BYTES)
    fields = {}
    for line in re.split(r"\r?\n\r?\n", begin.decode("utf-8", "replace"), maxsplit=1)[0].splitlines():
        name, mark, value = line.partition(":")
        if mark and not line.startswith("#"):
            fields[name.strip().lower()] = value.removeprefix("=").strip()
    return fields


def _data_file(path: Path) -> str:
    fields = _fields(path)
    return fields.get("data file", fields.get("datafile", ""))


def companions(path: Path) -> tuple[Path, ...]:
    """Return the file with the voxels, if it is another than the header."""
    try:
        name = _data_file(path)
    except OSError:
        return ()
    return (path.parent / name,) if name and not name.upper().startswith("LIST") and "%" not in name else ()


def read(path: Path, seen: FilesRead | None) -> Volume:
    """Read a volume of one channel, or a segmentation. Raises UserError that names the file if it has a fault."""
    others = companions(path)
    for other in others:
        if not other.is_file():
            raise UserError(f"{path} has its voxels in {other.name}, which does not exist beside it. Get this file, too.")
    with opened((path, *others), seen):
        fields = _fields(path)
        if not others and _data_file(path):
            raise UserError(f"{path} has its voxels in one file per slice. Convert it to one .nrrd or .nii.gz file.")
        layered = fields.get("kinds", "").split()[:1] == ["list"] or fields.get("space directions", "").startswith("none")
        if layered:
            image = _itk.loaded(path, "NRRD")
            voxels, affine = _labels(path, _itk.layers(image), fields), _itk.affine_of(image)
        else:
            voxels, affine = _itk.read(path, "NRRD")
    if seen is not None:
        if not {"spacings", "space directions"} & set(fields):
            seen.remark(path, "its header gives no voxel size, which was taken as 1 mm")
        elif not {"space", "space dimension"} & set(fields):
            seen.remark(path, "its header gives no position in space; its axes were taken to point left, back, and up")
    return finished(path, voxels, affine)


def _labels(path: Path, layers: np.ndarray, fields: dict[str, str]) -> np.ndarray:
    """Return the labels of a segmentation with several layers. Raises UserError if segments overlap or share a value."""
    segments: dict[str, dict[str, str]] = {}
    for key, text in fields.items():
        match = _SEGMENT.match(key)
        if match:
            segments.setdefault(match[1], {})[match[2]] = text
    used = {name: (int(s.get("layer", 0)), int(s.get("labelvalue", 1))) for name, s in segments.items()}
    values = [value for _, value in used.values()]
    if not segments or len(set(values)) != len(values) or max(layer for layer, _ in used.values()) >= layers.shape[-1]:
        raise UserError(
            f"{path} is a channel or segmentation file with {layers.shape[-1]} layers whose segments do not have a label value "
            "each. In 3D Slicer, export it as a labelmap (one value per segment)."
        )
    result = np.zeros(layers.shape[:-1], layers.dtype)
    for layer, value in used.values():
        marked = layers[..., layer] == value
        overlap = int(np.count_nonzero(result[marked]))
        if overlap:
            raise UserError(f"{path}: segments overlap in {overlap} voxels. In 3D Slicer, export a labelmap without overlap.")
        result[marked] = value
    return result
