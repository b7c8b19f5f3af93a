"""NIfTI pairs: a header .hdr with its voxels in .img. The older Analyze format, which has no directions, is refused."""

from pathlib import Path
from typing import Any

import numpy as np

from workflow_lib.base.errors import UserError
from workflow_lib.images._files import MEND
from workflow_lib.images._nifti import geometry
from workflow_lib.images.files_read import FilesRead
from workflow_lib.images.readers.interface import damaged, finished, opened
from workflow_lib.images.voxels import Volume

SUFFIXES: tuple[str, ...] = (".hdr",)


def companions(path: Path) -> tuple[Path, ...]:
    """Return the file with the voxels."""
    found = (path.with_suffix(ending) for ending in (".img", ".IMG", ".img.gz"))
    return tuple(other for other in found if other.is_file())[:1]


def read(path: Path, seen: FilesRead | None) -> Volume:
    """Read a volume of one channel. Raises UserError that names the file if it cannot be read, or has a fault."""
    import nibabel

    others = companions(path)
    with opened((path, *others), seen):
        begin = path.read_bytes()[:540]
        if len(begin) < 348:
            raise damaged(path, "NIfTI", "its header is cut short")
        second = begin[:4] in ((540).to_bytes(4, "little"), (540).to_bytes(4, "big"))
        kind: Any = nibabel.Nifti2Pair if second else nibabel.Nifti1Pair
        raw = kind.header_class(begin[: 540 if second else 348], check=False)
        if bytes(raw["magic"])[:2] != b"ni":
            raise UserError(
                f"{path} is in the older Analyze format, which does not say where left and right are. Convert it to NIfTI with "
                "the program that wrote it."
            )
        if not others:
            name = path.with_suffix(".img").name
            raise UserError(f"{path} has its voxels in {name}, which does not exist beside it. Get this file, too.")
        header = geometry(path, raw)
        for remark in header.remarks if seen is not None else ():
            seen.remark(path, remark)  # type: ignore[union-attr]
        try:
            image = kind.from_file_map(kind.make_file_map({"header": str(path), "image": str(others[0])}))
            voxels = np.asarray(image.dataobj)
        except Exception as error:  # nibabel lets many kinds of error through
            raise UserError(f"{others[0]} is damaged or cut short: {str(error)[:200]}. {MEND}") from error
    return finished(path, voxels, header.affine)
