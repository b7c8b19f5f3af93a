"""FreeSurfer's files: .mgz and .mgh."""

import gzip
import zlib
from pathlib import Path

import numpy as np

from workflow_lib.images.files_read import FilesRead
from workflow_lib.images.readers.interface import damaged, finished, opened
from workflow_lib.images.voxels import Volume

SUFFIXES: tuple[str, ...] = (".mgz", ".mgh")


def companions(path: Path) -> tuple[Path, ...]:
    """Return nothing: the voxels lie in the file."""
    return ()


def read(path: Path, seen: FilesRead | None) -> Volume:
    """Read a volume of one channel. Raises UserError that names the file if it cannot be read, or has a fault."""
    import nibabel

    with opened((path,), seen):
        try:
            content = path.read_bytes()
            content = gzip.decompress(content) if content[:2] == b"\x1f\x8b" else content
            image = nibabel.MGHImage.from_bytes(content)
            voxels, affine = np.asarray(image.dataobj), np.asarray(image.affine, float)
        except (ValueError, TypeError, KeyError, EOFError, OSError, zlib.error, nibabel.spatialimages.HeaderDataError) as error:
            raise damaged(path, "MGH", str(error)[:200] or type(error).__name__) from error
    return finished(path, voxels, affine)
