"""Generate synthetic images in the layouts of real datasets. A marker file in their folder declares them as synthetic.

They exercise the whole workflow without a download. Numbers from these images have no clinical meaning.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import nibabel
import numpy as np

from workflow_lib.base.errors import UserError
from workflow_lib.base.files import atomic_folder, read_json, write_json
from workflow_lib.base.seeds import generator
from workflow_lib.datasets.phantoms import ct as _phantom_ct
from workflow_lib.datasets.phantoms import mri as _phantom_mri
from workflow_lib.study.sections.phantom import Phantom

MARKER = "SYNTHETIC.json"
"""File that marks a folder of synthetic images. It contains their parameters."""
VERSION = 1
"""To be increased when the same parameters give other images."""

Progress = Callable[[str], None]


def generate(phantom: Phantom, root: Path, progress: Progress | None = None) -> bool:
    """Generate synthetic images in `root`. Return False if they already exist, True if they were generated.

    The images are determined by kind, shape, seed and the number of the case. Kind ct: KiTS19's layout, int16 HU, masks in
    uint8
    (with sform), and in every eighth case uint16 (with qform only), as occurs in KiTS19; the number of slices varies.
    Kind mri: BraTS20's layout, channel t1ce, int16, labels 1, 2 and 4; the last case has no label 4.
    Images with other parameters are replaced. Raises UserError if `root` contains anything else.
    """
    parameters = {"synthetic": True, "version": VERSION, **phantom.model_dump(mode="json")}
    if _made_from(root, parameters):
        return False
    if root.exists() and not (root / MARKER).is_file() and (not root.is_dir() or any(root.iterdir())):
        raise UserError(
            f"{root} holds files that are not synthetic images of this project; they will not be replaced. "
            "Choose another `root` for the phantom, or empty the folder."
        )
    write = _write_ct if phantom.kind == "ct" else _write_mri
    with atomic_folder(root) as folder:
        for number in range(phantom.cases):
            write(folder, phantom, number)
            if progress:
                progress(f"synthetic {phantom.kind} {number + 1}/{phantom.cases}")
        sizes = {path.relative_to(folder).as_posix(): path.stat().st_size for path in sorted(folder.rglob("*.nii.gz"))}
        write_json(folder / MARKER, {**parameters, "files": sizes})
    return True


def is_synthetic(root: Path) -> bool:
    """Return whether a folder contains images that this module generated."""
    return (root / MARKER).is_file()


def _made_from(root: Path, parameters: dict[str, Any]) -> bool:
    """Return whether `root` contains all images of these parameters."""
    if not is_synthetic(root):
        return False
    marker = dict(read_json(root / MARKER))
    files = marker.pop("files", {})
    whole = all((root / name).is_file() and (root / name).stat().st_size == size for name, size in files.items())
    return whole and marker == parameters


def _write_ct(folder: Path, phantom: Phantom, number: int) -> None:
    image, mask, spacing = _phantom_ct.make(phantom.shape, generator(phantom.seed, "phantom", "ct", number))
    affine = np.zeros((4, 4))
    affine[(2, 1, 0), (0, 1, 2)] = [-side for side in spacing]
    affine[3, 3] = 1
    case = folder / f"case_{number:05d}"
    _save(case / "imaging.nii.gz", image, affine, qform_only=False)
    odd = number % 8 == 1
    _save(case / "segmentation.nii.gz", mask.astype(np.uint16 if odd else np.uint8), affine, qform_only=odd)


def _write_mri(folder: Path, phantom: Phantom, number: int) -> None:
    enhancing = number < phantom.cases - 1
    image, mask, spacing = _phantom_mri.make(phantom.shape, generator(phantom.seed, "phantom", "mri", number), enhancing)
    affine = np.diag([-spacing[0], -spacing[1], spacing[2], 1.0])
    affine[1, 3] = spacing[1] * (phantom.shape[1] - 1)
    name = f"BraTS20_Training_{number + 1:03d}"
    _save(folder / name / f"{name}_t1ce.nii.gz", image, affine, qform_only=False)
    _save(folder / name / f"{name}_seg.nii.gz", mask, affine, qform_only=False)


def _save(path: Path, data: np.ndarray, affine: np.ndarray, qform_only: bool) -> None:
    """Write a NIfTI file whose header declares it as synthetic. The position is stored in the sform, or in the qform only."""
    library: Any = nibabel  # has no type hints
    image = library.Nifti1Image(data, affine)
    image.header["descrip"] = b"synthetic phantom"
    image.set_sform(affine, code=0 if qform_only else 2)
    image.set_qform(affine, code=1 if qform_only else 0)
    if qform_only:
        image.header.set_xyzt_units("mm")
    path.parent.mkdir(parents=True, exist_ok=True)
    library.save(image, path)
