"""MetaImage files of ITK: .mha, and .mhd with its voxels in a second file."""

import re
from pathlib import Path

from workflow_lib.base.errors import UserError
from workflow_lib.images.files_read import FilesRead
from workflow_lib.images.readers import _itk
from workflow_lib.images.readers.interface import finished, opened
from workflow_lib.images.voxels import Volume

SUFFIXES: tuple[str, ...] = (".mha", ".mhd")
_HEADER_BYTES = 1 << 16
_FIELD = re.compile(rb"^[ \t]*([A-Za-z]+)[ \t]*=([^\n]*)$", re.MULTILINE)


def _fields(path: Path) -> dict[str, str]:
    """Return the fields of a header, which ends with ElementDataFile."""
    with open(path, "rb") as file:
        begin = file.read(_HEADER_BYTES)
    fields: dict[str, str] = {}
    for name, value in _FIELD.findall(begin):
        fields[name.decode().lower()] = value.decode("utf-8", "replace").strip()
        if name == b"ElementDataFile":
            break
    return fields


def companions(path: Path) -> tuple[Path, ...]:
    """Return the file with the voxels, if it is another than the header."""
    try:
        name = _fields(path).get("elementdatafile", "LOCAL")
    except OSError:
        return ()
    return () if name.upper() == "LOCAL" or name.startswith("LIST") or "%" in name or not name else (path.parent / name,)


def read(path: Path, seen: FilesRead | None) -> Volume:
    """Read a volume of one channel. Raises UserError that names the file if it cannot be read, or has a fault."""
    others = companions(path)
    for other in others:
        if not other.is_file():
            raise UserError(f"{path} has its voxels in {other.name}, which does not exist beside it. Get this file, too.")
    with opened((path, *others), seen):
        fields = _fields(path)
        if fields.get("elementdatafile", "").upper().startswith("LIST") or "%" in fields.get("elementdatafile", ""):
            raise UserError(f"{path} has its voxels in one file per slice. Convert it to one .nii.gz or .mha file.")
        voxels, affine = _itk.read(path, "MetaImage")
    if seen is not None and not {"elementspacing", "elementsize"} & set(fields):
        seen.remark(path, "its header gives no voxel size (ElementSpacing), which was taken as 1 mm")
    return finished(path, voxels, affine)
